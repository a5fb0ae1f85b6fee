"""Spectra of time courses: how fast a network's strength varies from token to token."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.recording.sessions import document_codes

SEGMENT = 128
LEAST_SEGMENT = 16
SLOW_BELOW = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """Power of a time course over frequency.

    Parameters
    ----------
    frequency : ndarray (n_frequencies,)
        Cycles per token, above 0 and up to 1/2; its inverse is a period in tokens.
    power : ndarray (n_frequencies,)
        Density, strength² per cycle per token: mean over documents.
    standard_error : ndarray (n_frequencies,)
        Of that mean, over documents; NaN with one document.
    n_documents, segment : int
        Documents that gave a stretch of `segment` tokens, and the length of a stretch.
    """

    frequency: NDArray[np.float64]
    power: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    n_documents: int
    segment: int

    def __post_init__(self) -> None:
        for values in (self.frequency, self.power, self.standard_error):
            values.setflags(write=False)

    @property
    def half_power_frequency(self) -> float:
        """The frequency above which half of the power lies, in cycles per token."""
        cumulative = np.cumsum(self.power)
        if cumulative[-1] <= 0:
            return float("nan")
        return float(np.interp(cumulative[-1] / 2, cumulative, self.frequency))

    def slow_share(self, *, below: float = SLOW_BELOW) -> float:
        """Return the share of amplitude below a frequency, in the manner of fALFF (Zou 2008)."""
        amplitude = np.sqrt(self.power)
        total = float(amplitude.sum())
        return float(amplitude[self.frequency < below].sum()) / total if total > 0 else float("nan")


def spectrum(atlas: NetworkAtlas, network: int, *, segment: int = SEGMENT) -> Spectrum:
    """Return the spectrum of a network's time course by Welch's method, document by document.

    A document's stretches are its usable tokens in each session; segments overlap by half, each
    freed of its mean. Where no stretch is as long as `segment`, the segment is halved until one
    is. Documents count alike, whatever their length; parts of one text are one document.

    Raises
    ------
    SettingsError
        If no stretch has 16 tokens.
    """
    stretches = _stretches(atlas)
    longest = max((last - first for _, first, last in stretches), default=0)
    while segment > longest and segment > LEAST_SEGMENT:
        segment //= 2
    if longest < segment:
        raise SettingsError(
            f"A spectrum needs a stretch of {LEAST_SEGMENT} usable tokens of one document, the "
            f"longest has {longest}.",
            hint="Record longer texts, or a longer window.",
        )
    course = atlas.time_courses[atlas.check_network(network)].astype(np.float64)
    frequency = np.fft.rfftfreq(segment).astype(np.float64)
    sums: dict[int, NDArray[np.float64]] = {}
    counts: dict[int, int] = {}
    for document, first, last in stretches:
        if last - first < segment:
            continue
        _, density = welch(course[first:last], nperseg=segment)
        n_tokens = last - first
        sums[document] = sums.get(document, np.zeros(len(frequency))) + density * n_tokens
        counts[document] = counts.get(document, 0) + n_tokens
    # The mean of each segment is taken out, so frequency 0 says nothing.
    per_document = np.stack([sums[d] / counts[d] for d in sums])[:, 1:]
    n = len(per_document)
    standard_error = (
        per_document.std(axis=0, ddof=1) / np.sqrt(n)
        if n > 1
        else np.full(per_document.shape[1], np.nan)
    )
    return Spectrum(
        frequency=frequency[1:],
        power=per_document.mean(axis=0),
        standard_error=standard_error,
        n_documents=n,
        segment=segment,
    )


def _stretches(atlas: NetworkAtlas) -> list[tuple[int, int, int]]:
    """Return (document, first, last + 1) of each run of usable tokens in one session."""
    document = document_codes(atlas.tokens)
    session = atlas.tokens["session"].to_numpy()
    usable = ~atlas.is_dummy
    is_start = np.ones(len(usable), dtype=bool)
    is_start[1:] = (
        (document[1:] != document[:-1])
        | (session[1:] != session[:-1])
        | (usable[1:] != usable[:-1])
    )
    starts = np.flatnonzero(is_start)
    ends = np.append(starts[1:], len(usable))
    return [
        (int(document[a]), int(a), int(b)) for a, b in zip(starts, ends, strict=True) if usable[a]
    ]
