"""Simulations with a known truth: whether intervals cover, and how much is found in nothing.

Run: ``python benchmarks/calibration.py [--only NAME] [--short] [--table]``. Each row is a figure
with its Monte-Carlo error, what is promised of it, and whether that is kept; the exit status is 1
where a promise is missed. ``--short`` takes a few repeats, for tests. Rows without a promise are
there to compare: what the rule was before, or what a rule does where nothing is promised.

perplexity    95 % intervals over documents of equal and unequal length, and by earlier rules
lesions       studies of nothing with few random lesions: any q ≤ 0.05
thresholds    share of marked units that take no part, by rule, noise and how many are active
members       what three rules mark: factors, clusters, heavy tails
domains       p ≤ 0.05 where the length of documents is tied to their domain
localizers    p ≤ 0.05 and any q ≤ 0.05 over networks of nothing
connectome    95 % intervals of a correlation over documents
stability     Iq of noise: no evidence by itself
names         names after a domain that hold on other documents, of networks of nothing
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from fnprune_core.atlas import connectome, decoding, thresholds
from fnprune_core.atlas.chance.calibration import calibrate
from fnprune_core.atlas.chance.directions import KINDS, directions
from fnprune_core.atlas.chance.names import domain_names
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.evaluation.results import Perplexity, Protocol, paired_difference
from fnprune_core.lesions.statistics import tested
from fnprune_core.localizers.glm import second_level
from fnprune_core.localizers.ready_made import load
from fnprune_core.models.layout import UnitLayout
from fnprune_core.reliability.members import members as measured_members
from fnprune_core.reliability.reference import TrustSettings, open_study
from fnprune_core.reliability.results import stability_clusters
from fnprune_core.storage.manifests import package_versions

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of a simulation.

    Parameters
    ----------
    value, error : float
        The figure, and its standard error over repeats.
    least, most : float or None
        What is promised of it; None where nothing is. Kept if it lies within them, or no farther
        out than three Monte-Carlo errors.
    """

    name: str
    value: float
    error: float
    n: int
    least: float | None = None
    most: float | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the promise is kept."""
        room = 3 * self.error
        return (self.least is None or self.value >= self.least - room) and (
            self.most is None or self.value <= self.most + room
        )


def share(name: str, hits: int, n: int, **promise: float | None) -> Row:
    """Return a share of `n` repeats with its binomial error."""
    value = hits / n
    # At 0 or 1 the error is not 0: as of one repeat more on the other side.
    spread = np.sqrt(max(value * (1 - value), 1 / n) / n)
    return Row(name=name, value=value, error=float(spread), n=n, **promise)


def mean(name: str, values: list[float], **promise: float | None) -> Row:
    """Return a mean over repeats with its standard error."""
    spread = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return Row(name=name, value=float(np.mean(values)), error=spread, n=len(values), **promise)


# Perplexity ------------------------------------------------------------------------------------
#: Windows of each document.
_LENGTHS: dict[str, Sequence[int]] = {
    "5 documents of 16 windows": [16] * 5,
    "10 documents of 8 windows": [8] * 10,
    "20 documents of 4 windows": [4] * 20,
    "3 documents of 20 windows": [20] * 3,
    "10 documents of 3 to 30 windows": range(3, 31, 3),
    "10 documents of 1 to 30 windows, few of them long": [1, 2, 2, 3, 5, 7, 10, 14, 21, 30],
    "30 documents of 1 to 30 windows": range(1, 31),
    "20 documents of 1 window and one of 10": [1] * 20 + [10],
    "9 documents of 8 windows and one of 40": [8] * 9 + [40],
    "5 documents of 1 to 30 windows": [1, 8, 15, 22, 30],
    "4 documents of 1 window and one of 20": [1, 1, 1, 1, 20],
}


def perplexity(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield how often intervals hold the truth: documents that differ, windows in each alike."""
    n_times = 600 if short else 2000
    for what, counts in _LENGTHS.items():
        document = np.repeat(np.arange(len(counts)), counts)
        held = np.zeros(4, dtype=int)
        for _ in range(n_times):
            own = rng.standard_normal(len(counts))[document]
            dense = 63 * (3.0 + 0.3 * own) + rng.normal(0, 20, len(document))
            change = 63 * (0.3 + 0.1 * own + 0.1 * rng.standard_normal(len(document)))
            first, second = _result(dense + change, document), _result(dense, document)
            paired = paired_difference(first, second)
            low, high = paired.interval()
            held[0] += low <= 0.3 <= high
            low, high = second.interval()
            held[1] += low <= np.exp(3.0) <= high
            held[2] += abs(paired.difference - 0.3) <= 1.96 * _block_error(change)
            held[3] += abs(paired.difference - 0.3) <= _reach_before(change, document)
        has_error = np.sum(counts) ** 2 / np.square(counts).sum() >= 5
        promise = {"least": 0.925, "most": 0.975} if has_error else {"most": 0.0}
        yield share(f"{what}: difference", int(held[0]), n_times, **promise)
        yield share(f"{what}: perplexity", int(held[1]), n_times, **promise)
        if len(set(counts)) > 1:
            yield share(f"{what}: difference, t of n − 1 as before", int(held[3]), n_times)
        else:
            yield share(f"{what}: difference, blocks as in 0.2", int(held[2]), n_times)


