"""Small measurements that show one thing each, for teaching: quick, on an atlas as it is.

Each says what its unit of resampling is. They are shown beside a real brain; none replaces the
tests of `decoding`, `trust` or `lesions`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.ndimage import gaussian_filter

from fnprune_core.atlas.decoding import benjamini_hochberg
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.recording.sessions import document_codes

ALPHA = 0.05


# Time ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventAverage:
    """A network's strength around a word, averaged over the places where it stands.

    Parameters
    ----------
    lags : ndarray (n,)
        Tokens after the word; 0 is the word itself.
    mean : ndarray (n,)
        In standard deviations of the network's strength, with the sign that makes the largest
        value positive.
    """

    word: str
    lags: NDArray[np.int64]
    mean: NDArray[np.float64]
    n_events: int

    @property
    def peak(self) -> int:
        """The lag of the largest value."""
        return int(self.lags[int(np.argmax(self.mean))])

    @property
    def left_after_one(self) -> float:
        """Share of the value at the peak that is left one token later, at least 0."""
        at = int(np.argmax(self.mean))
        return float(max(self.mean[min(at + 1, len(self.mean) - 1)], 0.0) / self.mean[at])


def favourite_words(atlas: NetworkAtlas, network: int, *, n: int = 5) -> list[str]:
    """Return the words on which a network is strongest, of those that stand often enough."""
    for least in (8, 4, 2, 1):
        found = atlas.top_tokens(network, n=4 * n, least=least)["text"].astype(str)
        words = [word for word in found if word.strip()]
        if words:
            return words[:n]
    return []


def event_average(
    atlas: NetworkAtlas, network: int, word: str, *, before: int = 8, after: int = 16
) -> EventAverage:
    """Average a network's strength around each place where a token stands.

    Raises
    ------
    SettingsError
        If the token stands nowhere in the recording.
    """
    usable = ~atlas.is_dummy
    places = np.flatnonzero((atlas.tokens["text"].astype(str) == word).to_numpy() & usable)
    if not len(places):
        raise SettingsError(f"The token {word!r} stands nowhere in this recording.")
    course = atlas.time_courses[network].astype(np.float64)
    course = (course - course[usable].mean()) / max(course[usable].std(), 1e-12)
    session = atlas.tokens["session"].to_numpy()
    lags = np.arange(-before, after + 1)
    at = places[:, None] + lags[None, :]
    inside = (at >= 0) & (at < len(course))
    at = np.clip(at, 0, len(course) - 1)
    inside &= (session[at] == session[places][:, None]) & usable[at]
    values = np.where(inside, course[at], 0.0).sum(axis=0) / np.maximum(inside.sum(axis=0), 1)
    sign = np.sign(values[np.argmax(np.abs(values))]) or 1.0
    return EventAverage(word=word, lags=lags, mean=sign * values, n_events=len(places))


def share_between_sessions(atlas: NetworkAtlas) -> NDArray[np.float64]:
    """Return the share of each time course's variance that lies between sessions: (K,)."""
    usable = ~atlas.is_dummy
    session = atlas.tokens["session"].to_numpy()[usable]
    _, code = np.unique(session, return_inverse=True)
    counts = np.bincount(code)
    courses = atlas.time_courses[:, usable].astype(np.float64)
    courses -= courses.mean(axis=1, keepdims=True)
    means = np.stack([np.bincount(code, weights=row) for row in courses]) / counts
    whole = np.square(courses).sum(axis=1)
    return np.asarray((np.square(means) * counts).sum(axis=1) / np.where(whole > 0, whole, 1.0))


# Place -----------------------------------------------------------------------------------------


def likeness_along(
    values: NDArray[np.floating], distances: Sequence[int], *, axis: int
) -> NDArray[np.float64]:
    """Return the correlation of values with those some steps further on, by distance.

    Parameters
    ----------
    values : ndarray
        Of places in a box, or of the units of layers by number; NaN where there is nothing.
    """
    along = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    found = []
    for distance in distances:
        near, far = along[:-distance].ravel(), along[distance:].ravel()
        good = np.isfinite(near) & np.isfinite(far)
        is_flat = good.sum() < 3 or near[good].std() == 0 or far[good].std() == 0
        found.append(np.nan if is_flat else np.corrcoef(near[good], far[good])[0, 1])
    return np.asarray(found)


