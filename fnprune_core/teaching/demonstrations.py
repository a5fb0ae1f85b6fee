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

from fnprune_core.atlas.decoding import benjamini_hochberg, n_arrangements
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
        peak_index = int(np.argmax(self.mean))
        return float(
            max(self.mean[min(peak_index + 1, len(self.mean) - 1)], 0.0) / self.mean[peak_index]
        )


def favourite_words(atlas: NetworkAtlas, network: int, *, n: int = 5) -> list[str]:
    """Return the words on which a network is strongest, of those that stand often enough."""
    for least in (8, 4, 2, 1):
        texts = atlas.top_tokens(network, n=4 * n, least=least)["text"].astype(str)
        words = [word for word in texts if word.strip()]
        if words:
            return words[:n]
    return []


def event_average(
    atlas: NetworkAtlas, network: int, word: str, *, before: int = 8, after: int = 16
) -> EventAverage:
    """Return a network's mean strength around the places where a token stands.

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
    positions = places[:, None] + lags[None, :]
    is_inside = (positions >= 0) & (positions < len(course))
    positions = np.clip(positions, 0, len(course) - 1)
    is_inside &= (session[positions] == session[places][:, None]) & usable[positions]
    values = np.where(is_inside, course[positions], 0.0).sum(axis=0) / np.maximum(
        is_inside.sum(axis=0), 1
    )
    sign = np.sign(values[np.argmax(np.abs(values))]) or 1.0
    return EventAverage(word=word, lags=lags, mean=sign * values, n_events=len(places))


def share_between_sessions(atlas: NetworkAtlas) -> NDArray[np.float64]:
    """Return the share of each time course's variance that lies between sessions: (K,)."""
    usable = ~atlas.is_dummy
    session = atlas.tokens["session"].to_numpy()[usable]
    _, session_code = np.unique(session, return_inverse=True)
    counts = np.bincount(session_code)
    courses = atlas.time_courses[:, usable].astype(np.float64)
    courses -= courses.mean(axis=1, keepdims=True)
    means = np.stack([np.bincount(session_code, weights=row) for row in courses]) / counts
    total = np.square(courses).sum(axis=1)
    return np.asarray((np.square(means) * counts).sum(axis=1) / np.where(total > 0, total, 1.0))


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
    values_along = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    correlations = []
    for distance in distances:
        near, far = values_along[:-distance].ravel(), values_along[distance:].ravel()
        is_known = np.isfinite(near) & np.isfinite(far)
        is_flat = is_known.sum() < 3 or near[is_known].std() == 0 or far[is_known].std() == 0
        correlations.append(np.nan if is_flat else np.corrcoef(near[is_known], far[is_known])[0, 1])
    return np.asarray(correlations)


def peak_left(
    values: NDArray[np.floating], widths: Sequence[float], *, axes: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the share of a map's peaks that is left after smoothing, by width.

    The peak is the 99.9th percentile; a place's weight falls with its distance as a Gaussian of
    the given full width at half maximum, in steps. NaN counts as nothing.
    """
    is_known = np.isfinite(values)
    filled = np.where(is_known, values, 0.0).astype(np.float64)
    peak_before = np.quantile(filled[is_known], 0.999)
    peaks_after = []
    for width in widths:
        sd = width / (2 * np.sqrt(2 * np.log(2)))
        smooth = gaussian_filter(filled, sd, axes=axes, mode="constant")
        weight = gaussian_filter(is_known.astype(np.float64), sd, axes=axes, mode="constant")
        peaks_after.append(
            np.quantile(smooth[is_known] / np.maximum(weight[is_known], 1e-9), 0.999)
        )
    return np.asarray(np.array(peaks_after) / max(peak_before, 1e-12))


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
        Welch's t-test over documents: one value each; not below one of all arrangements of
        the documents, which is the least that a few documents can tell.
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
    """Return a comparison of every network between two domains.

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
    is_used = ~atlas.is_dummy & ((domain == first) | (domain == second))
    _, first_token, document_code = np.unique(
        document_codes(atlas.tokens)[is_used], return_index=True, return_inverse=True
    )
    is_first = (domain[is_used] == first)[first_token]
    if min(is_first.sum(), (~is_first).sum()) < 2:
        raise SettingsError(
            f"{first} and {second} need at least two documents each.",
            hint="Choose other domains, or record more documents.",
        )
    if shuffle_seed is not None:
        is_first = np.random.default_rng(shuffle_seed).permutation(is_first)
    courses = atlas.time_courses[:, is_used].astype(np.float64)
    courses /= np.maximum(courses.std(axis=1, keepdims=True), 1e-12)
    counts = np.bincount(document_code)
    means = np.stack([np.bincount(document_code, weights=row) for row in courses]) / counts
    is_first_by_token = is_first[document_code]
    document_test = stats.ttest_ind(
        means[:, is_first], means[:, ~is_first], axis=1, equal_var=False
    )
    token_test = stats.ttest_ind(
        courses[:, is_first_by_token], courses[:, ~is_first_by_token], axis=1, equal_var=False
    )
    difference = means[:, is_first].mean(axis=1) - means[:, ~is_first].mean(axis=1)
    return DomainContrast(
        difference=difference,
        p_documents=np.maximum(
            np.nan_to_num(np.asarray(document_test.pvalue), nan=1.0), 1 / n_arrangements(is_first)
        ),
        p_tokens=np.nan_to_num(np.asarray(token_test.pvalue), nan=1.0),
        n_documents=(int(is_first.sum()), int((~is_first).sum())),
        n_tokens=(int(is_first_by_token.sum()), int((~is_first_by_token).sum())),
    )


def false_alarms(
    atlas: NetworkAtlas, first: str, second: str, *, n_shuffles: int = 40, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many networks come out at p < 0.05 in each of some shuffles: documents, tokens."""
    comparisons = [contrast(atlas, first, second, shuffle_seed=seed + i) for i in range(n_shuffles)]
    return (
        np.array([comparison.n_significant(by="documents") for comparison in comparisons]),
        np.array([comparison.n_significant(by="tokens") for comparison in comparisons]),
    )
