"""Names that are suggested for networks, by a rule that is stated, each with what it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.chance.names import domain_names
from fnprune_core.atlas.decoding import LogitEffect, token_classes
from fnprune_core.atlas.naming.promoted import read_promoted
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.storage.workspace import Workspace

RULE = (
    "A name has up to two parts. First the domain, where over half of the network's energy per "
    "token lies in one of several (80 % with two of them, 67 % with three, 57 % with four); with a "
    "question mark where that does not hold on documents that it was not named from, around the "
    "mean of each session, or where these are too few. Then what its energy is on: one word or "
    "sign that holds half; else a class of tokens that holds half (numbers, line breaks, "
    "punctuation …); else the first 16 tokens of a window, "
    "where they hold half; else the three words that hold most, where together they hold a tenth "
    "and each draws five times its share of the text. Capitals do not count. Where neither a "
    "domain nor a word holds, tokens that the output of its own units promotes by "
    "five standard deviations or more over the vocabulary; and only where there are none either, "
    "its number."
)
HALF = 0.5
TENTH = 0.1
#: A class must hold this many times its share of the text; a word that is one of three, the other.
LEAST_LIFT, LEAST_LIFT_OF_A_WORD = 3.0, 5.0
LEAST_SEEN = 3
FIRST_TOKENS = 16  # of a window, but for those that statistics leave out
MOST_WORDS = 3
#: Standard deviations over the vocabulary: the largest of 50,000 draws of noise is near four.
LEAST_PROMOTED = 5.0
_LONGEST_WORD = 24
#: Classes that say something as a name, in the plural.
_CLASS_NAMES = {
    "line break": "line breaks",
    "white space": "white space",
    "number": "numbers",
    "punctuation": "punctuation",
    "symbol": "symbols",
    "capitalised word": "capitalised words",
}
#: Of these the members tell more than the name of the class.
_WITH_MEMBERS = ("punctuation", "symbol")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedName:
    """A name that the rule suggests for a network, and what it rests on.

    Parameters
    ----------
    text : str
        Text of unknown origin: parts of it come from the recorded texts.
    kind : str
        The part of the rule that gave its last part: ``"word"``, ``"class"``, ``"start"``,
        ``"words"``, ``"promoted"``, ``"domain"`` or ``"number"``.
    basis : tuple of str
        One sentence for each part, with its number; empty where the name is the number.
    """

    text: str
    kind: str = "number"
    basis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Groups:
    """Tokens in groups, with the share of the text of each, and of each network's energy.

    Parameters
    ----------
    names : list of str (n_groups,)
    n_tokens : ndarray (n_groups,)
    energy_share : ndarray (K, n_groups)
    """

    names: list[str]
    n_tokens: NDArray[np.int64]
    energy_share: NDArray[np.float64]

    def lift(self, network: int) -> NDArray[np.float64]:
        """Return how many times its share of the text each group holds of the energy."""
        lift: NDArray[np.float64] = self.energy_share[network] / (
            self.n_tokens / self.n_tokens.sum()
        )
        return lift


def folded(text: str) -> str:
    """Return a token's text without space around it and without capitals."""
    return text.strip().casefold()


def suggested_names(
    atlas: NetworkAtlas, *, promoted: Sequence[Sequence[LogitEffect]] = ()
) -> tuple[SuggestedName, ...]:
    """Return a suggested name for each network, by `RULE`; the same atlas gives the same names.

    Parameters
    ----------
    promoted : sequence of sequence of LogitEffect, optional
        By network, the tokens that its output promotes, strongest first.

    Notes
    -----
    Cost: one pass over the time courses, and 50 splits of the documents.
    """
    usable = ~atlas.is_dummy
    energy = np.square(atlas.time_courses[:, usable].astype(np.float64))
    texts = np.array([folded(text) for text in atlas.tokens["text"].astype(str)])
    words, classes = (
        _grouped(each[usable], energy) for each in (texts, token_classes(atlas).astype(str))
    )
    domains = domain_names(atlas)
    is_first = atlas.tokens["position"].to_numpy()[usable] < FIRST_TOKENS
    first_share = energy[:, is_first].sum(axis=1) / np.maximum(energy.sum(axis=1), 1e-300)
    is_of_starts = (first_share >= HALF) & (first_share >= LEAST_LIFT * is_first.mean())
    names = []
    for k in range(atlas.n_networks):
        parts, basis = [], []
        if (domain := domains[k]) is not None:
            parts.append(_capitalised(domain.domain) + ("" if domain.holds else "?"))
            basis.append(f"{_capitalised(domain.sentence())}.")
        found: dict[str, tuple[str, str] | None] = {
            "word": _one_word(words, k),
            "class": _one_class(classes, words, k),
            "start": _of_starts(float(first_share[k])) if is_of_starts[k] else None,
            "words": _some_words(words, k),
        }
        if not parts and k < len(promoted):
            found["promoted"] = _promoted(promoted[k])
        rests_on = next((kind for kind, part in found.items() if part is not None), "")
        first = found.get(rests_on)
        if first is not None:
            parts.append(first[0])
            basis.append(first[1])
        names.append(
            SuggestedName(
                text=" · ".join(parts) if parts else f"network {k}",
                kind=rests_on or ("domain" if parts else "number"),
                basis=tuple(basis),
            )
        )
    return tuple(names)


