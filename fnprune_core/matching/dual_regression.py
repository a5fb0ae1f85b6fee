"""A saved atlas on another recording of its model: dual regression (Nickerson et al. 2017).

Stage 1: the template's maps give time courses of the new recording. Stage 2: these time courses
give each unit's maps there. Networks keep their numbers, so network 12 of the result is network
12 of the template as the new texts show it.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.atlas.chance.directions import open_directions
from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.atlas.probe import NetworkProbe
from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.decomposition.reduction import TimeCourses, time_courses
from fnprune_core.errors import (
    ArtifactNotFoundError,
    CorruptArtifactError,
    FingerprintMismatchError,
    SettingsError,
)
from fnprune_core.matching.identities import carry_applied, path_of
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import open_recording
from fnprune_core.recording.sessions import Sessions, normalised
from fnprune_core.storage.manifests import artifact_id
from fnprune_core.storage.workspace import Workspace

Maps = Literal["refitted", "template"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Template:
    """The part of a template that is applied: its blocks, restricted to units that vary here."""

    blocks: list[NDArray[np.int64]]
    maps: list[NDArray[np.float32]]
    #: Networks in the order of the blocks.
    networks: NDArray[np.int64]


def dual_regression(
    template: Decomposition,
    sessions: Sessions,
    *,
    maps: Maps = "refitted",
    device: str = "auto",
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Decomposition:
    """Apply the maps of a decomposition to a recording of the same model.

    Stage 1 is the least squares of each token's normalised signals on [1, template maps], over
    the units that vary in both recordings: on its own recording an atlas gives its own time
    courses. Stage 2 is the least squares of each unit's normalised signals on [1, time courses]
    over usable tokens, O(tokens · units · K); the coefficients of a network are then scaled to
    mean 0 and standard deviation 1 over the units that vary here, as all maps of an atlas are.
    Their sign stays the template's.

    On the units of stage 1, a map of stage 2 correlates with its own template and with no other
    one, by algebra and whatever the texts (X Zᵀ = S Z Zᵀ for centred maps Z and time courses S).
    So matching it to the template shows nothing; only the size of its r does: how much of the
    map, as these texts show it, is the template.

    Parameters
    ----------
    template : Decomposition
    sessions : Sessions
        A recording of the same model.
    maps : {"refitted", "template"}
        Which maps the result shows: those of stage 2, or the template's as they were.

    Returns
    -------
    Decomposition
        The time courses and shares of variance are those of stage 1 in both cases. There were no
        ICA runs: their agreement is NaN, and ``n_iter`` and ``converged`` are empty. Its
        settings say ``applied_from``, ``maps``, and how many units vary in one recording only.

    Raises
    ------
    FingerprintMismatchError
        If the recording is of another model.
    SettingsError
        If too few units vary in both recordings.
    """
    if maps not in get_args(Maps):
        raise SettingsError(f"maps must be refitted or template, got {maps!r}.")
    _check_model(template, sessions)
    restricted = _restrict_template(template, sessions)
    torch_device = _torch_device(device)
    courses = time_courses(
        sessions, restricted.blocks, restricted.maps, normalize=template.settings["normalize"],
        device=torch_device, progress=progress, cancel=cancel,
    )  # fmt: skip
    order = np.argsort(restricted.networks)
    strengths = courses.strengths[order]
    if maps == "template":
        alive = template.alive & sessions.alive
        spatial_maps = np.where(alive, template.spatial_maps, np.float32(0))
    else:
        alive = sessions.alive.copy()
        spatial_maps = _stage_two(
            template, sessions, strengths, device=torch_device, progress=progress, cancel=cancel
        )
    return _result(template, sessions, maps, spatial_maps, alive, _reordered(courses, order))


def _reordered(courses: TimeCourses, order: NDArray[np.int64]) -> TimeCourses:
    return TimeCourses(
        strengths=courses.strengths[order],
        variance_alone=courses.variance_alone[order],
        variance_left_out=courses.variance_left_out[order],
        variance_explained=courses.variance_explained,
    )


def _result(
    template: Decomposition,
    sessions: Sessions,
    maps: Maps,
    spatial_maps: NDArray[np.float32],
    alive: NDArray[np.bool_],
    courses: TimeCourses,
) -> Decomposition:
    settings: dict[str, Any] = {
        **template.settings,
        "applied_from": template.id,
        "maps": maps,
        "n_units_only_in_template": int((template.alive & ~sessions.alive).sum()),
        "n_units_only_here": int((sessions.alive & ~template.alive).sum()),
    }
    return Decomposition(
        spatial_maps=np.ascontiguousarray(spatial_maps, dtype=np.float32),
        time_courses=courses.strengths,
        run_agreement=np.full(template.n_networks, np.nan),
        variance_alone=courses.variance_alone,
        variance_left_out=courses.variance_left_out,
        variance_explained=courses.variance_explained,
        layer_of_network=template.layer_of_network.copy(),
        alive=alive,
        n_iter=np.empty(0, dtype=np.int64),
        converged=np.empty(0, dtype=bool),
        layout=template.layout,
        recording_id=sessions.id,
        fingerprint=sessions.fingerprint,
        settings=settings,
    )


def _check_model(template: Decomposition, sessions: Sessions) -> None:
    if template.fingerprint != sessions.fingerprint or template.layout != sessions.layout:
        raise FingerprintMismatchError(
            f"Atlas {template.id} was made for a model with fingerprint {template.fingerprint}, "
            f"recording {sessions.id} is of one with {sessions.fingerprint}: their units are not "
            "the same.",
            hint="Record the texts with the atlas's model, or compare two atlases of the two "
            "models by their time courses (fnprune match).",
        )


def _restrict_template(template: Decomposition, sessions: Sessions) -> _Template:
    """Return the template's networks by block (the model, or each layer), where both vary."""
    alive = template.alive & sessions.alive
    layer_of_unit = template.layout.layer_of_unit
    blocks, maps, networks = [], [], []
    for layer in np.unique(template.layer_of_network):
        block = np.flatnonzero(alive if layer < 0 else alive & (layer_of_unit == layer))
        members = np.flatnonzero(template.layer_of_network == layer)
        block_maps = template.spatial_maps[np.ix_(members, block)]
        design = np.vstack([np.ones(len(block)), block_maps])
        if np.linalg.matrix_rank(design @ design.T) <= len(members):
            layer_text = "" if layer < 0 else f" of layer {layer}"
            raise SettingsError(
                f"Only {len(block):,} units{layer_text} vary in both recordings, too few to tell "
                f"{len(members)} networks apart.",
                hint="Apply the atlas to a recording of more varied texts.",
            )
        blocks.append(block.astype(np.int64))
        maps.append(block_maps)
        networks.append(members)
    return _Template(blocks=blocks, maps=maps, networks=np.concatenate(networks))


