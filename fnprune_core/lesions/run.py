"""Run a lesion study: every lesion, then rounds of matched random ones; stopped and resumed."""

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.errors import CorruptArtifactError, NonFiniteError, SettingsError
from fnprune_core.evaluation.compare import check_overlap
from fnprune_core.evaluation.perplexity import perplexity_stream, protocol_of
from fnprune_core.lesions.sites import Lesion, LesionSettings, LesionSites, Stimuli
from fnprune_core.lesions.study import Facts, LesionStudy
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.estimates import seconds_per_token
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage import (
    MANIFEST,
    Workspace,
    artifact_id,
    manifest_of,
    new_folder,
    storage_errors,
    write_json,
)

KIND = "lesions"
READING = "reading under lesions"
BATCH_TOKENS = 1024
_LESIONED = 1.05  # seconds of a pass under a lesion, over those of the healthy model


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionOrder:
    """Which lesions a study makes.

    Parameters
    ----------
    decomposition_id : str
    lesions : tuple of Lesion
        Row by row; without repetition.
    settings : LesionSettings
    """

    decomposition_id: str
    lesions: tuple[Lesion, ...]
    settings: LesionSettings = LesionSettings()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        object.__setattr__(self, "lesions", tuple(dict.fromkeys(self.lesions)))
        if not self.lesions:
            raise SettingsError(
                "No network was chosen, so there is no lesion to make.",
                hint="Choose at least one network, or silence each in turn.",
            )


def each_network(n_networks: int, *, strength: float = 1.0) -> tuple[Lesion, ...]:
    """Return a lesion of every network by itself."""
    return tuple(Lesion(networks=(k,), strength=strength) for k in range(n_networks))


def graded(networks: Sequence[int], strengths: Sequence[float]) -> tuple[Lesion, ...]:
    """Return lesions of one set of networks at several strengths."""
    return tuple(Lesion(networks=tuple(networks), strength=s) for s in sorted(set(strengths)))


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
        Told the study after each lesion.

    Raises
    ------
    SettingsError
        If a lesion takes no unit, or all, or finds no match; see `LesionSites`.
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
    check_overlap(recording, stimuli.windows)
    base, inputs = _inputs(language_model, stimuli, replace(order, decomposition_id=atlas.id))
    id = artifact_id(KIND, inputs)
    if workspace.has(KIND, id):
        on_partial(open_lesions(workspace, id))
        return id
    plan = _Plan(order, sites)
    run = _StudyRun(workspace, id, language_model, stimuli, cancel)
    study = run.resumed() or _empty(order, atlas.id, language_model, stimuli, plan)
    study = _with_known(study, _known(workspace, base, run.id))
    n_total = study.is_done.size + 1

    def told(found: LesionStudy) -> None:
        n_read = found.n_done + len(found.facts.failures) + int(np.isfinite(found.healthy).all())
        progress(ProgressEvent(stage=READING, done=n_read, total=n_total, unit="lesions"))
        on_partial(found)

    if not np.isfinite(study.healthy).all():
        study = replace(study, healthy=run.read(None))
        run.keep(study)
    told(study)
    for row, column in plan.missing(study):
        study = _read(study, row, column, plan, run)
        run.keep(study)
        told(study)
    facts = {"model_name": language_model.name, "decomposition_id": atlas.id}
    with new_folder(workspace.folder(KIND, id)) as target:
        study.save(target)
        write_json(target / MANIFEST, manifest_of(KIND, inputs, {**facts, "base": base}))
    run.discard()
    return id


def open_lesions(workspace: Workspace, study_id: str) -> LesionStudy:
    """Return a lesion study of the workspace; the id may be an unambiguous beginning."""
    return LesionStudy.load(workspace.existing(KIND, study_id))


def lesion_studies(workspace: Workspace, decomposition_id: str) -> list[str]:
    """Return the ids of an atlas's whole studies, newest first."""
    return [
        entry.id
        for entry in workspace.entries(KIND)
        if entry.manifest.get("decomposition_id") == decomposition_id
    ]


