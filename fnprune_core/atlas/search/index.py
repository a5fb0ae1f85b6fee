"""The index of a search: an atlas's text as one string, and shares of energy, computed once."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.decoding import token_classes
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.recording.recording import Recording

#: Between sessions, so that no match runs from one into the next.
_BREAK = "\x00"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index:
    """What a search looks in beside the atlas and its recording, computed once.

    Parameters
    ----------
    text : str
        All that was read, without capitals, with a break between sessions.
    ends : ndarray (n_tokens,)
        Where each token ends in `text`.
    is_dummy : ndarray (n_tokens,)
    mean_energy : ndarray (K,)
        Of each network at usable tokens.
    class_names : tuple of str
    class_share : ndarray (K, n_classes)
        Share of each network's energy that lies on a class of tokens.
    class_tokens : ndarray (n_classes,)
        Share of the tokens that are of a class.
    unit_domains : ndarray (n_units, n_domains)
        Share of each domain in a unit's energy per token.
    """

    text: str
    ends: NDArray[np.int64]
    is_dummy: NDArray[np.bool_]
    mean_energy: NDArray[np.float64]
    class_names: tuple[str, ...]
    class_share: NDArray[np.float64]
    class_tokens: NDArray[np.float64]
    unit_domains: NDArray[np.float32]

    def tokens_of(self, query: str) -> NDArray[np.int64]:
        """Return the usable tokens that words cover, in reading order; whatever their case.

        Whole words first; where the text has none, words that begin so, then any place.
        """
        wanted = re.escape(query.casefold().strip())
        if not wanted:
            return np.empty(0, dtype=np.int64)
        for pattern in (rf"(?<!\w){wanted}(?!\w)", rf"(?<!\w){wanted}", wanted):
            spans = [match.span() for match in re.finditer(pattern, self.text)]
            if spans:
                break
        else:
            return np.empty(0, dtype=np.int64)
        first = np.searchsorted(self.ends, [start for start, _ in spans], side="right")
        last = np.searchsorted(self.ends, [stop for _, stop in spans], side="left")
        tokens = np.unique(
            np.concatenate([np.arange(a, b + 1) for a, b in zip(first, last, strict=True)])
        )
        return np.asarray(tokens[~self.is_dummy[tokens]], dtype=np.int64)


def build_index(atlas: NetworkAtlas, recording: Recording) -> Index:
    """Return the index of an atlas: one pass over its time courses and the sessions' moments."""
    text, ends = _text_of(atlas)
    usable = ~atlas.is_dummy
    names, code = np.unique(token_classes(atlas)[usable], return_inverse=True)
    energy = np.square(atlas.time_courses[:, usable].astype(np.float64))
    by_class = np.stack([np.bincount(code, weights=row, minlength=len(names)) for row in energy])
    return Index(
        text=text,
        ends=ends,
        is_dummy=atlas.is_dummy,
        mean_energy=energy.mean(axis=1),
        class_names=tuple(str(name) for name in names),
        class_share=by_class / np.maximum(by_class.sum(axis=1, keepdims=True), 1e-300),
        class_tokens=np.bincount(code, minlength=len(names)) / max(len(code), 1),
        unit_domains=unit_domain_share(atlas, recording),
    )


def _text_of(atlas: NetworkAtlas) -> tuple[str, NDArray[np.int64]]:
    session = atlas.tokens["session"].to_numpy()
    is_last = np.append(session[1:] != session[:-1], True)
    pieces = [text.casefold() for text in atlas.tokens["text"].astype(str)]
    parts = [
        piece + _BREAK if ends_session else piece
        for piece, ends_session in zip(pieces, is_last, strict=True)
    ]
    return "".join(parts), np.cumsum([len(part) for part in parts])


def unit_domain_share(atlas: NetworkAtlas, recording: Recording) -> NDArray[np.float32]:
    """Return the share of each domain in a unit's energy per token: (n_units, D).

    Energy is the squared distance from the unit's mean, from the moments of sessions; a session
    counts for the domain of most of its tokens.
    """
    domain = atlas.tokens["domain"].cat.codes.to_numpy()
    session = atlas.tokens["session"].to_numpy()
    sums = np.zeros((len(atlas.domain_names), atlas.layout.n_units))
    counts = np.zeros(len(atlas.domain_names))
    for number in np.unique(session):
        mean, std = recording.session_moments(int(number))
        (of_session, _), *_ = Counter(domain[session == number].tolist()).most_common(1)
        sums[of_session] += np.square(std) + np.square(mean - recording.mean)
        counts[of_session] += 1
    per_token = sums / np.maximum(counts, 1)[:, None]
    total = per_token.sum(axis=0)
    share = per_token / np.where(total > 0, total, 1.0)
    return np.asarray(share.T, dtype=np.float32)
