"""Thresholds of maps, calibrated on shifted units and on halves of the documents.

A map's z says how far a unit stands out from the other units of the map, not how far from
chance: heavy tails of single units reach |z| > 3 where no two units are active together. Here
chance is measured. Every unit is shifted in time by itself and its loadings on the networks' own
time courses are taken anew, which tells how many units a threshold marks of units that have
nothing to do with the network; and units must load with the same sign in both halves of the
documents.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import open_recording
from fnprune_core.recording.sessions import Sessions, document_codes, normalised
from fnprune_core.storage.folders import storage_errors
from fnprune_core.storage.json_files import read_checked_json, write_checked_json
from fnprune_core.storage.workspace import Workspace

FOLDER = "thresholds"
RATE = 0.05
#: Units marked by chance: at most one in so many of a map, too.
ONE_IN = 10_000
LEAST_DOCUMENTS = 4
_KIND, _VERSION = "fnprune thresholds", 1
_N_DRAWS, _N_GROUPS = 2, 64
_STEP, _MOST_Z = 0.1, 12.0
_ARRAYS = ("threshold", "shifted", "halves", "agreement", "by_chance")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """Thresholds of an atlas's maps, and what lies beyond any threshold by chance.

    Parameters
    ----------
    threshold : ndarray (K,)
        The larger of the next two; NaN where no unit qualifies.
    shifted : ndarray (K,)
        The least |z| beyond which shifted units are expected to be at most 5 % of those marked,
        and one in 10,000 of the map; NaN where there is none.
    halves : ndarray (K,)
        The least |z| at which, by the units that change their sign between halves of the
        documents, at most 5 % of those marked are chance (Dai et al. 2023).
    agreement : ndarray (K,)
        r of the maps of both halves.
    by_chance : ndarray (K, 121)
        Shifted units that are expected beyond |z| = 0, 0.1, …, 12.
    """

    threshold: Floats
    shifted: Floats
    halves: Floats
    agreement: Floats
    by_chance: Floats

    def chance_at(self, network: int, z: float) -> float:
        """Return how many units of a network's map are expected beyond |z| by chance."""
        place = min(max(z, 0.0), _MOST_Z) / _STEP
        return float(np.interp(place, np.arange(self.by_chance.shape[1]), self.by_chance[network]))

    def n_safe(self, z: float) -> int:
        """Return for how many networks a threshold is at least the calibrated one."""
        return int((self.threshold <= z + 1e-9).sum())

    def to_json(self) -> dict[str, Any]:
        """Return the thresholds as JSON values."""
        return {name: _numbers(getattr(self, name)) for name in _ARRAYS}


