"""Text that two recordings share: token by token, or between cuts that both tokenizers make.

Two tokenizers cut a text at different places, so their time courses have no common clock. The
clock used here is the text itself: the shortest stretches that both tokenizers cut at both ends,
mostly words. A time course is averaged over the tokens of a stretch. Nothing is interpolated,
and at the end of a stretch both models have read exactly the same characters of it.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.errors import TextError

_ANCHOR = {"tokens": 4, "characters": 16}
_CHUNK = 2048

Clock = Literal["tokens", "characters"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedText:
    """Stretches of text that two recordings have in common.

    Parameters
    ----------
    first, last : ndarray (2, n)
        First and last row of each stretch in the token tables of the two recordings.
    session : ndarray (n,)
        Its session in the first recording; stretches are in the order of that recording.
    clock : {"tokens", "characters"}
        Whether both recordings have the same tokens (a stretch is a token), or stretches end
        where both tokenizers cut.
    n_tokens : tuple of int
        Tokens of each recording that statistics use.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    session: NDArray[np.int64]
    clock: Clock
    n_tokens: tuple[int, int]

    @property
    def n_stretches(self) -> int:
        """Number of stretches."""
        return len(self.session)

    def means(self, courses: NDArray[np.floating], side: int) -> NDArray[np.float64]:
        """Return time courses (K, tokens) of recording 0 or 1 by stretch: (K, n)."""
        sums = np.cumsum(courses, axis=1, dtype=np.float64)
        sums = np.concatenate([np.zeros((len(sums), 1)), sums], axis=1)
        first, after = self.first[side], self.last[side] + 1
        return np.asarray((sums[:, after] - sums[:, first]) / (after - first))

    def sentence(self) -> str:
        """Return the number and kind of stretches in words."""
        if self.clock == "tokens":
            return f"{self.n_stretches:,} tokens that both recordings read"
        return (
            f"{self.n_stretches:,} stretches of text that both tokenizers cut at both ends "
            f"({self.n_tokens[0] / self.n_stretches:.2f} and "
            f"{self.n_tokens[1] / self.n_stretches:.2f} tokens each)"
        )


def shared_text(a: pd.DataFrame, b: pd.DataFrame) -> SharedText:
    """Return the stretches of text that two token tables (`Recording.tokens`) share.

    Documents are found by their names and aligned by what they say, without white space and
    capitals; a document of the same name with another text has nothing in common. Stretches
    with a dummy token, or over the edge of a session, are left out. About O(tokens log tokens).

    Raises
    ------
    TextError
        If they hold no text in common.
    """
    if _same_tokens(a, b):
        rows = np.arange(len(a))
        clock: Clock = "tokens"
        pairs = np.stack([rows, rows, rows, rows])
    else:
        clock = "tokens" if _same_tokenizer(a, b) else "characters"
        by_document = list(_document_stretches(a, b, clock))
        pairs = (
            np.concatenate(by_document, axis=1) if by_document else np.empty((4, 0), dtype=np.int64)
        )
    usable = np.ones(pairs.shape[1], dtype=bool)
    for table, first, last in ((a, pairs[0], pairs[1]), (b, pairs[2], pairs[3])):
        session = table["session"].to_numpy()
        n_dummy = np.concatenate([[0], np.cumsum(table["is_dummy"].to_numpy(dtype=bool))])
        usable &= (session[first] == session[last]) & (n_dummy[last + 1] == n_dummy[first])
    pairs = pairs[:, usable]
    if not pairs.shape[1]:
        raise TextError(
            "These two recordings hold no text in common.",
            hint="Record the same texts with both models.",
        )
    order = np.argsort(pairs[0], kind="stable")
    pairs = pairs[:, order].astype(np.int64)
    return SharedText(
        first=pairs[[0, 2]],
        last=pairs[[1, 3]],
        session=a["session"].to_numpy(dtype=np.int64)[pairs[0]],
        clock=clock,
        n_tokens=(_count_tokens(pairs[0], pairs[1]), _count_tokens(pairs[2], pairs[3])),
    )


def _count_tokens(first: NDArray[np.int64], last: NDArray[np.int64]) -> int:
    return int((last - first + 1).sum())


def _same_tokens(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(a[name].to_numpy(), b[name].to_numpy())
        for name in ("token_id", "session", "text")
    )


