"""Run a lesion study: every lesion, then rounds of matched random ones; stopped and resumed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.errors import NonFiniteError
from fnprune_core.evaluation.compare import check_overlap
from fnprune_core.evaluation.perplexity import protocol_of
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.reading import StudyUnits, read_each, read_healthy
from fnprune_core.lesions.sites import LesionSites, Stimuli
from fnprune_core.lesions.stored import KIND, StudyFiles, open_lesions
from fnprune_core.lesions.study import Facts, LesionStudy
from fnprune_core.machine import memory
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.manifests import artifact_id, manifest_of
from fnprune_core.storage.workspace import Workspace

READING = "reading under lesions"


@memory.kept()
def lesion_study(
    workspace: Workspace,
    language_model: LanguageModel,
    stimuli: Stimuli,
    *,
    order: LesionOrder,
    on_partial: Callable[[LesionStudy], None] = lambda study: None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Measure the loss under each lesion and its random lesions; return the study's id.

    The lesions themselves come first, then the random ones in rounds: stopped early, all have
    equally many. What was read is kept after each lesion: the same call goes on from there. What
    another study of this atlas read on the same texts is taken over.

    Parameters
    ----------
    stimuli : Stimuli
        As `domain_stimuli` or `localizers` make them.
    on_partial : callable
        Called with the study after each lesion.

    Raises
    ------
    SettingsError
        If no lesion takes a unit, or one takes all or finds no match; see `LesionSites`.
        Lesions that take no unit are left out beside others.
    OverlapError
        If the atlas was made from these texts.
    NonFiniteError
        If a loss of the healthy model is not finite.

    Notes
    -----
    A lesion costs one pass over the texts, with one multiplication a layer more.
    """
    atlas = open_atlas(workspace, order.decomposition_id)
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    sites = LesionSites(atlas, recording, language_model, settings=order.settings)
    order = replace(
        order,
        decomposition_id=atlas.id,
        settings=sites.settings,
        lesions=sites.with_units(order.lesions),
    )
    check_overlap(recording, stimuli.windows)
    reading_inputs, inputs = _study_inputs(language_model, stimuli, order)
    id = artifact_id(KIND, inputs)
    if workspace.has(KIND, id):
        on_partial(open_lesions(workspace, id))
        return id
    units = StudyUnits(order, sites)
    facts = {"model_name": language_model.name, "decomposition_id": atlas.id}
    manifest = manifest_of(KIND, inputs, {**facts, "base": reading_inputs})
    files = StudyFiles(workspace=workspace, id=id, manifest=manifest)
    with files.alone():
        if workspace.has(KIND, id):
            return id
        begun = files.resumed(atlas) or _unread_study(order, atlas, language_model, stimuli, units)
        begun = files.with_earlier_readings(begun)
        for study in _growing(begun, language_model, stimuli, units, cancel):
            files.keep(study)
            n_read = study.n_done + len(study.facts.failures) + 1
            n_total = study.is_done.size + 1
            progress(ProgressEvent(stage=READING, done=n_read, total=n_total, unit="lesions"))
            on_partial(study)
        files.finish(study)
    return id


def _growing(
    study: LesionStudy,
    language_model: LanguageModel,
    stimuli: Stimuli,
    units: StudyUnits,
    cancel: CancelToken,
) -> Iterator[LesionStudy]:
    """Yield the study once the healthy model has read, and again after each lesion."""
    windows = stimuli.windows
    if not np.isfinite(study.healthy).all():
        study = replace(study, healthy=read_healthy(language_model, windows, cancel=cancel))
    yield study
    readings = read_each(language_model, windows, units, study, cancel=cancel)
    for (row, column), losses in readings:
        study = _with_losses(study, row, column, losses)
        yield study


def _study_inputs(
    language_model: LanguageModel, stimuli: Stimuli, order: LesionOrder
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the inputs of a single reading, and those of the study."""
    settings = order.settings.to_json()
    n_random = settings.pop("n_random")
    reading_inputs = {
        "fingerprint": language_model.fingerprint,
        "dtype": str(language_model.dtype),
        "device": language_model.device.type,
        "text_sha256": stimuli.windows.text_sha256,
        "window": stimuli.windows.window,
        "decomposition_id": order.decomposition_id,
        "settings": settings,
    }
    inputs = {
        **reading_inputs,
        "n_random": n_random,
        "lesions": [[list(lesion.networks), lesion.strength] for lesion in order.lesions],
        "columns": list(stimuli.columns),
        "unit": stimuli.texts.unit.tolist(),
        "pairs": [list(pair) for pair in stimuli.pairs],
    }
    return reading_inputs, inputs


def _with_losses(
    study: LesionStudy, row: int, column: int, losses: NDArray[np.float64] | NonFiniteError
) -> LesionStudy:
    """Return the study with one more reading, or one more that failed."""
    if isinstance(losses, NonFiniteError):
        lesion = study.lesions[row]
        prefix = "" if column == 0 else f"random lesion {column} of "
        names = ", ".join(map(str, lesion.networks))
        return study.with_failure(
            f"{prefix}network {names} at strength {lesion.strength:g}: {losses.message}"
        )
    nll = study.nll.copy()
    nll[row, column] = losses
    return replace(study, nll=nll)


def _unread_study(
    order: LesionOrder,
    atlas: NetworkAtlas,
    language_model: LanguageModel,
    stimuli: Stimuli,
    drawn: StudyUnits,
) -> LesionStudy:
    shape = (len(order.lesions), 1 + order.settings.n_random)
    units = [[drawn.units(row, column) for column in range(shape[1])] for row in range(shape[0])]
    magnitudes = drawn.sites.magnitudes
    return LesionStudy(
        facts=Facts(
            decomposition_id=atlas.id,
            maps_fingerprint=atlas.maps_fingerprint,
            model_name=language_model.name,
            lesions=order.lesions,
            settings=order.settings,
            columns=stimuli.columns,
            pairs=stimuli.pairs,
            unit=stimuli.unit,
            protocol=protocol_of(language_model.model, stimuli.windows),
        ),
        texts=stimuli.texts,
        healthy=np.full(stimuli.windows.n_windows, np.nan),
        nll=np.full((*shape, stimuli.windows.n_windows), np.nan),
        n_units=np.array([row[0].sum() for row in units], dtype=np.int64),
        magnitude=np.array(
            [[magnitudes[lesion_units].sum() for lesion_units in row] for row in units]
        ),
    )