def _inputs(
    language_model: LanguageModel, stimuli: Stimuli, order: LesionOrder
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a single reading depends on, and what the study depends on."""
    settings = order.settings.to_json()
    n_random = settings.pop("n_random")
    base = {
        "fingerprint": language_model.fingerprint,
        "dtype": str(language_model.dtype),
        "device": language_model.device.type,
        "text_sha256": stimuli.windows.text_sha256,
        "window": stimuli.windows.window,
        "decomposition_id": order.decomposition_id,
        "settings": settings,
    }
    inputs = {
        **base,
        "n_random": n_random,
        "lesions": [[list(each.networks), each.strength] for each in order.lesions],
        "columns": list(stimuli.columns),
        "unit": stimuli.texts.unit.tolist(),
        "pairs": [list(pair) for pair in stimuli.pairs],
    }
    return base, inputs


class _Plan:
    """The units of each reading; checked before the first, held as packed bits."""

    def __init__(self, order: LesionOrder, sites: LesionSites) -> None:
        self.order, self.sites = order, sites
        made: dict[tuple[int, ...], list[NDArray[np.bool_]]] = {}
        for lesion in order.lesions:
            if lesion.networks not in made:
                draws = [None, *range(order.settings.n_random)]
                made[lesion.networks] = [sites.units(lesion.networks, draw) for draw in draws]
        self._units = {key: [np.packbits(each) for each in value] for key, value in made.items()}

    def units(self, row: int, column: int) -> NDArray[np.bool_]:
        """Return the units of a lesion (column 0) or of one of its random lesions."""
        packed = self._units[self.order.lesions[row].networks][column]
        return np.unpackbits(packed, count=self.sites.layout.n_units).astype(bool)

    def missing(self, study: LesionStudy) -> Iterator[tuple[int, int]]:
        """Yield what is to be read: all lesions, then all first random ones, and so on."""
        done = study.is_done
        for column in range(done.shape[1]):
            for row in range(done.shape[0]):
                if not done[row, column]:
                    yield row, column


class _StudyRun:
    """Reads the texts, and keeps in the workspace what was read so far."""

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        language_model: LanguageModel,
        stimuli: Stimuli,
        cancel: CancelToken,
    ) -> None:
        self.id, self.cancel = id, cancel
        self.language_model, self.stimuli = language_model, stimuli
        self.folder = workspace.resumable_folder(KIND, id)

    def read(self, context: Callable[[], Any] | None) -> NDArray[np.float64]:
        """Return −log p of each window under a condition; the healthy model's if None."""
        nothing = [np.empty(0, dtype=np.int64)] * self.language_model.layout.n_layers
        stream = perplexity_stream(
            self.language_model.model,
            self.stimuli.windows,
            batch_size=max(1, BATCH_TOKENS // self.stimuli.windows.window),
            context=context or partial(silenced, self.language_model, nothing),
            cancel=self.cancel,
        )
        return deque(stream, maxlen=1).pop().window_nll

    def resumed(self) -> LesionStudy | None:
        """Return what a stopped study had read, or None; damaged is as good as none."""
        try:
            return LesionStudy.load(self.folder, is_partial=True)
        except CorruptArtifactError:
            return None

    def keep(self, study: LesionStudy) -> None:
        """Keep a partial study in place of the one before, by one rename."""
        fresh = self.folder.with_name(f"{self.folder.name}-new")
        with storage_errors(self.folder):
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            study.save(fresh)
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(FileNotFoundError):
                fresh.rename(self.folder)

    def discard(self) -> None:
        """Forget it: the whole study is stored."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _read(study: LesionStudy, row: int, column: int, plan: _Plan, run: _StudyRun) -> LesionStudy:
    """Return the study with one more reading, or one more that failed."""
    lesion, units = study.lesions[row], plan.units(row, column)
    try:
        losses = (
            study.healthy
            if lesion.strength == 0
            else run.read(partial(plan.sites.silence, units, lesion))
        )
    except NonFiniteError as error:
        what = "" if column == 0 else f"random lesion {column} of "
        named = ", ".join(map(str, lesion.networks))
        failure = f"{what}network {named} at strength {lesion.strength:g}: {error.message}"
        return study.with_failure(failure)
    nll = study.nll.copy()
    nll[row, column] = losses
    return replace(study, nll=nll)


def _empty(
    order: LesionOrder,
    decomposition_id: str,
    language_model: LanguageModel,
    stimuli: Stimuli,
    plan: _Plan,
) -> LesionStudy:
    shape = (len(order.lesions), 1 + order.settings.n_random)
    units = [[plan.units(row, column) for column in range(shape[1])] for row in range(shape[0])]
    magnitudes = plan.sites.magnitudes
    return LesionStudy(
        facts=Facts(
            decomposition_id=decomposition_id,
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
        magnitude=np.array([[magnitudes[each].sum() for each in row] for row in units]),
    )


_Key = tuple[tuple[int, ...], float, int]


def _known(
    workspace: Workspace, base: Mapping[str, Any], own_id: str
) -> dict[_Key | None, NDArray[np.float64]]:
    """Return what other studies read under the same conditions; None for the healthy model."""
    found: dict[_Key | None, NDArray[np.float64]] = {}
    for entry in workspace.entries(KIND):
        if entry.id == own_id or entry.manifest.get("base") != base:
            continue
        with suppress(CorruptArtifactError):
            other = LesionStudy.load(entry.path)
            found[None] = other.healthy
            for row, column in np.argwhere(other.is_done).tolist():
                lesion = other.lesions[row]
                found[lesion.networks, lesion.strength, column] = other.nll[row, column]
    return found


def _with_known(
    study: LesionStudy, known: Mapping[_Key | None, NDArray[np.float64]]
) -> LesionStudy:
    nll = study.nll.copy()
    for row, column in np.argwhere(~study.is_done).tolist():
        lesion = study.lesions[row]
        held = known.get((lesion.networks, lesion.strength, column))
        if held is not None:
            nll[row, column] = held
    return replace(study, nll=nll, healthy=known.get(None, study.healthy))


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionEstimate:
    """What a study takes, before it starts."""

    n_readings: int
    n_tokens: int
    seconds: float


def estimate_lesions(
    language_model: LanguageModel, stimuli: Stimuli, order: LesionOrder
) -> LesionEstimate:
    """Return what a study will take at most, from one timed pass."""
    windows = stimuli.windows
    n = 1 + len(order.lesions) * (1 + order.settings.n_random)
    per_token = seconds_per_token(language_model, windows)
    return LesionEstimate(
        n_readings=n,
        n_tokens=windows.n_tokens,
        seconds=per_token * windows.n_tokens * n * _LESIONED,
    )