def _stage_two(
    template: Decomposition,
    sessions: Sessions,
    courses: NDArray[np.float32],
    *,
    device: torch.device,
    progress: Progress,
    cancel: CancelToken,
) -> NDArray[np.float32]:
    """Return each unit's regression on [1, time courses], as z maps: (K, units)."""
    usable = ~sessions.is_dummy
    design = np.vstack([np.ones(courses.shape[1]), courses]).T.astype(np.float64)[usable]
    products: NDArray[np.float64] = np.zeros((design.shape[1], sessions.layout.n_units))
    rows = torch.from_numpy(np.vstack([np.ones(courses.shape[1]), courses]).astype(np.float32))
    for session in range(sessions.n_sessions):
        cancel.raise_if_cancelled()
        signals = normalised(
            sessions, session, normalize=template.settings["normalize"], device=device
        )
        tokens = sessions.session_slice(session)
        is_usable = torch.from_numpy(usable[tokens]).to(device)
        products += (
            (rows[:, tokens].to(device)[:, is_usable] @ signals[is_usable]).double().cpu().numpy()
        )
        progress(
            ProgressEvent(
                stage="maps", done=session + 1, total=sessions.n_sessions, unit="sessions"
            )
        )
    z_maps = np.zeros((len(courses), sessions.layout.n_units), dtype=np.float32)
    layer_of_unit = template.layout.layer_of_unit
    for layer in np.unique(template.layer_of_network):  # a layer's units, on its own networks
        members = np.flatnonzero(template.layer_of_network == layer)
        units = np.flatnonzero(sessions.alive & ((layer < 0) | (layer_of_unit == layer)))
        columns = np.concatenate([[0], members + 1])
        gram = design[:, columns].T @ design[:, columns]
        weights = (np.linalg.pinv(gram, hermitian=True) @ products[np.ix_(columns, units)])[1:]
        weights -= weights.mean(axis=1, keepdims=True)
        spread = weights.std(axis=1, keepdims=True)
        z_maps[np.ix_(members, units)] = weights / np.where(spread > 0, spread, 1.0)
    return z_maps