def _result(nll: Floats, document: NDArray[np.int64]) -> Perplexity:
    return Perplexity(
        window_nll=nll,
        window_tokens=np.full(len(nll), 63),
        groups=document,
        protocol=Protocol(
            text_sha256="", n_tokens=63 * len(nll), n_windows=len(nll), window=64,
            adds_bos=False, dtype="float32", device="cpu",
        ),
    )  # fmt: skip


def _reach_before(change: Floats, document: NDArray[np.int64]) -> float:
    """Return how far intervals reached by t of one less than the documents, however unequal."""
    sums, counts = np.bincount(document, weights=change), np.bincount(document) * 63.0
    residual, n = sums - change.sum() / counts.sum() * counts, len(counts)
    error = np.sqrt(n / (n - 1) * np.square(residual).sum()) / counts.sum()
    return float(stats.t.ppf(0.975, n - 1) * error)


def _block_error(change: Floats) -> float:
    """Return the standard error over 20 blocks of neighbouring windows, as of version 0.2."""
    blocks = np.arange(len(change)) * 20 // len(change)
    sums, counts = np.bincount(blocks, weights=change), np.bincount(blocks) * 63.0
    residual = sums - change.sum() / counts.sum() * counts
    return float(np.sqrt(20 / 19 * np.square(residual).sum()) / counts.sum())


