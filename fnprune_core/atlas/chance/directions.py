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

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.decomposition.fingerprint import KEY
from fnprune_core.decomposition.reduction import time_courses
from fnprune_core.errors import SettingsError
from fnprune_core.machine.threads import one_thread
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import open_recording
from fnprune_core.recording.sessions import Sessions
from fnprune_core.recording.shifted import ShiftedSessions
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
#: Without it there are time courses alone, of a former version: they are made anew.
_FILE = "courses_and_variance.safetensors"
_STORED = ("permuted", "shifted", "alone", "left_out", "explained")

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
    alone, left_out : ndarray (n_kinds, K), optional
        Share of the signals' variance that each direction explains by itself, and that is lost
        without it; kinds in the order of `KINDS`.
    explained : ndarray (n_kinds,), optional
        Share of variance that all directions of a kind explain together.
    """

    atlas: NetworkAtlas
    seed: int
    permuted: Floats
    shifted: Floats
    alone: NDArray[np.float64] | None = None
    left_out: NDArray[np.float64] | None = None
    explained: NDArray[np.float64] | None = None

    def of(self, kind: str) -> NetworkAtlas:
        """Return the directions of a kind as an atlas, so that any statistic can be asked of them.

        Its ``id`` is empty, and the agreement of runs is NaN.

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
        unknown, number = np.full(len(maps), np.nan), list(KINDS).index(kind)
        return NetworkAtlas(
            replace(
                networks,
                id="",
                spatial_maps=maps,
                time_courses=courses,
                run_agreement=unknown,
                variance_alone=unknown if self.alone is None else self.alone[number],
                variance_left_out=unknown if self.left_out is None else self.left_out[number],
                variance_explained=float(
                    np.nan if self.explained is None else self.explained[number]
                ),
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
    """Return random directions beside an atlas: O(tokens · units · K), one reading for each kind.

    Time courses are the least squares of each token's normalised signals on [1, maps], as those of
    networks, and so are the shares of variance. Of a refitted atlas the maps are its own, not the
    template's.

    Parameters
    ----------
    sessions : Sessions
        The recording that the atlas was made from.
    """
    read: Mapping[str, tuple[Sessions, Floats]] = {
        "permuted": (sessions, permuted_maps(atlas, seed=seed)),
        "rotated": (sessions, rotated(atlas, seed=seed)[0]),
        "shifted": (ShiftedSessions(sessions, seed=seed), atlas.maps),
    }
    layers = np.unique(atlas.decomposition.layer_of_network)
    networks = [np.flatnonzero(atlas.decomposition.layer_of_network == layer) for layer in layers]
    blocks = [_block(atlas, int(layer)) for layer in layers]
    place = np.argsort(np.concatenate(networks))  # courses come block by block
    found = []
    for number, kind in enumerate(KINDS):
        signals, maps = read[kind]

        def tell(event: ProgressEvent, before: int = number * sessions.n_sessions) -> None:
            total = len(KINDS) * sessions.n_sessions
            done = before + event.done
            progress(replace(event, stage="random directions", done=done, total=total))

        found.append(
            time_courses(
                signals,
                blocks,
                [maps[np.ix_(*each)] for each in zip(networks, blocks, strict=True)],
                normalize=atlas.decomposition.settings["normalize"],
                device=torch.device("cpu"),
                progress=tell,
                cancel=cancel,
            )
        )
    permuted, _, shifted = (each.strengths[place] for each in found)
    return Directions(
        atlas=atlas,
        seed=seed,
        permuted=permuted,
        shifted=shifted,
        alone=np.stack([each.variance_alone[place] for each in found]),
        left_out=np.stack([each.variance_left_out[place] for each in found]),
        explained=np.array([each.variance_explained for each in found]),
    )


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


def are_made(workspace: Workspace, atlas: NetworkAtlas, *, seed: int = 0) -> bool:
    """Whether an atlas's random directions are kept beside it."""
    id = directions_id(atlas, seed=seed)
    return workspace.has(FOLDER, id) and (workspace.folder(FOLDER, id) / _FILE).is_file()


def open_directions(
    workspace: Workspace, atlas: NetworkAtlas, *, seed: int = 0
) -> Directions | None:
    """Return an atlas's random directions; None if they were not made.

    Raises
    ------
    CorruptArtifactError
        If they are damaged.
    """
    if not are_made(workspace, atlas, seed=seed):
        return None
    folder: Path = workspace.folder(FOLDER, directions_id(atlas, seed=seed))
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
        target = workspace.folder(FOLDER, artifact_id(FOLDER, inputs))
        with new_folder(target) as folder:
            save_arrays({name: getattr(found, name) for name in _STORED}, folder / _FILE)
            write_json(folder / MANIFEST, manifest_of(FOLDER, inputs, {}))
            if workspace.has(FOLDER, target.name):  # of a former version, without variance
                workspace.delete(FOLDER, target.name)
    return found