def _numbers(values: Floats) -> list[Any]:
    """Return values as JSON numbers, None for NaN; lists of lists for a matrix."""
    if values.ndim > 1:
        return [_numbers(row) for row in values]
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def calibrate(
    sessions: Sessions,
    atlas: NetworkAtlas,
    *,
    n_draws: int = _N_DRAWS,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Calibration:
    """Return the calibrated threshold of each map: O(draws · tokens · units · K), one reading.

    Loadings are the least squares of units on the networks' time courses. A unit's own part in a
    time course is left out of them, else a unit with heavy tails would load on itself. Shifts are
    circular within a session; units of one of 64 groups are shifted by the same amount.

    Parameters
    ----------
    sessions : Sessions
        The recording that the atlas was made from.

    Raises
    ------
    SettingsError
        If there are too few documents for two halves.
    """
    half_of_token = _halves(atlas, seed)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    blocks = [_Block(atlas, layer, n_draws) for layer in _layers(atlas)]
    for session in range(sessions.n_sessions):
        cancel.raise_if_cancelled()
        span = sessions.session_slice(session)
        usable = np.flatnonzero(~sessions.is_dummy[span])
        signals = normalised(
            sessions,
            session,
            normalize=atlas.decomposition.settings["normalize"],
            device=torch.device("cpu"),
        )[torch.from_numpy(usable)]
        courses = torch.from_numpy(np.ascontiguousarray(atlas.time_courses[:, span][:, usable]))
        half = torch.from_numpy(half_of_token[span][usable])
        shifts = rng.integers(max(len(usable), 1), size=(_N_GROUPS, n_draws))
        for block in blocks:
            block.add(signals, courses, half, shifts)
        progress(
            ProgressEvent(
                stage="chance", done=session + 1, total=sessions.n_sessions, unit="sessions"
            )
        )
    fields = {
        name: np.full(atlas.n_networks, np.nan)
        for name in ("threshold", "shifted", "halves", "agreement")
    }
    by_chance = np.zeros((atlas.n_networks, round(_MOST_Z / _STEP) + 1))
    for block in blocks:
        for k, network in enumerate(block.networks):
            for name, value in block.result(k).items():
                fields[name][network] = value
            by_chance[network] = block.chance(k)
    return Calibration(**fields, by_chance=by_chance)


def _layers(atlas: NetworkAtlas) -> list[int]:
    return [int(layer) for layer in np.unique(atlas.decomposition.layer_of_network)]


def _halves(atlas: NetworkAtlas, seed: int) -> NDArray[np.int64]:
    """Return the half of each token, whole documents in one; alike in domains: (n_tokens,)."""
    document = document_codes(atlas.tokens)
    domain = atlas.tokens["domain"].cat.codes.to_numpy()
    if len(np.unique(document)) < LEAST_DOCUMENTS:
        raise SettingsError(
            f"{len(np.unique(document))} documents are too few for two halves; it takes "
            f"{LEAST_DOCUMENTS}.",
            hint="Record more documents.",
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    half, turn = np.zeros(int(document.max()) + 1, dtype=np.int64), 0
    for code in np.unique(domain):
        for number in rng.permutation(np.unique(document[domain == code])):
            half[number], turn = turn, 1 - turn
    return half[document]


class _Block:
    """Sums over tokens of the networks of one block: the model, or a layer by itself."""

    def __init__(self, atlas: NetworkAtlas, layer: int, n_draws: int) -> None:
        decomposition = atlas.decomposition
        is_in = decomposition.alive & ((layer < 0) | (atlas.layout.layer_of_unit == layer))
        self.units = torch.from_numpy(np.flatnonzero(is_in))
        self.networks = np.flatnonzero(decomposition.layer_of_network == layer)
        maps = atlas.maps[np.ix_(self.networks, np.flatnonzero(is_in))].astype(np.float64)
        design = np.vstack([np.ones(maps.shape[1]), maps])
        self._weights = np.linalg.solve(design @ design.T, design)[1:]
        k, n = maps.shape
        self._products, self._squares = (
            torch.zeros(2, k, n, dtype=torch.float32),
            torch.zeros(2, n, dtype=torch.float32),
        )
        self._gram = np.zeros((2, k, k))
        self._shifted = torch.zeros(n_draws, k, n, dtype=torch.float32)
        self._results: tuple[Floats, Floats, Floats] | None = None

    def add(
        self, signals: Tensor, courses: Tensor, half: Tensor, shifts: NDArray[np.int64]
    ) -> None:
        """Add a session: signals (tokens, units), courses (K, tokens), the half of each token."""
        x = signals if len(self.units) == signals.shape[1] else signals[:, self.units]
        c = courses[torch.from_numpy(self.networks)]
        for number in range(2):
            tokens = torch.nonzero(half == number)[:, 0]
            if not len(tokens):
                continue
            part, part_courses = (x, c) if len(tokens) == len(half) else (x[tokens], c[:, tokens])
            self._products[number] += part_courses @ part
            self._squares[number] += part.square().sum(dim=0)
            self._gram[number] += (part_courses.double() @ part_courses.double().T).numpy()
        n_draws, k = self._shifted.shape[:2]
        for group, group_shifts in enumerate(shifts):
            rolled = torch.cat([torch.roll(c, int(shift), dims=1) for shift in group_shifts])
            loadings = rolled @ x[:, group :: len(shifts)]
            self._shifted[:, :, group :: len(shifts)] += loadings.view(n_draws, k, -1)

    def _z(self) -> tuple[Floats, Floats, Floats]:
        """Return maps without own parts, of the halves (2, K, n), whole (K, n), and shifted."""
        if self._results is None:
            products, gram = self._products.double().numpy(), self._gram
            own = self._weights[None] * self._squares.double().numpy()[:, None]
            whole_gram = gram.sum(axis=0)
            loadings = np.linalg.solve(whole_gram, products.sum(axis=0))
            mean, sd = loadings.mean(axis=1)[:, None], loadings.std(axis=1)[:, None]
            without_own = products - own
            halves = np.stack(
                [
                    (np.linalg.lstsq(each, rest, rcond=None)[0] - mean) / sd
                    for each, rest in zip(gram, without_own, strict=True)
                ]
            )
            whole = (np.linalg.solve(whole_gram, without_own.sum(axis=0)) - mean) / sd
            shifted = np.linalg.solve(whole_gram, self._shifted.double().numpy()) / sd
            self._results = halves, whole, shifted
        return self._results

    def result(self, k: int) -> dict[str, float]:
        """Return the thresholds of one network of the block, and the agreement of halves."""
        halves, whole, shifted = self._z()
        by_shift = shift_threshold(whole[k], shifted[:, k])
        by_halves = halves_threshold(halves[0, k], halves[1, k])
        return {
            "shifted": by_shift,
            "halves": by_halves,
            "threshold": float(np.maximum(by_shift, by_halves)),  # NaN if either is
            "agreement": float(np.corrcoef(halves[0, k], halves[1, k])[0, 1]),
        }

    def chance(self, k: int) -> Floats:
        """Return the shifted units expected beyond each step of |z|."""
        shifted = self._z()[2]
        magnitude = np.sort(np.abs(shifted[:, k]).ravel())
        steps = np.arange(round(_MOST_Z / _STEP) + 1) * _STEP
        return (len(magnitude) - np.searchsorted(magnitude, steps, side="right")) / len(shifted)


def shift_threshold(
    z: Floats, shifted: Floats, *, rate: float = RATE, one_in: int = ONE_IN
) -> float:
    """Return the least |z| beyond which few of the units marked are chance; NaN if none is.

    Parameters
    ----------
    z : ndarray (n,)
        A map.
    shifted : ndarray (draws, n)
        The same of units that have nothing to do with the network.
    rate : float
        Most expected share of chance among those marked.
    one_in : int
        Most expected chance in the map: one unit in so many.
    """
    levels = np.sort(np.abs(z))[::-1]
    chance = np.sort(np.abs(shifted).ravel())
    expected = (len(chance) - np.searchsorted(chance, levels, side="left")) / len(shifted)
    passing = (expected <= rate * np.arange(1, len(levels) + 1)) & (expected <= len(z) / one_in)
    places = np.flatnonzero(passing)
    return float(levels[places[-1]]) if len(places) else float("nan")


def halves_threshold(first: Floats, second: Floats, *, rate: float = RATE) -> float:
    """Return the least mean |z| of two halves at which few of the units marked are chance.

    A unit that has nothing to do with a network is as likely to change its sign between halves
    as to keep it, however heavy its tails and whatever its noise, so that those that change it
    count those that keep it by chance (mirror statistics: Dai et al. 2023).

    Parameters
    ----------
    first, second : ndarray (n,)
        A network's map in each half of the documents.
    """
    mirror = np.sign(first * second) * (np.abs(first) + np.abs(second)) / 2
    levels = np.sort(np.abs(mirror))[::-1]
    kept, changed = np.sort(mirror[mirror > 0]), np.sort(-mirror[mirror < 0])
    n_kept = len(kept) - np.searchsorted(kept, levels, side="left")
    n_changed = len(changed) - np.searchsorted(changed, levels, side="left")
    places = np.flatnonzero(1 + n_changed <= rate * n_kept)
    return float(levels[places[-1]]) if len(places) else float("nan")


def read_calibration(workspace: Workspace, atlas: NetworkAtlas) -> Calibration | None:
    """Return the calibration that was kept for an atlas; None if it was not made, or is of others.

    Raises
    ------
    CorruptArtifactError
        If the file is damaged.
    """
    path = workspace.root / FOLDER / f"{atlas.id}.json"
    try:
        value = read_checked_json(path)
        if value.get("version") != _VERSION or value["maps"] != _maps_key(atlas):
            return None
        return Calibration(**{name: np.array(value[name], dtype=np.float64) for name in _ARRAYS})
    except FileNotFoundError:
        return None
    except (CorruptArtifactError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptArtifactError(
            f"The thresholds of this atlas cannot be read from {path}.",
            hint="Delete the file and calibrate again.",
        ) from error


def calibrated(
    workspace: Workspace,
    atlas_id: str,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Calibration:
    """Return an atlas's calibration, made and kept beside it if it is not there yet."""
    atlas = open_atlas(workspace, atlas_id)
    found = read_calibration(workspace, atlas)
    if found is None:
        recording = open_recording(workspace, atlas.decomposition.recording_id)
        found = calibrate(recording, atlas, progress=progress, cancel=cancel)
        path = workspace.root / FOLDER / f"{atlas.id}.json"
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            facts = {"kind": _KIND, "version": _VERSION, "maps": _maps_key(atlas)}
            write_checked_json(path, {**facts, **found.to_json()})
    return found


def _maps_key(atlas: NetworkAtlas) -> str:
    return hashlib.sha256(np.ascontiguousarray(atlas.maps).tobytes()).hexdigest()[:16]