# Lesions ---------------------------------------------------------------------------------------
def lesions(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield how often studies of nothing show a finding: lesions are draws like their random ones.

    Larger lesions scatter more; columns have half of their scatter in common; the error of the
    text is negligible, so that it hides nothing.
    """
    n_times = 200 if short else 1000
    for n_lesions, n_random in ((1, 4), (3, 2), (5, 2), (5, 4), (64, 2)):
        n = n_times if n_lesions < 64 else n_times // 5
        found, found_before = 0, 0
        for _ in range(n):
            now, before = _lesion_study(rng, n_lesions, n_random)
            found += now
            found_before += before
        what = f"{n_lesions} × {n_random}: some q ≤ 0.05"
        yield share(what, found, n, most=0.1)
        yield share(f"{what}, freedom over columns as before", found_before, n)


def _lesion_study(rng: np.random.Generator, n_lesions: int, n_random: int) -> tuple[bool, bool]:
    n_columns = 4
    size = rng.uniform(0.5, 3.0, n_lesions)
    common = rng.standard_normal((n_lesions, 1 + n_random, 1))
    own = rng.standard_normal((n_lesions, 1 + n_random, n_columns))
    change = (0.3 + 0.05 * np.sqrt(0.5) * (common + own)) * size[:, None, None]
    excess = (change[:, 0] - change[:, 1:].mean(axis=1)).ravel()
    column = np.tile(np.arange(n_columns), n_lesions)
    trend = np.column_stack(
        [np.repeat(np.log(size), n_columns), *(column == j for j in range(1, n_columns))]
    )
    results = [
        tested(
            excess,
            np.moveaxis(change[:, 1:], 1, 0).reshape(n_random, -1),
            np.full(len(excess), 1e-3),
            text_freedom=np.full(len(excess), 7.0),
            trend=trend,
            n_lesions=number,
        )
        for number in (n_lesions, 10**6)  # with so many, freedom has no limit of its own
    ]
    now, before = (bool((each.q <= 0.05).any()) for each in results)
    return now, before


# Thresholds ------------------------------------------------------------------------------------
_NOISES: dict[str, Callable[[np.random.Generator, Any], Floats]] = {
    "Gaussian": lambda rng, shape: rng.standard_normal(shape),
    "t(6)": lambda rng, shape: rng.standard_t(6, shape) / np.sqrt(1.5),
    "Laplace": lambda rng, shape: rng.laplace(size=shape) / np.sqrt(2),
    "unequal": lambda rng, shape: rng.standard_normal(shape) * rng.lognormal(0, 0.3, shape[-1]),
}


def map_rules(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield the share of null units among those marked, of rules that look at a map alone."""
    n_times, n_units = (3 if short else 10), 20_000
    for noise, draw in _NOISES.items():
        for n_active in (600, 0):
            false, n_marked = [], []
            for _ in range(n_times):
                z = draw(rng, (n_units,))
                z[:n_active] += rng.choice([-1, 1], n_active) * (3.5 + rng.gamma(4, 0.6, n_active))
                level = thresholds.gaussian_threshold(thresholds.fit_mixture(z), z)
                is_marked = np.abs(z) > level
                n_marked.append(float(is_marked.sum()))
                false.append(float(is_marked[n_active:].sum() / max(is_marked.sum(), 1)))
            what = f"Gaussian part below 5 %, {noise} null, {n_active / n_units:.0%} active"
            if n_active:
                promise = {"most": 0.06} if noise == "Gaussian" else {}
                yield mean(f"{what}: null among marked", false, **promise)
            else:
                yield mean(f"{what}: units marked", n_marked)


class Signals:
    """Sessions of slow units, of which 5 % a network are active together; or none."""

    def __init__(self, rng: np.random.Generator, noise: str, n_networks: int) -> None:
        n_units, self.n_sessions, length = 1500, 8, 180
        n_tokens = self.n_sessions * length
        x = _NOISES[noise](rng, (n_tokens, n_units)).astype(np.float32)
        for t in range(1, n_tokens):
            x[t] = 0.4 * x[t - 1] + 0.92 * x[t]
        self.truth = rng.random((n_networks, n_units)) < 0.05
        loadings = (
            self.truth
            * rng.choice([-1, 1], self.truth.shape)
            * rng.uniform(0.3, 1.2, self.truth.shape)
        )
        courses = rng.laplace(size=(n_tokens, n_networks)) / np.sqrt(2)
        self.signals = (x + courses @ loadings).astype(np.float32)
        self._length = length
        self.id, self.fingerprint, self.layout = "", "", UnitLayout((500, 1000))
        self.n_tokens, self.is_dummy = n_tokens, np.zeros(n_tokens, dtype=bool)
        self.alive = np.ones(n_units, dtype=bool)
        self.mean, self.std = self.signals.mean(axis=0), self.signals.std(axis=0)
        session = np.repeat(np.arange(self.n_sessions), length)
        self.tokens = _tokens([f"d{i}" for i in session], ["a"] * n_tokens)

    def session_slice(self, session: int) -> slice:
        """Return the tokens of a session."""
        return slice(session * self._length, (session + 1) * self._length)

    def session(self, session: int) -> NDArray[np.float32]:
        """Return the signals of a session."""
        return self.signals[self.session_slice(session)]

    def session_moments(self, session: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and standard deviation of a session."""
        part = self.session(session)
        return part.mean(axis=0), part.std(axis=0)


def calibrated_threshold(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield what the calibrated threshold marks, through the whole of ICA."""
    n_times, k = (3 if short else 10), 4
    for noise in _NOISES:
        false, power, nothing, beyond_3 = [], [], [], []
        for _ in range(n_times):
            for n_networks in (k, 0):
                signals = Signals(rng, noise, n_networks)
                ica = GroupICA(n_components=k, n_runs=1, normalize="recording")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of noise a run may not converge
                    atlas = NetworkAtlas(ica.fit(signals).result_, signals.tokens)
                found = calibrate(signals, atlas)
                for network in range(k):
                    z = np.abs(atlas.maps[network])
                    is_marked = z > np.nan_to_num(found.threshold[network], nan=np.inf)
                    if n_networks:
                        truth = signals.truth[int((signals.truth @ z).argmax())]
                        false.append(float((~truth[is_marked]).mean()) if is_marked.any() else 0.0)
                        power.append(float(is_marked[truth].mean()))
                    else:
                        nothing.append(float(1000 * is_marked.mean()))
                        beyond_3.append(float(1000 * (z > 3).mean()))
        yield mean(f"calibrated, {noise}: null among marked", false, most=0.06)
        yield mean(f"calibrated, {noise}: active units marked", power, least=0.8)
        yield mean(f"calibrated, {noise}, nothing active: marked of 1,000", nothing, most=5.0)
        yield mean(f"|z| > 3, {noise}, nothing active: marked of 1,000", beyond_3)


_CASES = ("networks", "one factor in all units", "clusters", "t(3) sources, too few components")


def _case(rng: np.random.Generator, case: str) -> tuple[Signals, NDArray[np.bool_]]:
    """Return signals of a case, and which units belong to each planted network: (n, units)."""
    signals = Signals(rng, "Gaussian", 4 if case in _CASES[:2] else 0)
    x, truth = signals.signals, signals.truth
    n_tokens, n_units = x.shape
    if case == _CASES[1]:  # all units follow it a little: it is no network of some of them
        factor = rng.standard_normal((n_tokens, 1))
        x = x + factor * rng.uniform(0.2, 0.6, n_units)
    elif case == _CASES[2]:  # 150 groups of ten units that go together, and no network
        x = x + np.repeat(rng.standard_normal((n_tokens, n_units // 10)), 10, axis=1)
    elif case == _CASES[3]:  # eight of them, of which four are looked for
        truth = rng.random((8, n_units)) < 0.05
        x = x + rng.standard_t(3, (n_tokens, 8)) @ (truth * rng.uniform(0.3, 1.2, truth.shape))
    signals.signals, signals.truth = x.astype(np.float32), truth
    signals.mean, signals.std = signals.signals.mean(axis=0), signals.signals.std(axis=0)
    return signals, truth


def members(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield what members, the calibrated threshold and |z| > 3 mark, through the whole of ICA.

    False are marked units outside of the planted network that the map is most like; where nothing
    is planted, all. Only members promise anything: factors and clusters are no networks.
    """
    n_times, k = (1 if short else 10), 4
    rules = ("members", "calibrated", "|z| > 3")
    for case in _CASES:
        n_marked: dict[str, list[float]] = {rule: [] for rule in rules}
        false: dict[str, list[float]] = {rule: [] for rule in rules}
        for _ in range(n_times):
            signals, truth = _case(rng, case)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ica = GroupICA(n_components=k, n_runs=1, normalize="recording")
                atlas = NetworkAtlas(ica.fit(signals).result_, signals.tokens)
                study = open_study(
                    signals, signals.tokens, atlas.decomposition, settings=TrustSettings()
                )
                (found,) = measured_members(study)
            z = np.abs(atlas.maps)
            threshold = np.nan_to_num(calibrate(signals, atlas).threshold, nan=np.inf)
            marks = (found.units, z > threshold[:, None], z > 3)
            for rule, marked in zip(rules, marks, strict=True):
                n_marked[rule].append(float(1000 * marked.mean()))
                for network, is_marked in enumerate(marked):
                    if len(truth) and is_marked.any():
                        planted = truth[int((truth @ z[network]).argmax())]
                        false[rule].append(float((~planted[is_marked]).mean()))
        for rule in rules:
            is_ours = rule == "members"
            most = 1.0 if is_ours and case == "clusters" else None
            yield mean(f"{rule}, {case}: marked of 1,000 in a map", n_marked[rule], most=most)
            if len(false[rule]) > 1:
                most = 0.06 if is_ours else None
                yield mean(f"{rule}, {case}: false among marked", false[rule], most=most)


# Domains, connectome ---------------------------------------------------------------------------
def _tokens(documents: list[str], domains: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "session": pd.factorize(np.array(documents))[0],
            "document": pd.Categorical(documents),
            "domain": pd.Categorical(domains),
            "is_dummy": np.zeros(len(documents), dtype=bool),
        }
    )


def _atlas(courses: Floats, document: NDArray[np.int64], n_domains: int) -> NetworkAtlas:
    tokens = _tokens([f"d{d}" for d in document], [f"domain {d % n_domains}" for d in document])
    values = courses.astype(np.float32)
    return NetworkAtlas(SimpleNamespace(time_courses=values, n_networks=len(values)), tokens)


def _slow(rng: np.random.Generator, shape: tuple[int, ...], rho: float = 0.7) -> Floats:
    noise = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        noise[..., t] = rho * noise[..., t - 1] + np.sqrt(1 - rho**2) * noise[..., t]
    return noise


def domains(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield p ≤ 0.05 of networks that follow no domain, where length is tied to domain."""
    n_times, k, n_documents = (5 if short else 40), 50, 16
    for lengths in ((240, 240), (20, 480)):
        shares, shares_before = [], []
        for _ in range(n_times):
            document = np.arange(n_documents).repeat(np.tile(lengths, n_documents // 2))
            own = np.exp(0.1 * rng.standard_normal((k, n_documents)))[:, document]
            atlas = _atlas(own * _slow(rng, (k, len(document))), document, 2)
            found = decoding.domain_test(atlas, n_permutations=199)
            shares.append(float((found.p_value <= 0.05).mean()))
            counts = np.bincount(document)
            squares = np.square(atlas.time_courses.astype(np.float64))
            energy = np.log(
                np.stack([np.bincount(document, weights=row) for row in squares]) / counts
            )
            shares_before.append(_permuted_share(rng, energy))
        what = f"documents of {lengths[0]} and {lengths[1]} tokens: p ≤ 0.05"
        yield mean(what, shares, most=0.05)
        yield mean(f"{what}, whole documents as before", shares_before)


def _permuted_share(rng: np.random.Generator, energy: Floats) -> float:
    labels = np.arange(energy.shape[1]) % 2
    observed, n = decoding.explained_by(labels, energy), np.ones(len(energy))
    for _ in range(199):
        n += decoding.explained_by(rng.permutation(labels), energy) >= observed - 1e-12
    return float((n / 200 <= 0.05).mean())


def random_directions(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield how domains differ in planted networks, and in random directions beside them.

    24 documents of two domains; in the first case four networks are three times as strong in one
    of these, in the second case in none.
    """
    n_times, k = (2 if short else 20), 4
    for times, case in ((3.0, "networks follow a domain"), (1.0, "nothing follows a domain")):
        passed: dict[str, list[float]] = {name: [] for name in ("networks", *KINDS)}
        explained: dict[str, list[float]] = {name: [] for name in passed}
        for _ in range(n_times):
            signals = Signals(rng, "Gaussian", 0)
            document = np.arange(signals.n_tokens) // 60
            courses = rng.laplace(size=(signals.n_tokens, k)) / np.sqrt(2)
            courses[document % 2 == 1] *= times
            truth = rng.random((k, signals.layout.n_units)) < 0.05
            loadings = truth * rng.uniform(0.3, 1.2, truth.shape)
            signals.signals = (signals.signals + courses @ loadings).astype(np.float32)
            signals.mean, signals.std = signals.signals.mean(axis=0), signals.signals.std(axis=0)
            names = [f"domain {number % 2}" for number in document]
            signals.tokens = _tokens([f"d{number}" for number in document], names)
            ica = GroupICA(n_components=k, n_runs=1, normalize="recording")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                atlas = NetworkAtlas(ica.fit(signals).result_, signals.tokens)
            found = directions(signals, atlas, seed=int(rng.integers(1 << 31)))
            for name in passed:
                test = decoding.domain_test(
                    atlas if name == "networks" else found.of(name), n_permutations=199
                )
                passed[name] += (test.p_value <= 0.05).astype(float).tolist()
                explained[name] += test.statistic.tolist()
        for name, values in passed.items():
            most = None if times > 1 else 0.07
            yield mean(f"{case}: {name}, p ≤ 0.05", values, most=most)
            yield mean(f"{case}: {name}, variance that domains explain", explained[name])


def connectome_intervals(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield how often the interval of a correlation that varies over documents holds the truth."""
    n_times, n_documents = (60 if short else 300), 24
    document = np.arange(n_documents).repeat(24)
    held = 0
    for _ in range(n_times):
        rho = rng.uniform(0.0, 0.6, n_documents)[document]
        first, noise = _slow(rng, (2, len(document)), 0.5)
        pair = np.stack([first, rho * first + np.sqrt(1 - rho**2) * noise])
        bounds = connectome.connectivity_interval(_atlas(pair, document, 1), n_resamples=200)
        held += bool(bounds.low[0, 1] <= 0.3 <= bounds.high[0, 1])
    yield share("24 documents: interval of a correlation", held, n_times, least=0.91, most=0.97)


def names(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield how many networks of nothing have a name after a domain that holds on other documents.

    Documents differ in energy by e^0.5, whatever their domain. In the last case their means follow
    it, as those of units that are shifted by themselves do.
    """
    n_times, k, length = (2 if short else 10), 60, 60
    for n_domains, per_domain, spread in (
        (2, 3, 0), (2, 8, 0), (3, 3, 0), (5, 3, 0), (5, 8, 0), (5, 8, 3)
    ):  # fmt: skip
        named, hold = 0, 0
        document = np.arange(n_domains * per_domain).repeat(length)
        for _ in range(n_times):
            own = np.exp(0.5 * rng.standard_normal((k, n_domains * per_domain)))[:, document]
            means = rng.normal(0, spread, (k, n_domains))[:, document % n_domains] if spread else 0
            courses = means + own * _slow(rng, (k, len(document)))
            atlas = _atlas(courses, document, n_domains)
            found = [name for name in domain_names(atlas) if name is not None]
            named += len(found)
            hold += sum(name.holds for name in found)
        what = f"{n_domains} domains of {per_domain} documents"
        what += ", whose means differ" * bool(spread)
        yield share(f"{what}: named after one", named, n_times * k)
        yield share(f"{what}: the name holds", hold, n_times * k, most=0.05)


# Localizers, stability -------------------------------------------------------------------------
def localizers(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield findings of a ready localizer among networks that follow no condition."""
    n_times, k = (60 if short else 400), 64
    localizer = load("arithmetic")
    blocks = localizer.blocks()
    shares, found = [], 0
    for _ in range(n_times):
        contrast = second_level(localizer, blocks, rng.standard_normal((len(blocks), k)))
        shares.append(float((contrast.p <= 0.05).mean()))
        found += bool((contrast.q <= 0.05).any())
    yield mean("localizer of 64 networks: p ≤ 0.05", shares, least=0.03, most=0.055)
    yield share("localizer of 64 networks: some q ≤ 0.05", found, n_times, most=0.06)


def stability(rng: np.random.Generator, *, short: bool) -> Iterator[Row]:
    """Yield Iq over random starts, of heavy-tailed noise without any network."""
    n_runs, k = (4 if short else 10), 6
    signals = Signals(rng, "t(6)", 0)
    runs = []
    for seed in range(n_runs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ica = GroupICA(n_components=k, n_runs=1, normalize="recording", seed=seed)
            runs.append(ica.fit(signals).result_.spatial_maps)
    maps = np.concatenate(runs)
    similarity = np.abs(np.corrcoef(maps))
    clusters = stability_clusters(similarity, np.repeat(np.arange(n_runs), k), similarity[:k])
    yield mean("Iq of noise", clusters.iq.tolist())


SIMULATIONS: dict[str, tuple[Callable[..., Iterator[Row]], ...]] = {
    "perplexity": (perplexity,),
    "lesions": (lesions,),
    "thresholds": (map_rules, calibrated_threshold),
    "domains": (domains,),
    "localizers": (localizers,),
    "connectome": (connectome_intervals,),
    "stability": (stability,),
    "members": (members,),
    "names": (names,),
    "directions": (random_directions,),
}


def run(name: str, *, seed: int, short: bool) -> list[Row]:
    """Return the rows of one simulation; each draws from its own stream."""
    number = list(SIMULATIONS).index(name)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    return [row for simulate in SIMULATIONS[name] for row in simulate(rng, short=short)]


def markdown(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the rows as tables in Markdown, one a simulation."""
    parts = []
    for name, found in rows.items():
        lines = [
            f"### {name.capitalize()}",
            "",
            "| figure | measured | promised |",
            "|---|---|---|",
        ]
        for row in found:
            least, most = row["least"], row["most"]
            if least is not None and most is not None:
                promise = f"{least:g} to {most:g}"
            else:
                bounds = (("at least", least), ("at most", most))
                promise = next((f"{word} {x:g}" for word, x in bounds if x is not None), "–")
            digits = 3 if row["value"] < 10 else 0
            value = f"{row['value']:.{digits}f} ± {row['error']:.{digits}f}"
            lines.append(f"| {row['name']} | {value} | {promise} |".replace("|z|", r"\|z\|"))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def main() -> int:
    """Print the rows, as JSON or a table; return 1 where a promise is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=list(SIMULATIONS), action="append")
    parser.add_argument("--short", action="store_true", help="few repeats")
    parser.add_argument("--table", action="store_true", help="print a table in Markdown")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows: dict[str, list[dict[str, Any]]] = {}
    seconds, missed = {}, []
    for name in options.only or SIMULATIONS:
        start = time.process_time()
        found = run(name, seed=options.seed, short=options.short)
        seconds[name] = round(time.process_time() - start, 1)
        rows[name] = [{**asdict(row), "kept": row.is_kept} for row in found]
        missed += [row.name for row in found if not row.is_kept]
    if options.table:
        print(markdown(rows))
        return 1 if missed else 0
    facts = {"seed": options.seed, "short": options.short, "versions": package_versions()}
    print(json.dumps({**facts, "rows": rows, "missed": missed, "cpu_seconds": seconds}, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
