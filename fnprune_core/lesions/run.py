"""Run a lesion study: every lesion, then rounds of matched random ones; stopped and resumed."""

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.decomposition.fingerprint import compare
from fnprune_core.decomposition.numbering import check_numbers, fingerprint_at
from fnprune_core.errors import (
    ArtifactNotFoundError,
    CorruptArtifactError,
    NetworksMovedError,
    NonFiniteError,
    SettingsError,
)
from fnprune_core.evaluation.compare import check_overlap
from fnprune_core.evaluation.perplexity import perplexity_stream, protocol_of
from fnprune_core.lesions.sites import Lesion, LesionSettings, LesionSites, Stimuli, silence
from fnprune_core.lesions.study import Facts, LesionStudy
from fnprune_core.machine import memory, workers
from fnprune_core.machine.workers import ModelAddress
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.folders import exclusive, new_folder, storage_errors
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import Windows

KIND = "lesions"
READING = "reading under lesions"


MOST_LESIONS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionOrder:
    """Order for a lesion study: the lesions to make.

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
        if len(self.lesions) > MOST_LESIONS:
            raise SettingsError(
                f"These are {len(self.lesions):,} lesions, at most {MOST_LESIONS:,} are made.",
                hint="Choose fewer networks or strengths.",
            )
        if not self.lesions:
            raise SettingsError(
                "No network was chosen, so there is no lesion to make.",
                hint="Choose at least one network, or silence each in turn.",
            )


def graded(networks: Sequence[int], strengths: Sequence[float]) -> tuple[Lesion, ...]:
    """Return lesions of one set of networks at several strengths."""
    return tuple(
        Lesion(networks=tuple(networks), strength=strength) for strength in sorted(set(strengths))
    )


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
    readings = _Readings(order, sites)
    facts = {"model_name": language_model.name, "decomposition_id": atlas.id}
    manifest = manifest_of(KIND, inputs, {**facts, "base": reading_inputs})
    run = _StudyRun(workspace, id, language_model, stimuli, manifest, cancel)
    with run.alone():
        if not workspace.has(KIND, id):
            _read_lesions(workspace, run, order, atlas, readings, progress, on_partial)
    return id


def _read_lesions(
    workspace: Workspace,
    run: "_StudyRun",
    order: LesionOrder,
    atlas: NetworkAtlas,
    readings: "_Readings",
    progress: Progress,
    on_partial: Callable[[LesionStudy], None],
) -> None:
    """Read what is missing of a study, keep it after each lesion, and store it when whole."""
    language_model, stimuli = run.language_model, run.stimuli
    study = run.resumed(atlas) or _unread_study(order, atlas, language_model, stimuli, readings)
    earlier = _earlier_readings(workspace, run.manifest["base"], run.id)
    study = _with_earlier_readings(study, earlier)
    n_total = study.is_done.size + 1

    def report(current: LesionStudy) -> None:
        n_read = (
            current.n_done + len(current.facts.failures) + int(np.isfinite(current.healthy).all())
        )
        progress(ProgressEvent(stage=READING, done=n_read, total=n_total, unit="lesions"))
        on_partial(current)

    if not np.isfinite(study.healthy).all():
        study = replace(study, healthy=run.read_healthy())
        run.keep(study)
    report(study)
    for (row, column), losses in run.read_each(study, readings):
        study = _with_losses(study, row, column, losses)
        run.keep(study)
        report(study)
    with new_folder(workspace.folder(KIND, run.id)) as target:
        study.save(target)
        write_json(target / MANIFEST, run.manifest)
    run.discard()


def open_lesions(workspace: Workspace, study_id: str, *, match: bool = False) -> LesionStudy:
    """Return a lesion study of the workspace; the id may be an unambiguous beginning.

    Parameters
    ----------
    match : bool
        Number the networks as the atlas that is here, where it was made anew and numbers them
        otherwise.

    Raises
    ------
    NetworksMovedError
        If it does, and no match was asked for or a network is not there any more.
    """
    folder = workspace.existing(KIND, study_id)
    study = LesionStudy.load(folder)
    renumbering = check_numbers(
        study.facts.maps_fingerprint, workspace, study.facts.decomposition_id,
        what=f"Lesion study {folder.name}", match=match,
    )  # fmt: skip
    if renumbering is None:
        return study
    return study.renumbered(renumbering, fingerprint_at(workspace, study.facts.decomposition_id))


def lesion_studies(workspace: Workspace, decomposition_id: str) -> list[str]:
    """Return the ids of an atlas's whole studies, newest first."""
    return [
        entry.id
        for entry in workspace.entries(KIND)
        if entry.manifest.get("decomposition_id") == decomposition_id
    ]


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


