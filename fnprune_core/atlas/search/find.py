"""The search itself: one query over all networks and units, with a score and what matched.

A match has a score from 0 to 1 by its kind. Those of one network or unit are put together as
chances are: 1 − Π (1 − score), so that two kinds that agree stand before one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.annotation_files import Annotation, Annotations
from fnprune_core.atlas.decoding import LogitEffect
from fnprune_core.atlas.network_atlas import NetworkAtlas, Passage
from fnprune_core.atlas.search.effects import EffectsIndex, effects_on, token_ids_of
from fnprune_core.atlas.search.index import Index
from fnprune_core.errors import TextError
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.recording.recording import Recording

MAX_QUERY = 120
SCORES = (
    "A name: 1 where it is the query, 0.9 where it holds its words, 0.8 in a note or tag. A "
    "domain: its share of the energy. A class of tokens: its share of the energy. Words in the "
    "texts: 1 − 1 / how many times its usual energy a network has on them. A promoted token: a "
    "tenth for each standard deviation from three. Together: 1 − Π (1 − score)."
)
#: Words must draw this many times the usual energy; occurrences that count as usual beside them.
_LEAST_LIFT, _USUAL = 1.5, 2
_LEAST_Z = 3.0
_MOST_ROWS = 48  # tokens whose signals of all units are read
_EACH = 24  # of each kind, before scores are put together
#: What people call the classes of tokens.
_CLASSES = {
    "number": ("number", "numbers", "digit", "digits"),
    "line break": ("line break", "line breaks", "newline", "newlines", "new line"),
    "white space": ("white space", "whitespace", "space", "spaces", "indentation"),
    "punctuation": ("punctuation", "punctuation mark", "punctuation marks"),
    "symbol": ("symbol", "symbols", "operator", "operators"),
    "capitalised word": ("capitalised word", "capitalised words", "capitals", "capitalized"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One reason why something was found.

    Parameters
    ----------
    kind : str
        ``"name"``, ``"note"``, ``"domain"``, ``"class"``, ``"text"`` or ``"promoted"``.
    score : float
        In [0, 1].
    reason : str
        In words, with its number; parts of it are text of unknown origin.
    """

    kind: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hit:
    """A network or a unit that a query found.

    Parameters
    ----------
    kind : str
        ``"network"`` or ``"unit"``.
    number : int
        Of the network; of a unit its flat index.
    score : float
        In [0, 1], of all matches together.
    matches : tuple of Match
        Best first.
    passage : Passage or None
        Of a network that was found in the texts: where it is strongest on the words.
    """

    kind: str
    number: int
    score: float
    matches: tuple[Match, ...]
    passage: Passage | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """What is said of networks: names, suggested or not, notes and tags, promoted tokens.

    Parameters
    ----------
    names : sequence of str (K,)
    annotations : Annotations
    promoted : sequence of sequence of LogitEffect
        By network; empty where it is not known.
    """

    names: Sequence[str]
    annotations: Annotations = field(default_factory=lambda: Annotations(networks={}))
    promoted: Sequence[Sequence[LogitEffect]] = ()