def peak_left(
    values: NDArray[np.floating], widths: Sequence[float], *, axes: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return how much of a map's peaks is left after smoothing, by width: shares of 1.

    The peak is the 99.9th percentile; a place's weight falls with its distance as a Gaussian of
    the given full width at half maximum, in steps. NaN counts as nothing.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0).astype(np.float64)
    before = np.quantile(filled[known], 0.999)
    left = []
    for width in widths:
        sd = width / (2 * np.sqrt(2 * np.log(2)))
        smooth = gaussian_filter(filled, sd, axes=axes, mode="constant")
        weight = gaussian_filter(known.astype(np.float64), sd, axes=axes, mode="constant")
        left.append(np.quantile(smooth[known] / np.maximum(weight[known], 1e-9), 0.999))
    return np.asarray(np.array(left) / max(before, 1e-12))


def networks_per_unit(atlas: NetworkAtlas, *, z: float = 3.0) -> NDArray[np.int64]:
    """Return how many units belong to no network, to one, to two, …: |z| above a threshold."""
    alive = atlas.decomposition.alive
    return np.bincount(atlas.membership(z=z)[:, alive].sum(axis=0), minlength=3).astype(np.int64)


# Tests -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DomainContrast:
    """A comparison of two conditions in every network, tested in two ways.

    Parameters
    ----------
    difference : ndarray (K,)
        Mean strength in the first condition minus that in the second, in standard deviations of
        the time course.
    p_documents : ndarray (K,)
        Welch's t-test over documents: one value each.
    p_tokens : ndarray (K,)
        The same test as if every token were an observation of its own: wrong, for the tokens of
        a document are alike.
    """

    difference: NDArray[np.float64]
    p_documents: NDArray[np.float64]
    p_tokens: NDArray[np.float64]
    n_documents: tuple[int, int]
    n_tokens: tuple[int, int]

    def n_significant(self, *, by: str, is_corrected: bool = False) -> int:
        """Return how many networks have p below 0.05, by ``"documents"`` or ``"tokens"``."""
        p = self.p_tokens if by == "tokens" else self.p_documents
        return int(((benjamini_hochberg(p) if is_corrected else p) < ALPHA).sum())


def contrast(
    atlas: NetworkAtlas, first: str, second: str, *, shuffle_seed: int | None = None
) -> DomainContrast:
    """Compare every network between two domains.

    Parameters
    ----------
    shuffle_seed : int, optional
        Given, all documents of the two domains are dealt to two conditions at random: whatever
        is found then is a false alarm.

    Raises
    ------
    SettingsError
        If a domain is not there, or has fewer than two documents.
    """
    for name in (first, second):
        if name not in atlas.domain_names:
            raise SettingsError(
                f"There is no domain {name!r} in this recording.",
                hint=f"It has: {', '.join(atlas.domain_names)}.",
            )
    domain = atlas.tokens["domain"].astype(str).to_numpy()
    chosen = ~atlas.is_dummy & ((domain == first) | (domain == second))
    _, place, code = np.unique(
        document_codes(atlas.tokens)[chosen], return_index=True, return_inverse=True
    )
    is_first = (domain[chosen] == first)[place]
    if min(is_first.sum(), (~is_first).sum()) < 2:
        raise SettingsError(
            f"{first} and {second} need at least two documents each.",
            hint="Choose other domains, or record more documents.",
        )
    if shuffle_seed is not None:
        is_first = np.random.default_rng(shuffle_seed).permutation(is_first)
    courses = atlas.time_courses[:, chosen].astype(np.float64)
    courses /= np.maximum(courses.std(axis=1, keepdims=True), 1e-12)
    counts = np.bincount(code)
    means = np.stack([np.bincount(code, weights=row) for row in courses]) / counts
    of_token = is_first[code]
    by_documents = stats.ttest_ind(means[:, is_first], means[:, ~is_first], axis=1, equal_var=False)
    by_tokens = stats.ttest_ind(
        courses[:, of_token], courses[:, ~of_token], axis=1, equal_var=False
    )
    difference = means[:, is_first].mean(axis=1) - means[:, ~is_first].mean(axis=1)
    return DomainContrast(
        difference=difference,
        p_documents=np.nan_to_num(np.asarray(by_documents.pvalue), nan=1.0),
        p_tokens=np.nan_to_num(np.asarray(by_tokens.pvalue), nan=1.0),
        n_documents=(int(is_first.sum()), int((~is_first).sum())),
        n_tokens=(int(of_token.sum()), int((~of_token).sum())),
    )


def false_alarms(
    atlas: NetworkAtlas, first: str, second: str, *, n_shuffles: int = 40, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many networks come out at p < 0.05 in each of some shuffles: documents, tokens."""
    found = [contrast(atlas, first, second, shuffle_seed=seed + i) for i in range(n_shuffles)]
    return (
        np.array([each.n_significant(by="documents") for each in found]),
        np.array([each.n_significant(by="tokens") for each in found]),
    )