def _same_tokenizer(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Whether each token id that both tables have stands for the same text in both."""
    a, b = (table[["token_id", "text"]].drop_duplicates() for table in (a, b))
    shared = a.merge(b, on="token_id")
    return len(shared) > 0 and bool((shared["text_x"] == shared["text_y"]).all())


def _document_stretches(
    a: pd.DataFrame, b: pd.DataFrame, clock: Clock
) -> Iterator[NDArray[np.int64]]:
    """Yield (first a, last a, first b, last b) of the stretches of each shared document."""
    groups = [table.groupby(table["document"].astype(str), sort=False).indices for table in (a, b)]
    for name in groups[0].keys() & groups[1].keys():
        sides = []
        for table, rows in zip((a, b), (groups[0][name], groups[1][name]), strict=True):
            pieces = (
                [chr(i) for i in table["token_id"].to_numpy()[rows]]
                if clock == "tokens"
                else [_without_space(text) for text in table["text"].to_numpy()[rows]]
            )
            owner = np.repeat(rows, [len(piece) for piece in pieces])
            sides.append(("".join(pieces), owner))
        (text_a, owner_a), (text_b, owner_b) = sides
        in_a, in_b = matched(text_a, text_b, anchor=_ANCHOR[clock])
        if len(in_a):
            yield _stretches(in_a, in_b, owner_a, owner_b)


def _without_space(text: str) -> str:
    """Return a token without white space, which tokenizers give to either neighbour."""
    return "".join(text.split()).casefold()


def _stretches(
    in_a: NDArray[np.int64],
    in_b: NDArray[np.int64],
    owner_a: NDArray[np.int64],
    owner_b: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the shortest stretches between cuts that both sides make: (4, n).

    Parameters
    ----------
    in_a, in_b : ndarray (n_matched,)
        Places of the matched characters.
    owner_a, owner_b : ndarray
        The token of each character.
    """
    starts = _edges(owner_a)[:-1][in_a] & _edges(owner_b)[:-1][in_b]
    ends = _edges(owner_a)[1:][in_a] & _edges(owner_b)[1:][in_b]
    joined = np.concatenate([[False], (np.diff(in_a) == 1) & (np.diff(in_b) == 1)])
    first = np.flatnonzero(starts | ~joined)
    last = np.concatenate([first[1:], [len(in_a)]]) - 1
    is_whole = starts[first] & ends[last]
    first, last = in_a[first[is_whole]], in_a[last[is_whole]]
    matched_places = np.searchsorted(in_a, np.stack([first, last]))
    return np.stack(
        [
            owner_a[first],
            owner_a[last],
            owner_b[in_b[matched_places[0]]],
            owner_b[in_b[matched_places[1]]],
        ]
    )


def _edges(owner: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether a token begins before each character, and one more for the end."""
    return np.concatenate([[True], np.diff(owner) != 0, [True]])


def matched(a: str, b: str, *, anchor: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places in `a` and `b` of the characters that they share, in order.

    Runs of `anchor` characters that occur once in each are found, the longest chain of them that
    keeps the order is taken (as in patience diff), and each is stretched as far as the texts
    agree. Text that occurs several times is matched only next to what is unique.
    """
    runs = []
    at_a = at_b = 0
    for i, j in [(0, 0), *_chain(_anchors(a, b, anchor))]:
        if i < at_a or j < at_b:
            continue
        back = 0
        while i - back > at_a and j - back > at_b and a[i - back - 1] == b[j - back - 1]:
            back += 1
        i, j = i - back, j - back
        length = _agreement(a, b, i, j)
        runs.append((i, j, length))
        at_a, at_b = i + length, j + length
    return (
        np.concatenate([np.arange(i, i + n) for i, _, n in runs]),
        np.concatenate([np.arange(j, j + n) for _, j, n in runs]),
    )


def _agreement(a: str, b: str, i: int, j: int) -> int:
    """Return for how many characters `a` from `i` and `b` from `j` are the same."""
    most = min(len(a) - i, len(b) - j)
    n = 0
    while n + _CHUNK <= most and a[i + n : i + n + _CHUNK] == b[j + n : j + n + _CHUNK]:
        n += _CHUNK
    while n < most and a[i + n] == b[j + n]:
        n += 1
    return n


def _anchors(a: str, b: str, length: int) -> list[tuple[int, int]]:
    """Return places (i, j) of runs of `length` characters that occur once in `a` and in `b`."""
    once_a, once_b = _unique_runs(a, length), _unique_runs(b, length)
    return [(i, once_b[run]) for run, i in once_a.items() if i >= 0 and once_b.get(run, -1) >= 0]


def _unique_runs(text: str, length: int) -> dict[str, int]:
    places: dict[str, int] = {}
    for i in range(len(text) - length + 1):
        run = text[i : i + length]
        places[run] = -1 if run in places else i
    return places


def _chain(anchors: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest chain of anchors (sorted by i) whose j increases too."""
    tails: list[int] = []  # smallest last j of a chain of each length
    ends: list[int] = []  # the anchor with that j
    before: list[int] = []
    for number, (_, j) in enumerate(anchors):
        place = bisect_left(tails, j)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(j)
            ends.append(number)
        else:
            tails[place], ends[place] = j, number
    chain = []
    number = ends[-1] if ends else -1
    while number >= 0:
        chain.append(anchors[number])
        number = before[number]
    return chain[::-1]