class _Readings:
    """The units of each reading; checked before the first, held as packed bits."""

    def __init__(self, order: LesionOrder, sites: LesionSites) -> None:
        self.order, self.sites = order, sites
        units_by_networks: dict[tuple[int, ...], list[NDArray[np.bool_]]] = {}
        for lesion in order.lesions:
            if lesion.networks not in units_by_networks:
                draws = [None, *range(order.settings.n_random)]
                units_by_networks[lesion.networks] = [
                    sites.units(lesion.networks, draw) for draw in draws
                ]
        self._units = {
            key: [np.packbits(units) for units in value] for key, value in units_by_networks.items()
        }

    def units(self, row: int, column: int) -> NDArray[np.bool_]:
        """Return the units of a lesion (column 0) or of one of its random lesions."""
        packed = self._units[self.order.lesions[row].networks][column]
        return np.unpackbits(packed, count=self.sites.layout.n_units).astype(bool)

    def missing(self, study: LesionStudy) -> Iterator[tuple[int, int]]:
        """Yield the rows and columns to be read: all lesions, all first random ones, and so on."""
        is_done = study.is_done
        for column in range(is_done.shape[1]):
            for row in range(is_done.shape[0]):
                if not is_done[row, column]:
                    yield row, column


class _StudyRun:
    """Reads the texts, and keeps the partial study in the workspace."""

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        language_model: LanguageModel,
        stimuli: Stimuli,
        manifest: dict[str, Any],
        cancel: CancelToken,
    ) -> None:
        self.id, self.manifest, self.cancel = id, manifest, cancel
        self.language_model, self.stimuli = language_model, stimuli
        self.folder = workspace.resumable_folder(KIND, id)

    def read_healthy(self) -> NDArray[np.float64]:
        """Return −log p of each window by the healthy model."""
        no_units = [np.empty(0, dtype=np.int64)] * self.language_model.layout.n_layers
        healthy = partial(silenced, self.language_model, no_units)
        return _window_losses(
            self.language_model, self.stimuli.windows, healthy, cancel=self.cancel
        )

    def read_each(
        self, study: LesionStudy, readings: "_Readings"
    ) -> Iterator[tuple[tuple[int, int], NDArray[np.float64] | NonFiniteError]]:
        """Yield row, column and losses of what a study lacks: here in order, or as workers do."""
        places: list[tuple[int, int]] = []
        for row, column in readings.missing(study):
            if study.lesions[row].strength == 0:  # changes nothing
                yield (row, column), study.healthy
            else:
                places.append((row, column))
        if not workers.is_spread():
            for row, column in places:
                lesion, units = study.lesions[row], readings.units(row, column)
                context = partial(readings.sites.silence, units, lesion)
                yield (
                    (row, column),
                    _losses_or_why(
                        self.language_model, self.stimuli.windows, context, cancel=self.cancel
                    ),
                )
            return
        tasks = [
            _Reading(
                model=ModelAddress.of(self.language_model),
                windows=self.stimuli.windows,
                lesion=study.lesions[row],
                units=np.packbits(readings.units(row, column)),
                centre=readings.sites.centre,
            )
            for row, column in places
        ]
        for number, losses in workers.each(_Reading.losses, tasks, cancel=self.cancel):
            yield places[number], losses

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from the same study."""
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(self.folder, what="This study"):
            yield

    def _kept(self) -> list[Path]:
        """Return the stored partial studies, the newest first: one, or two for a moment."""
        numbered = (path for path in self.folder.iterdir() if path.name.isdecimal())
        return sorted(numbered, key=lambda path: int(path.name), reverse=True)

    def resumed(self, atlas: NetworkAtlas) -> LesionStudy | None:
        """Return the partial study of a stopped run; None without one of these very networks."""
        for folder in self._kept():
            with suppress(CorruptArtifactError, ArtifactNotFoundError):
                study = LesionStudy.load(folder)
                there = study.facts.maps_fingerprint
                if there is None or compare(there, atlas.maps_fingerprint).is_same:
                    return study
        return None

    def keep(self, study: LesionStudy) -> None:
        """Store the partial study, then delete the one before."""
        earlier = self._kept()
        number = int(earlier[0].name) + 1 if earlier else 0
        with new_folder(self.folder / str(number)) as folder:
            study.save(folder)
            write_json(folder / MANIFEST, self.manifest)
        for path in earlier:
            shutil.rmtree(path, ignore_errors=True)

    def discard(self) -> None:
        """Delete the partial study: the whole one is stored."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Reading:
    """One reading of the texts under a lesion, as it is sent to a worker.

    Parameters
    ----------
    units : ndarray
        Packed bits of the units that are scaled.
    centre : ndarray (n_units,), optional
        Values towards which they are.
    """

    model: ModelAddress
    windows: Windows
    lesion: Lesion
    units: NDArray[np.uint8]
    centre: NDArray[np.float32] | None

    def losses(self) -> NDArray[np.float64] | NonFiniteError:
        """Return −log p of each window, read by the model of this process; or why there is none."""
        language_model = self.model.model()
        is_taken = np.unpackbits(self.units, count=language_model.layout.n_units).astype(bool)
        context = partial(silence, language_model, is_taken, self.lesion, centre=self.centre)
        return _losses_or_why(language_model, self.windows, context)


