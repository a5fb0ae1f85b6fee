"""Perplexity of several plans on the same windows, batch by batch in turn, stopped and resumed."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from fnprune_core.errors import CorruptArtifactError, NonFiniteError, OverlapError
from fnprune_core.evaluation.perplexity import perplexity_stream, protocol_of
from fnprune_core.evaluation.results import RESULT_FILE, Perplexity
from fnprune_core.machine import memory
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.models.sources.finite import not_finite_hint
from fnprune_core.plans.files import StoredPlan, stored_plan
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.recording.recording import Recording, open_recording
from fnprune_core.storage.folders import delete_folder, storage_errors
from fnprune_core.storage.json_files import write_checked_json
from fnprune_core.storage.manifests import artifact_id
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.cutting import cut_windows, shared_run
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

OVERLAP_LENGTH = 50


def evaluation_windows(
    language_model: LanguageModel,
    documents: Sequence[Document],
    *,
    window: int = 512,
    max_windows: int | None = None,
    pack: bool = False,
    chat: bool = False,
) -> Windows:
    """Return the windows on which perplexity is measured."""
    language_model.check_window(window)
    return cut_windows(
        documents,
        language_model.tokenizer,
        window=window,
        n_dummy_tokens=0,
        pack=pack,
        max_tokens=None if max_windows is None else max_windows * window,
        chat=chat,
    )


def check_overlap(recording: Recording, windows: Windows) -> None:
    """Raise `OverlapError` if calibration and evaluation share a run of 50 tokens."""
    position = shared_run(recording.windows, windows, length=OVERLAP_LENGTH)
    if position is not None:
        document = windows.document_names[windows.document_index[position]]
        raise OverlapError(
            f"The evaluation text shares a run of {OVERLAP_LENGTH} tokens with the calibration "
            f"text (in {document!r}, token {position}), so its perplexity would not be a result.",
            hint="Evaluate on a text that the recording did not read.",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Condition:
    """One model state to evaluate: dense, or silenced by a plan."""

    id: str
    inputs: dict[str, Any]
    facts: dict[str, Any]
    context: Callable[[], AbstractContextManager[None]]


class _OverlapChecks:
    """Checks an evaluation text against the recordings that plans were calibrated on, each once."""

    def __init__(self, workspace: Workspace, windows: Windows) -> None:
        self.workspace, self.windows = workspace, windows
        self._is_checked: dict[str, bool] = {}

    def check(self, recording_id: str) -> bool:
        """Return whether the recording exists; raise OverlapError if it shares a passage."""
        if recording_id not in self._is_checked:
            is_here = self.workspace.has("recordings", recording_id)
            if is_here:
                check_overlap(open_recording(self.workspace, recording_id), self.windows)
            self._is_checked[recording_id] = is_here
        return self._is_checked[recording_id]


@contextmanager
def _silenced_by(language_model: LanguageModel, stored: StoredPlan) -> Iterator[None]:
    """Silence a plan's units for one pass, with its refits in memory only for so long."""
    with silenced(language_model, stored.plan.removed, refits=stored.refits()):
        yield


def _condition(
    language_model: LanguageModel, plan_id: str | None, overlaps: _OverlapChecks
) -> _Condition:
    workspace, windows = overlaps.workspace, overlaps.windows
    inputs: dict[str, Any] = {
        "fingerprint": language_model.fingerprint,
        "dtype": str(language_model.dtype),
        "device": language_model.device.type,
        "text_sha256": windows.text_sha256,
        "window": windows.window,
        "cut_key": "dense",
    }
    facts: dict[str, Any] = {"model_name": language_model.name, "plan_id": plan_id or ""}
    context: Callable[[], AbstractContextManager[None]] = partial(
        silenced, language_model, [np.empty(0, dtype=np.int64)] * language_model.layout.n_layers
    )
    if plan_id is not None:
        stored = stored_plan(workspace, plan_id)
        language_model.check_fingerprint(stored.plan.fingerprint, "plan")
        facts["is_overlap_checked"] = overlaps.check(stored.plan.recording_id)
        inputs["cut_key"] = stored.cut_key
        context = partial(_silenced_by, language_model, stored)
    return _Condition(
        id=artifact_id("evaluations", inputs), inputs=inputs, facts=facts, context=context
    )


class _PartialFile:
    """A partial result in the workspace, from which a stopped evaluation goes on."""

    def __init__(self, workspace: Workspace, evaluation_id: str) -> None:
        self.folder = workspace.resumable_folder("evaluations", evaluation_id)

    def read(self) -> Perplexity | None:
        """Return the partial result, or None if there is none or its file is damaged."""
        try:
            return Perplexity.read(self.folder / RESULT_FILE)
        except CorruptArtifactError:
            return None

    def write(self, result: Perplexity) -> None:
        """Replace the stored partial result, by one rename."""
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            # Gone in between only if another process has just finished the same evaluation.
            with suppress(FileNotFoundError):
                write_checked_json(self.folder / RESULT_FILE, result.to_json())

    def discard(self) -> None:
        """Delete the partial result: the whole one is stored."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(slots=True, kw_only=True, eq=False)
class _EvaluationRun:
    """A running evaluation: the labels that wait for it, and its result so far."""

    condition: _Condition
    partial_file: _PartialFile
    so_far: Perplexity
    stream: Iterator[Perplexity]
    labels: list[str] = field(default_factory=list)

    def step(self) -> Perplexity:
        """Read one more batch and return the result so far, with a plan's failure noted in it."""
        try:
            self.so_far = next(self.stream)
        except NonFiniteError as error:
            if self.condition.inputs["cut_key"] == "dense":
                raise
            self.so_far = replace(self.so_far, failure=error.message)
        return self.so_far

    def store(self, workspace: Workspace) -> bool:
        """Write the result, partial or whole; return whether nothing more will come."""
        is_final = self.so_far.is_complete or bool(self.so_far.failure)
        if is_final:
            target = workspace.folder("evaluations", self.condition.id)
            self.so_far.save(target, self.condition.inputs, self.condition.facts)
            self.partial_file.discard()
        else:
            self.partial_file.write(self.so_far)
        return is_final