def find(
    atlas: NetworkAtlas,
    recording: Recording,
    index: Index,
    query: str,
    said: Said,
    *,
    model: tuple[LanguageModel, EffectsIndex] | None = None,
    n: int = 12,
) -> tuple[list[Hit], list[Hit]]:
    """Return the networks and the units that a query finds, best first, at most `n` of each.

    Parameters
    ----------
    index : Index
        Of the atlas.
    query : str
        Words, a token, a domain, a class of tokens, or a part of a name or note; or a number.
    model : tuple of LanguageModel and EffectsIndex, optional
        With it, units are found by the tokens that they promote, and networks by any token.

    Raises
    ------
    TextError
        If the query is empty or longer than `MAX_QUERY`.
    """
    query = query.strip()
    if not 0 < len(query) <= MAX_QUERY:
        raise TextError(
            f"A search takes 1 to {MAX_QUERY} characters, got {len(query)}.",
            hint="Give a word, a domain or a part of a name.",
        )
    tokens = index.tokens_of(query)
    networks: dict[int, list[Match]] = {}
    units: dict[int, list[Match]] = {}
    _add(networks, _named(atlas, query, said))
    _add(networks, _by_domain(atlas.domain_share(), atlas, query))
    _add(networks, _by_class(index, query))
    _add(networks, _by_text(_network_lift(atlas, index, tokens), query, len(tokens)))
    _add(units, _by_domain(index.unit_domains, atlas, query))
    _add(units, _by_text(_unit_lift(atlas, recording, tokens), query, min(len(tokens), _MOST_ROWS)))
    if model is None:
        _add(networks, _promoted_as_stored(said.promoted, query))
    else:
        for token_id in token_ids_of(model[0], query):
            text = str(model[0].tokenizer.decode([token_id]))
            for found, z in zip((networks, units), effects_on(*model, token_id), strict=True):
                _add(found, _promoted(z, text))
    found_networks = _hits("network", networks, n)
    return (
        [_with_passage(atlas, hit, tokens) for hit in found_networks],
        _hits("unit", units, n),
    )


def _add(found: dict[int, list[Match]], matches: Iterable[tuple[int, Match]]) -> None:
    """Add matches; of one kind, a network or unit has its best alone."""
    for number, match in matches:
        others = found.setdefault(number, [])
        same = [each for each in others if each.kind == match.kind]
        if same and same[0].score >= match.score:
            continue
        others[:] = [each for each in others if each.kind != match.kind] + [match]


def _hits(kind: str, found: dict[int, list[Match]], n: int) -> list[Hit]:
    hits = [
        Hit(
            kind=kind,
            number=number,
            score=1 - float(np.prod([1 - match.score for match in matches])),
            matches=tuple(sorted(matches, key=lambda match: -match.score)),
        )
        for number, matches in found.items()
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.number))[:n]


def _named(atlas: NetworkAtlas, query: str, said: Said) -> Iterable[tuple[int, Match]]:
    wanted = query.casefold()
    for k in range(atlas.n_networks):
        name = said.names[k]
        score = _likeness(wanted, name)
        if wanted in (str(k), f"network {k}"):
            yield k, Match(kind="name", score=1.0, reason=f"its number is {k}")
        elif score:
            yield k, Match(kind="name", score=score, reason=f"its name is “{name}”")
        yield from ((k, match) for match in _noted(said.annotations.of(k), wanted))


def _noted(annotation: Annotation, wanted: str) -> Iterable[Match]:
    for tag in annotation.tags:
        if _likeness(wanted, tag):
            yield Match(kind="note", score=0.8, reason=f"it has the tag “{tag}”")
    place = annotation.note.casefold().find(wanted)
    if place >= 0:
        part = annotation.note[max(0, place - 24) : place + len(wanted) + 40]
        yield Match(kind="note", score=0.8, reason=f"its note says “…{part}…”")


def _likeness(wanted: str, text: str) -> float:
    """Return 1 where a text is the query, 0.9 where it has all its words, 0.6 for beginnings."""
    folded = text.casefold()
    if wanted == folded or wanted in folded.split(" · "):
        return 1.0
    words = {word.strip(",;.") or word for word in folded.split()}
    wanted_words = wanted.split()
    if all(word in words for word in wanted_words):
        return 0.9
    begins = (any(word.startswith(each) for word in words) for each in wanted_words)
    return 0.6 if len(wanted) > 2 and all(begins) else 0.0


def _by_domain(
    share: NDArray[np.floating], atlas: NetworkAtlas, query: str
) -> Iterable[tuple[int, Match]]:
    """Give those whose energy per token lies in a domain beyond an equal share of it."""
    for d, domain in enumerate(atlas.domain_names):
        if not _likeness(query.casefold(), domain):
            continue
        values = share[:, d]
        for number in _largest(values, least=1 / len(atlas.domain_names)):
            value = float(values[number])
            yield (
                number,
                Match(
                    kind="domain",
                    score=value,
                    reason=f"{100 * value:.0f} % of its energy is in {domain}",
                ),
            )