def _losses_or_why(
    language_model: LanguageModel,
    windows: Windows,
    context: Callable[[], Any],
    *,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64] | NonFiniteError:
    """Return −log p of each window under a lesion, or why there is none."""
    try:
        return _window_losses(language_model, windows, context, cancel=cancel)
    except NonFiniteError as error:
        return error


def _window_losses(
    language_model: LanguageModel,
    windows: Windows,
    context: Callable[[], Any],
    *,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64]:
    """Return −log p of each window under a condition."""
    stream = perplexity_stream(
        language_model.model,
        windows,
        context=context,
        on_pass=partial(language_model.pace.note, "reading"),
        cancel=cancel,
    )
    return deque(stream, maxlen=1).pop().window_nll


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
    readings: _Readings,
) -> LesionStudy:
    shape = (len(order.lesions), 1 + order.settings.n_random)
    units = [[readings.units(row, column) for column in range(shape[1])] for row in range(shape[0])]
    magnitudes = readings.sites.magnitudes
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


_Key = tuple[tuple[int, ...], float, int]


def _earlier_readings(
    workspace: Workspace, base: Mapping[str, Any], own_id: str
) -> dict[_Key | None, NDArray[np.float64]]:
    """Return other studies' readings under the same conditions; None is the healthy model's key."""
    readings: dict[_Key | None, NDArray[np.float64]] = {}
    for entry in workspace.entries(KIND):
        if entry.id == own_id or entry.manifest.get("base") != base:
            continue
        with suppress(CorruptArtifactError, NetworksMovedError):
            study = open_lesions(workspace, entry.id)
            readings[None] = study.healthy
            for row, column in np.argwhere(study.is_done).tolist():
                lesion = study.lesions[row]
                readings[lesion.networks, lesion.strength, column] = study.nll[row, column]
    return readings


def _with_earlier_readings(
    study: LesionStudy, readings: Mapping[_Key | None, NDArray[np.float64]]
) -> LesionStudy:
    nll = study.nll.copy()
    for row, column in np.argwhere(~study.is_done).tolist():
        lesion = study.lesions[row]
        losses = readings.get((lesion.networks, lesion.strength, column))
        if losses is not None:
            nll[row, column] = losses
    return replace(study, nll=nll, healthy=readings.get(None, study.healthy))


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionEstimate:
    """Readings, tokens and seconds that a study takes."""

    n_readings: int
    n_tokens: int
    seconds: float


def estimate_lesions(
    language_model: LanguageModel, stimuli: Stimuli, order: LesionOrder
) -> LesionEstimate:
    """Return the most that a study will take."""
    windows = stimuli.windows
    n_readings = 1 + len(order.lesions) * (1 + order.settings.n_random)
    per_token = language_model.seconds_per_token("reading")
    return LesionEstimate(
        n_readings=n_readings,
        n_tokens=windows.n_tokens,
        seconds=per_token * windows.n_tokens * n_readings,
    )
