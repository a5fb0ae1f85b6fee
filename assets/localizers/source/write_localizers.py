"""Write the stimuli of the ready localizers: ``python assets/localizers/source/write_localizers.py``.

Items are drawn from frames and word lists with a seed. Those of all conditions are drawn together
and kept if they have equally many tokens for the embedded model, so that no contrast is one of
length. The texts were written for this project and have its licence.
"""

import csv
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import frames
import languages
from transformers import AutoTokenizer

from fnprune_core.models.embedded import embedded_model_folder

TARGET = Path(__file__).parents[1]
N_ITEMS = 6
MOST_DRAWS = 20_000
SEED = 5

_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")
_SLOT = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")
_SOUNDS = (
    ("bl br gl tr v".split(), "a o i".split(), "rk nt sh m".split()),
    ("p t k s".split(), "e u ai".split(), "ld n g pt".split()),
    ("fl gr d z".split(), "i o ea".split(), "mp st l b".split()),
    ("sn w h r".split(), "u a oo".split(), "ck rt v nd".split()),
    ("pl dr m j".split(), "e o au".split(), "ft s lk n".split()),
    ("cl f n b".split(), "i u ou".split(), "rm t sp d".split()),
    ("st sk l g".split(), "a e oi".split(), "nk m lt p".split()),
    ("th ch v r".split(), "o i u".split(), "rn x b ng".split()),
    ("qu sw t d".split(), "a i ee".split(), "lp rb n st".split()),
    ("pr kr y m".split(), "u e o".split(), "zz ll nt k".split()),
    ("sl sm b f".split(), "oa a i".split(), "rp d ns g".split()),
    ("tw gl h k".split(), "e i au".split(), "mb rf t sk".split()),
)


def nonwords(rng: random.Random, number: int) -> str:
    """Return invented words with the sounds of frame `number`, cased and closed as a sentence."""
    onsets, nuclei, codas = _SOUNDS[number]

    def syllable() -> str:
        return rng.choice(onsets) + rng.choice(nuclei)

    words = [
        "".join(syllable() for _ in range(rng.choice((1, 1, 2)))) + rng.choice(codas)
        for _ in range(rng.randint(3, 8))
    ]
    return " ".join(words).capitalize() + "."


def filled(frame: str, values: dict[str, str], rng: random.Random) -> str:
    """Return a frame with its choices made and its slots filled."""
    text = frame
    while found := _CHOICE.search(text):
        text = text[: found.start()] + rng.choice(found[1].split("|")) + text[found.end() :]
    text = _ARTICLE.sub(r"\1n ", text.format(**values))
    is_prose = text[-1] in '.?!"'
    return text[0].upper() + text[1:] if is_prose else text


def values_for(texts: list[str], rng: random.Random, number: int) -> list[dict[str, str]]:
    """Return what the slots stand for in each condition; words of one list differ."""
    slots = sorted({slot for text in texts for slot in _SLOT.findall(text)})
    a, b, c = rng.randint(12, 60), rng.randint(11, 30), rng.randint(2, 9)
    numbers = {"a": a, "b": b, "c": c, "s": a + b, "d": a + b + c, "p": b * c, "e": 2 * a}
    shared = {name: str(number) for name, number in numbers.items()}
    drawn = [{**shared, "nonwords": nonwords(rng, number)} for _ in texts]
    by_list: dict[str, list[str]] = {}
    for slot in slots:
        if slot not in drawn[0]:
            by_list.setdefault(slot.rstrip("23"), []).append(slot)
    for name, names in by_list.items():
        words = languages.TRIPLES.get(name) or [(word,) * len(texts) for word in frames.SLOTS[name]]
        for slot, each in zip(names, rng.sample(words, len(names)), strict=True):
            for values, word in zip(drawn, each, strict=True):
                values[slot] = word
    return drawn


def items_of(
    frame: dict[str, str], number: int, n_tokens: Callable[[str], int]
) -> Iterator[dict[str, str]]:
    """Yield `N_ITEMS` items of a frame: condition → text, equally many tokens in each."""
    rng = random.Random(f"{SEED} {sorted(frame.values())}")
    taken: set[str] = set()
    lengths: dict[str, set[int]] = {condition: set() for condition in frame}
    n = 0
    for _ in range(MOST_DRAWS):
        drawn = values_for(list(frame.values()), rng, number)
        texts = {
            condition: filled(text, values, rng)
            for (condition, text), values in zip(frame.items(), drawn, strict=True)
        }
        counts = {condition: n_tokens("\n" + text) for condition, text in texts.items()}
        for condition, count in counts.items():
            lengths[condition].add(count)
        if len(set(counts.values())) == 1 and not taken & set(texts.values()):
            taken |= set(texts.values())
            n += 1
            yield texts
            if n == N_ITEMS:
                return
    spans = ", ".join(f"{c}: {min(of)} to {max(of)}" for c, of in lengths.items())
    sys.exit(f"frame {number + 1}, {list(frame.values())}: {n} items only; tokens {spans}")


def write(name: str, listed: list[dict[str, str]], n_tokens: Callable[[str], int]) -> None:
    """Write the stimuli of a localizer as condition, template, text."""
    rows = [
        (condition, f"{number + 1:02d}", text)
        for number, frame in enumerate(listed)
        for texts in items_of(frame, number, n_tokens)
        for condition, text in texts.items()
    ]
    rows.sort(key=lambda row: (list(listed[0]).index(row[0]), row[1]))
    with (TARGET / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("condition", "template", "text"))
        writer.writerows(rows)
    print(f"{name}: {len(rows) // len(listed[0])} items per condition")


def main() -> None:
    """Write all localizers, or those that are named."""
    tokenizer = AutoTokenizer.from_pretrained(embedded_model_folder())

    def n_tokens(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    TARGET.mkdir(parents=True, exist_ok=True)
    wanted = {**frames.FRAMES, "languages": languages.FRAMES}
    for name in sys.argv[1:] or wanted:
        write(name, wanted[name], n_tokens)


if __name__ == "__main__":
    main()
