"""Texts that a model writes under a lesion, beside those that it writes healthy."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition.fingerprint import KEY, maps_in
from fnprune_core.decomposition.numbering import check_numbers
from fnprune_core.errors import CorruptArtifactError
from fnprune_core.evaluation.generation import Generation, Prompt, Sampling
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import (
    SideBySide,
    canonical_sampling,
    printable,
    side_by_side,
)
from fnprune_core.lesions.sites import Lesion, LesionSettings, LesionSites
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace

KIND = "lesion_texts"


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingOrder:
    """Order for a text: its prompt, and the lesion under which it is written.

    Parameters
    ----------
    settings : LesionSettings
        Threshold, target and sink units; random lesions play no part.
    """

    decomposition_id: str
    lesion: Lesion
    prompt: Prompt
    settings: LesionSettings = LesionSettings()  # noqa: RUF009 - frozen
    sampling: Sampling = Sampling()  # noqa: RUF009 - frozen


def write_under_lesion(
    workspace: Workspace,
    language_model: LanguageModel,
    order: WritingOrder,
    *,
    on_token: Callable[[str, Generation], None] = lambda whose, written: None,
    cancel: CancelToken = NEVER,
) -> str:
    """Let the healthy model and the model under a lesion go on from a prompt; return the id.

    Found again by prompt, sampling, model and lesion. The result is a `SideBySide`; the text
    under the lesion stands in it as that of the pruned model.

    Parameters
    ----------
    on_token : callable
        Called with `DENSE` or `PRUNED` and the text so far, after each token of it.

    Raises
    ------
    TextError, SettingsError
        If there is nothing to continue, or the lesion takes no unit, or all.
    """
    settings, lesion, sampling = order.settings, order.lesion, canonical_sampling(order.sampling)
    atlas = open_atlas(workspace, order.decomposition_id)
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    sites = LesionSites(atlas, recording, language_model, settings=settings)
    units = sites.members(lesion.networks)
    inputs = {
        "fingerprint": language_model.fingerprint,
        "dtype": str(language_model.dtype),
        "device": language_model.device.type,
        "prompt": asdict(printable(order.prompt)),
        "sampling": asdict(sampling),
        "decomposition_id": atlas.id,
        "lesion": asdict(lesion) | {"networks": list(lesion.networks)},
        "settings": {name: getattr(settings, name) for name in ("z", "towards", "sink_units")},
    }
    id = artifact_id(KIND, inputs)
    if workspace.has(KIND, id):
        return id
    texts = side_by_side(
        language_model,
        order.prompt,
        partial(sites.silence, units, lesion),
        sampling=sampling,
        dense_text=_healthy_text(workspace, inputs),
        on_token=on_token,
        cancel=cancel,
    )
    facts = {
        "decomposition_id": atlas.id,
        "model_name": language_model.name,
        KEY: atlas.maps_fingerprint.of(lesion.networks).to_json(),
    }
    with new_folder(workspace.folder(KIND, id)) as target:
        texts.save(target)
        write_json(target / MANIFEST, manifest_of(KIND, inputs, facts))
    return id


def open_lesion_text(
    workspace: Workspace, id: str, *, match: bool = False
) -> tuple[Lesion, SideBySide]:
    """Return a lesion, and the texts written healthy and under it.

    Where the atlas was made anew and numbers the lesion's networks otherwise, a
    `NetworksMovedError` is raised, or with `match` the lesion has the numbers here.
    """
    folder = workspace.existing(KIND, id)
    manifest = read_manifest(folder)
    stored = manifest["inputs"]["lesion"]
    renumbering = check_numbers(
        maps_in(manifest), workspace, str(manifest.get("decomposition_id", "")),
        what=f"The text under lesion {folder.name}", match=match,
    )  # fmt: skip
    networks = tuple(stored["networks"])
    lesion = Lesion(
        networks=networks if renumbering is None else renumbering.here(networks),
        strength=stored["strength"],
    )
    return lesion, SideBySide.load(folder)


def _healthy_text(workspace: Workspace, inputs: dict[str, Any]) -> Generation | None:
    """Return the healthy model's text from another lesion's result on the same prompt, if any."""
    shared_inputs = ("fingerprint", "dtype", "device", "prompt", "sampling")
    for entry in workspace.entries(KIND):
        if all(entry.manifest["inputs"][name] == inputs[name] for name in shared_inputs):
            with suppress(CorruptArtifactError):
                return SideBySide.load(entry.path).written[DENSE]
    return None