def _start_run(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    condition: _Condition,
    *,
    batch_size: int | None,
    cancel: CancelToken,
) -> _EvaluationRun:
    partial_file = _PartialFile(workspace, condition.id)
    protocol = protocol_of(language_model.model, windows)
    so_far = partial_file.read()
    if so_far is None or so_far.protocol != protocol:
        no_windows = np.empty(0, dtype=np.int64)
        so_far = Perplexity(
            window_nll=np.empty(0),
            window_tokens=no_windows,
            groups=no_windows,
            protocol=protocol,
            domain_names=windows.domain_names,
        )
    stream = perplexity_stream(
        language_model.model,
        windows,
        batch_size=batch_size,
        context=condition.context,
        on_pass=partial(language_model.pace.note, "reading"),
        so_far=so_far,
        cancel=cancel,
    )
    return _EvaluationRun(
        condition=condition, partial_file=partial_file, so_far=so_far, stream=stream
    )


def _finished_result(workspace: Workspace, evaluation_id: str) -> Perplexity | None:
    """Return a finished result or None; one that cannot be read goes, to be measured again."""
    if not workspace.has("evaluations", evaluation_id):
        return None
    folder = workspace.folder("evaluations", evaluation_id)
    try:
        return Perplexity.load(folder)
    except CorruptArtifactError:
        delete_folder(folder)
        return None


@memory.kept()
def compare(  # noqa: PLR0913 - what is compared, how far, and who is told of it
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    plan_ids: Mapping[str, str | None],
    batch_size: int | None = None,
    most_batches: int | None = None,
    on_partial: Callable[[str, Perplexity], None] = lambda label, result: None,
    cancel: CancelToken = NEVER,
) -> dict[str, str]:
    """Evaluate several plans on the same windows, batch by batch in turn; return evaluation ids.

    What was read is kept after each batch: stopped, the same call goes on from there. A plan
    whose loss is not finite is a result that says so (`Perplexity.failure`); the others go on.

    Parameters
    ----------
    plan_ids : mapping
        Label to plan id; None for the dense model.
    most_batches : int, optional
        Leave off after so many batches of each; the same call without it goes on from there. With
        0, what is known already is told, and nothing is read.
    on_partial : callable
        Called with the label and the result so far after each batch; once for finished work.

    Raises
    ------
    OverlapError
        If a plan was calibrated on this text.
    NonFiniteError
        If a loss of the dense model is not finite.

    Notes
    -----
    Memory: the refits of one plan at a time, read anew for each batch.
    """
    overlaps = _OverlapChecks(workspace, windows)
    conditions = {
        label: _condition(language_model, plan_id, overlaps) for label, plan_id in plan_ids.items()
    }
    runs: dict[str, _EvaluationRun] = {}
    for label, condition in conditions.items():
        result = _finished_result(workspace, condition.id)
        if result is None:
            if condition.id not in runs:  # else the same cut under another name: measured once
                runs[condition.id] = _start_run(
                    workspace, language_model, windows, condition,
                    batch_size=batch_size, cancel=cancel,
                )  # fmt: skip
            runs[condition.id].labels.append(label)
            result = runs[condition.id].so_far
        if len(result.window_nll) or result.failure:
            on_partial(label, result)
    n_batches = 0
    while runs and n_batches != most_batches:
        n_batches += 1
        for id, run in list(runs.items()):
            result = run.step()
            for label in run.labels:
                on_partial(label, result)
            if run.store(workspace):
                del runs[id]
    return {label: condition.id for label, condition in conditions.items()}


def n_to_read(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    plan_ids: Iterable[str | None],
) -> int:
    """Return how many windows are still to be read for plans, or for the dense model (None)."""
    overlaps = _OverlapChecks(workspace, windows)
    ids = {_condition(language_model, plan_id, overlaps).id for plan_id in plan_ids}
    protocol = protocol_of(language_model.model, windows)
    n_windows = 0
    for id in ids:
        if not workspace.has("evaluations", id):
            so_far = _PartialFile(workspace, id).read()
            is_kept = so_far is not None and so_far.protocol == protocol
            n_windows += windows.n_windows - (len(so_far.windows) if so_far and is_kept else 0)
    return n_windows


def evaluate(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    plan_id: str | None = None,
    on_partial: Callable[[Perplexity], None] = lambda result: None,
    cancel: CancelToken = NEVER,
) -> str:
    """Measure the perplexity of the dense model or of a plan; return the evaluation's id.

    Raises
    ------
    NonFiniteError
        If a loss is not finite.
    """
    id = compare(
        workspace,
        language_model,
        windows,
        plan_ids={"": plan_id},
        on_partial=lambda _, result: on_partial(result),
        cancel=cancel,
    )[""]
    failure = Perplexity.load(workspace.folder("evaluations", id)).failure
    if failure:
        raise NonFiniteError(failure, hint=not_finite_hint(language_model.dtype))
    return id