def _by_class(index: Index, query: str) -> Iterable[tuple[int, Match]]:
    for c, name in enumerate(index.class_names):
        if query.casefold() not in _CLASSES.get(name, ()):
            continue
        values = index.class_share[:, c]
        for number in _largest(values, least=2 * float(index.class_tokens[c])):
            value = float(values[number])
            yield (
                number,
                Match(
                    kind="class",
                    score=value,
                    reason=f"{100 * value:.0f} % of its energy is on tokens: {name}",
                ),
            )


def _network_lift(
    atlas: NetworkAtlas, index: Index, tokens: NDArray[np.int64]
) -> NDArray[np.float64]:
    energy = np.square(atlas.time_courses[:, tokens].astype(np.float64)).sum(axis=1)
    return _shrunk(energy / np.maximum(index.mean_energy, 1e-300), len(tokens))


def _unit_lift(
    atlas: NetworkAtlas, recording: Recording, tokens: NDArray[np.int64]
) -> NDArray[np.float64]:
    if not len(tokens):
        return np.zeros(atlas.layout.n_units)
    step = max(1, -(-len(tokens) // _MOST_ROWS))
    alive = atlas.decomposition.alive
    squares = recording.squares(tokens[::step])
    scale = np.where(alive, np.maximum(recording.std, 1e-12), np.inf)
    z_squares = squares / np.square(scale)
    return _shrunk(z_squares.sum(axis=0, dtype=np.float64), len(squares))


def _shrunk(sums: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return energy over the usual, as if the words were met twice more as usual.

    Else a word that is met once would find whatever happened to be strong there.
    """
    return (sums + _USUAL) / (n + _USUAL)


def _by_text(lift: NDArray[np.float64], query: str, n_tokens: int) -> Iterable[tuple[int, Match]]:
    if not n_tokens:
        return
    for number in _largest(lift, least=_LEAST_LIFT):
        value = float(lift[number])
        yield (
            number,
            Match(
                kind="text",
                score=1 - 1 / value,
                reason=f"{value:.1f} times its usual energy on “{query}”, over {n_tokens:,} "
                f"token{'s' if n_tokens > 1 else ''}",
            ),
        )


def _promoted_as_stored(
    promoted: Sequence[Sequence[LogitEffect]], query: str
) -> Iterable[tuple[int, Match]]:
    wanted = query.casefold()
    for k, effects in enumerate(promoted):
        for effect in effects:
            if effect.text.strip().casefold() == wanted and effect.effect >= _LEAST_Z:
                yield k, _promotes(effect.effect, effect.text)


def _promoted(z: NDArray[np.float64], text: str) -> Iterable[tuple[int, Match]]:
    for number in _largest(z, least=_LEAST_Z):
        yield number, _promotes(float(z[number]), text)


def _promotes(z: float, text: str) -> Match:
    return Match(
        kind="promoted",
        score=min((z - _LEAST_Z + 1) / 10, 1.0),
        reason=f"it promotes “{text}” by {z:.1f} sd",
    )


def _largest(values: NDArray[np.floating], *, least: float) -> list[int]:
    """Return where values are largest, if above `least`: at most `_EACH`, largest first."""
    n = min(_EACH, len(values))
    top = np.argpartition(-values, n - 1)[:n]
    order = top[np.argsort(-values[top], kind="stable")]
    return [int(i) for i in order if values[i] > least]


def _with_passage(atlas: NetworkAtlas, hit: Hit, tokens: NDArray[np.int64]) -> Hit:
    if not any(match.kind == "text" for match in hit.matches):
        return hit
    strength = np.abs(atlas.time_courses[hit.number, tokens])
    passage = atlas.passage_at(hit.number, int(tokens[strength.argmax()]))
    return replace(hit, passage=passage)