def names_of(workspace: Workspace, atlas: NetworkAtlas) -> tuple[SuggestedName, ...]:
    """Return a suggested name for each network, with the promoted tokens that are stored."""
    return suggested_names(atlas, promoted=read_promoted(workspace, atlas))


def _grouped(labels: NDArray[np.str_], energy: NDArray[np.float64]) -> _Groups:
    names, code = np.unique(labels, return_inverse=True)
    sums = np.stack([np.bincount(code, weights=row, minlength=len(names)) for row in energy])
    total = sums.sum(axis=1, keepdims=True)
    return _Groups(
        names=[str(name) for name in names],
        n_tokens=np.bincount(code, minlength=len(names)),
        energy_share=sums / np.where(total > 0, total, 1.0),
    )


def _one_word(words: _Groups, network: int) -> tuple[str, str] | None:
    """Return the word that holds half of the energy, unless most of the text is that word."""
    share = words.energy_share[network]
    first = int(share.argmax())
    word = words.names[first]
    if not word or share[first] < HALF or words.lift(network)[first] < LEAST_LIFT:
        return None
    return _shown(word), f"{100 * share[first]:.0f} % of its energy is on “{_shown(word)}”."


def _one_class(classes: _Groups, words: _Groups, network: int) -> tuple[str, str] | None:
    share = classes.energy_share[network]
    first = int(share.argmax())
    name = classes.names[first]
    if name not in _CLASS_NAMES or share[first] < HALF or classes.lift(network)[first] < LEAST_LIFT:
        return None
    shown = _CLASS_NAMES[name]
    basis = f"{100 * share[first]:.0f} % of its energy is on {shown}."
    if name in _WITH_MEMBERS:
        members = " ".join(_shown(words.names[i]) for i in _leading(words, network))
        shown = f"{shown} {members}".strip()
    return shown, basis


def _of_starts(share: float) -> tuple[str, str]:
    return (
        "first tokens of a text",
        f"{100 * share:.0f} % of its energy is on the first {FIRST_TOKENS} tokens of a window.",
    )


def _some_words(words: _Groups, network: int) -> tuple[str, str] | None:
    leading = _leading(words, network)
    share = float(words.energy_share[network, leading].sum())
    if not leading or share < TENTH:
        return None
    shown = _listed([words.names[i] for i in leading])
    return shown, f"{100 * share:.0f} % of its energy is on {shown}."


def _leading(words: _Groups, network: int) -> list[int]:
    """Return the words that hold most of the energy, of those that draw more than their share."""
    share, lift = words.energy_share[network], words.lift(network)
    draws = (lift >= LEAST_LIFT_OF_A_WORD) & (words.n_tokens >= LEAST_SEEN)
    order = [int(i) for i in np.argsort(-share, kind="stable") if draws[i] and words.names[i]]
    return order[:MOST_WORDS]


def _promoted(effects: Sequence[LogitEffect]) -> tuple[str, str] | None:
    strong = [effect for effect in effects if effect.effect >= LEAST_PROMOTED]
    texts = list(dict.fromkeys(folded(effect.text) for effect in strong))
    shown = _listed([text for text in texts if text][:MOST_WORDS])
    if not shown:
        return None
    return (
        f"promotes {shown}",
        f"Its output makes {shown} more probable as the next token, by "
        f"{strong[0].effect:.1f} standard deviations over the vocabulary at most.",
    )


def _listed(words: Sequence[str]) -> str:
    """Return words as a list; signs are parted by space, for a comma may be one of them."""
    mark = ", " if all(word[0].isalnum() for word in words) else " "
    return mark.join(_shown(word) for word in words)


def _shown(word: str) -> str:
    return word if len(word) <= _LONGEST_WORD else f"{word[: _LONGEST_WORD - 1]}…"


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]