def _torch_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def apply_atlas(
    workspace: Workspace,
    decomposition_id: str,
    recording_id: str,
    *,
    maps: Maps = "refitted",
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Apply a saved atlas to another recording of its model; return the new atlas's id.

    Found again if it was done before. The names that people gave go along: the networks are the
    template's own.
    """
    template = open_atlas(workspace, decomposition_id)
    recording = open_recording(workspace, recording_id)
    inputs = {
        "applied_from": template.id,
        "recording_id": recording.id,
        "maps": maps,
        "stage": 1 if maps == "template" else 2,
    }
    id = artifact_id("decompositions", inputs)
    if not workspace.has("decompositions", id):
        decomposition = dual_regression(
            template.decomposition, recording, maps=maps, progress=progress, cancel=cancel
        )
        decomposition.save(workspace.folder("decompositions", id), inputs)
    if not path_of(workspace, id).is_file():  # an earlier call may have stopped before this
        carry_applied(workspace, open_atlas(workspace, id), template)
    return id


def template_of(workspace: Workspace, atlas: NetworkAtlas) -> Decomposition | None:
    """Return the decomposition whose maps gave an atlas's time courses; None if its own did.

    Raises
    ------
    ArtifactNotFoundError
        If it is needed and was deleted.
    """
    settings = atlas.decomposition.settings
    if settings.get("maps") != "refitted":
        return None
    id = str(settings["applied_from"])
    if not workspace.has("decompositions", id):
        raise ArtifactNotFoundError(
            f"Atlas {atlas.id} has its time courses from the maps of atlas {id}, which is gone.",
            hint="Make that atlas again with its settings, or apply another one.",
        )
    return Decomposition.load(workspace.folder("decompositions", id))


def applied_note(decomposition: Decomposition) -> str:
    """Return a note on where an applied atlas comes from; empty for any other."""
    settings = decomposition.settings
    if "applied_from" not in settings:
        return ""
    maps_text = (
        "its own maps, with the time courses of this recording"
        if settings["maps"] == "template"
        else "maps as this recording shows them (stage 2 of dual regression), whose pairing with "
        "the template is given, so that only the size of r tells anything"
    )
    note = f"Applied from atlas {settings['applied_from']}: {maps_text}."
    n_gone, n_new = settings["n_units_only_in_template"], settings["n_units_only_here"]
    if n_gone:
        note += f" {n_gone:,} units that vary in the template's recording do not vary here."
    if n_new:
        note += f" {n_new:,} units that vary here did not there"
        note += "; they have no part in the maps." if settings["maps"] == "template" else (
            "; stage 1 leaves them out."
        )  # fmt: skip
    return note


def open_probe(workspace: Workspace, decomposition_id: str) -> NetworkProbe:
    """Return an atlas made ready to read texts; needs its recording, and a template's maps.

    Its random directions are read beside it where they were made.
    """
    atlas = open_atlas(workspace, decomposition_id)
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    found = None
    with suppress(CorruptArtifactError):  # networks are read without their control, too
        found = open_directions(workspace, atlas)
    return NetworkProbe.prepare(
        atlas, recording, template=template_of(workspace, atlas), directions=found
    )
