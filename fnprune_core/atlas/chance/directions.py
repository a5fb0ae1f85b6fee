"""Random directions of the same number and shape as an atlas's maps: the control of its networks.

What is true of networks may be true of any direction in a model's units: nearly every one is
stronger in some domains than in others. So each statistic of networks stands beside the same of
random directions, which have maps and time courses as networks have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import Tensor

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.decomposition.fingerprint import KEY
from fnprune_core.errors import SettingsError
from fnprune_core.machine.threads import of_each, one_thread, product
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.group_pca import wanted_rows
from fnprune_core.recording.recording import open_recording
from fnprune_core.recording.sessions import Sessions, normalised
from fnprune_core.storage.array_results import save_arrays
from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace

FOLDER = "directions"
#: Kinds of random directions, and what each keeps of the networks. The first stands in sentences.
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "permuted": "Each map's units are permuted within each layer: its values stay, and which "
        "units have them is chance.",
        "rotated": "The maps are turned together by a random rotation: the space that they span "
        "stays, and its axes are chance.",
        "shifted": "The maps stay, and each unit is shifted in time by itself within each session: "
        "its values and session means stay, and what units do together is gone.",
    }
)
HEADLINE = "permuted"
_FILE = "directions.safetensors"
_STORED = ("permuted", "shifted")
#: Units that are shifted by the same amount are one of so many groups.
_N_GROUPS = 1024

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Directions:
    """Random directions beside an atlas.

    Parameters
    ----------
    atlas : NetworkAtlas
        The networks that they are the control of.
    seed : int
    permuted, shifted : ndarray (K, n_tokens)
        Time courses of the directions of these kinds; those of a rotation follow from the
        networks' own.
    """

    atlas: NetworkAtlas
    seed: int
    permuted: Floats
    shifted: Floats

    def of(self, kind: str) -> NetworkAtlas:
        """Return the directions of a kind as an atlas, so that any statistic can be asked of them.

        Its ``id`` is empty, and what a decomposition says of variance and of runs is NaN.

        Parameters
        ----------
        kind : {"permuted", "rotated", "shifted"}
        """
        if kind not in KINDS:
            raise SettingsError(f"There are no {kind!r} directions, only {', '.join(KINDS)}.")
        if kind == "rotated":
            maps, courses = rotated(self.atlas, seed=self.seed)
        elif kind == "permuted":
            maps, courses = permuted_maps(self.atlas, seed=self.seed), self.permuted
        else:
            maps, courses = self.atlas.maps.copy(), self.shifted
        networks = self.atlas.decomposition
        unknown = np.full(len(maps), np.nan)
        return NetworkAtlas(
            replace(
                networks,
                id="",
                spatial_maps=maps,
                time_courses=courses,
                run_agreement=unknown,
                variance_alone=unknown,
                variance_left_out=unknown,
                variance_explained=float("nan"),
                settings={**networks.settings, "directions": kind, "directions_seed": self.seed},
            ),
            self.atlas.tokens,
        )


def _rng(seed: int, kind: str, number: int) -> np.random.Generator:
    spawn_key = (list(KINDS).index(kind), number)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))


def permuted_maps(
    atlas: NetworkAtlas, *, seed: int = 0, of: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return the maps with the alive units of each layer permuted, by map anew: (K, n_units).

    Parameters
    ----------
    of : ndarray (K, n_units), optional
        What is permuted in place of maps, such as members.
    """
    own = atlas.maps if of is None else of
    maps = np.zeros_like(own)
    layers = [
        np.flatnonzero(atlas.decomposition.alive & (atlas.layout.layer_of_unit == layer))
        for layer in range(atlas.layout.n_layers)
    ]
    for network, values in enumerate(own):
        rng = _rng(seed, "permuted", network)
        for units in layers:
            maps[network, units] = values[rng.permutation(units)]
    return maps


def rotation(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random rotation or reflection, uniform over all of them: (n, n)."""
    with one_thread():
        q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return np.asarray(q * np.sign(np.diag(r)))


def rotated(atlas: NetworkAtlas, *, seed: int = 0) -> tuple[Floats, Floats]:
    """Return maps (K, n_units) and time courses (K, n_tokens) after a random rotation.

    The least squares of signals on rotated maps are the rotated time courses. Maps have a standard
    deviation of 1 again; networks of one layer are turned among themselves.
    """
    decomposition = atlas.decomposition
    maps, courses = np.zeros_like(atlas.maps), np.zeros_like(atlas.time_courses)
    for layer in np.unique(decomposition.layer_of_network):
        networks = np.flatnonzero(decomposition.layer_of_network == layer)
        turn = rotation(len(networks), _rng(seed, "rotated", int(layer) + 1))
        turned = turn @ atlas.maps[networks].astype(np.float64)
        units = _block(atlas, int(layer))
        spread = turned[:, units].std(axis=1, keepdims=True)
        spread[spread == 0] = 1.0
        maps[networks] = turned / spread
        courses[networks] = spread * (turn @ atlas.time_courses[networks].astype(np.float64))
    return maps, courses


def _block(atlas: NetworkAtlas, layer: int) -> NDArray[np.int64]:
    """Return the alive units that networks of a layer are maps of; of the model for −1."""
    alive = atlas.decomposition.alive
    return np.flatnonzero(alive if layer < 0 else alive & (atlas.layout.layer_of_unit == layer))


def directions(
    sessions: Sessions,
    atlas: NetworkAtlas,
    *,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Directions:
    """Return random directions beside an atlas: O(tokens · units · K), one reading.

    Time courses are the least squares of each token's normalised signals on [1, maps], as those of
    networks. Shifts are circular over a session's usable tokens; units beside one another, of one
    of 1,024 groups, are shifted by the same amount: their indices have no order. Of a refitted
    atlas the maps are its own, not the template's.

    Parameters
    ----------
    sessions : Sessions
        The recording that the atlas was made from.
    """
    maps = permuted_maps(atlas, seed=seed)
    layers = [int(layer) for layer in np.unique(atlas.decomposition.layer_of_network)]
    blocks = [_Block(atlas, maps, layer) for layer in layers]
    courses = {name: np.empty(atlas.time_courses.shape, dtype=np.float32) for name in _STORED}
    for session in range(sessions.n_sessions):
        cancel.raise_if_cancelled()
        span = sessions.session_slice(session)
        is_usable = ~sessions.is_dummy[span]
        signals = normalised(
            sessions,
            session,
            normalize=atlas.decomposition.settings["normalize"],
            device=torch.device("cpu"),
        )
        shifts = _rng(seed, "shifted", session).integers(
            max(int(is_usable.sum()), 1), size=_N_GROUPS
        )
        for block in blocks:
            courses["permuted"][block.networks, span] = block.permuted(signals)
            courses["shifted"][block.networks, span] = block.shifted(signals, is_usable, shifts)
        progress(
            ProgressEvent(
                stage="random directions",
                done=session + 1,
                total=sessions.n_sessions,
                unit="sessions",
            )
        )
    return Directions(atlas=atlas, seed=seed, **courses)


class _Block:
    """Least squares of the networks of one block, the model or a layer, and of their directions."""

    def __init__(self, atlas: NetworkAtlas, permuted: Floats, layer: int) -> None:
        units = _block(atlas, layer)
        self.networks = np.flatnonzero(atlas.decomposition.layer_of_network == layer)
        self._units = torch.from_numpy(units)
        self._own = _solver(atlas.maps[np.ix_(self.networks, units)])
        self._permuted = _solver(permuted[np.ix_(self.networks, units)])

    def _of(self, signals: Tensor) -> Tensor:
        return signals if len(self._units) == signals.shape[1] else signals[:, self._units]

    def permuted(self, signals: Tensor) -> Floats:
        """Return the strengths of the permuted maps at each token of a session: (K, tokens)."""
        found: Floats = product(self._of(signals), self._permuted).T.numpy()
        return found

    def shifted(
        self, signals: Tensor, is_usable: NDArray[np.bool_], shifts: NDArray[np.int64]
    ) -> Floats:
        """Return the strengths of the maps where units are shifted: (K, tokens).

        A strength is a sum over units, so what each group of units gives is shifted, not the units.
        """
        x = self._of(signals)
        total, of_usable = product(x, self._own), wanted_rows(x, is_usable)

        def part(groups: range) -> Tensor:
            found = torch.zeros(len(of_usable), total.shape[1], dtype=total.dtype)
            for group in groups:
                units = slice(ends[group], ends[group + 1])
                given = of_usable[:, units] @ self._own[units]
                found += torch.roll(given, int(shifts[group]), dims=0)
            return found

        n_groups = min(len(shifts), x.shape[1])
        ends = [x.shape[1] * number // n_groups for number in range(n_groups + 1)]
        parts = [range(start, min(start + 64, n_groups)) for start in range(0, n_groups, 64)]
        shifted = torch.stack(of_each(part, parts, device=x.device)).sum(dim=0)
        total[torch.from_numpy(is_usable)] = shifted
        found: Floats = total.T.numpy()
        return found


def _solver(maps: Floats) -> Tensor:
    """Return the matrix (units, K) that takes signals to their least squares on maps."""
    design = np.vstack([np.ones(maps.shape[1]), maps.astype(np.float64)])
    with one_thread():
        solution = np.linalg.lstsq(design @ design.T, design, rcond=None)[0]
    return torch.from_numpy(np.ascontiguousarray(solution[1:].T, dtype=np.float32))


# Kept beside the atlas ------------------------------------------------------------------------


def _inputs(atlas: NetworkAtlas, seed: int) -> dict[str, Any]:
    return {
        "decomposition_id": atlas.id,
        "seed": seed,
        KEY: atlas.maps_fingerprint.to_json(),
    }


def directions_id(atlas: NetworkAtlas, *, seed: int = 0) -> str:
    """Return the id of an atlas's random directions; of other maps under its id it is another."""
    return artifact_id(FOLDER, _inputs(atlas, seed))


def open_directions(
    workspace: Workspace, atlas: NetworkAtlas, *, seed: int = 0
) -> Directions | None:
    """Return an atlas's random directions; None if they were not made.

    Raises
    ------
    CorruptArtifactError
        If they are damaged.
    """
    id = directions_id(atlas, seed=seed)
    if not workspace.has(FOLDER, id):
        return None
    folder: Path = workspace.folder(FOLDER, id)
    manifest = read_manifest(folder)
    with damage_told(folder, "Delete it and measure random directions again."):
        arrays = load_file(checked(folder, manifest, _FILE))
        return Directions(atlas=atlas, seed=seed, **{name: arrays[name] for name in _STORED})


def make_directions(
    workspace: Workspace,
    atlas_id: str,
    *,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Directions:
    """Return an atlas's random directions, made and kept beside it if they are not there yet."""
    atlas = open_atlas(workspace, atlas_id)
    found = open_directions(workspace, atlas, seed=seed)
    if found is None:
        recording = open_recording(workspace, atlas.decomposition.recording_id)
        found = directions(recording, atlas, seed=seed, progress=progress, cancel=cancel)
        inputs = _inputs(atlas, seed)
        with new_folder(workspace.folder(FOLDER, artifact_id(FOLDER, inputs))) as folder:
            save_arrays({name: getattr(found, name) for name in _STORED}, folder / _FILE)
            write_json(folder / MANIFEST, manifest_of(FOLDER, inputs, {}))
    return found
