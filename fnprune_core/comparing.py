"""Perplexity of several plans on the same windows, batch by batch in turn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fnprune_core.artifacts import open_plan, open_recording, open_refits
from fnprune_core.corpora import Document, Windows, cut_windows, shared_run
from fnprune_core.errors import OverlapError
from fnprune_core.evaluation import Perplexity, perplexity_stream
from fnprune_core.models import LanguageModel
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.recording import Recording
from fnprune_core.silencing import silenced
from fnprune_core.storage import Workspace, artifact_id, read_manifest

OVERLAP_LENGTH = 50


def evaluation_windows(
    language_model: LanguageModel,
    documents: Sequence[Document],
    *,
    window: int = 512,
    max_windows: int | None = None,
    pack: bool = False,
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
        """Return whether the recording is here to be checked; raise if it shares a passage."""
        if recording_id not in self._is_checked:
            is_here = self.workspace.has("recordings", recording_id)
            if is_here:
                check_overlap(open_recording(self.workspace, recording_id), self.windows)
            self._is_checked[recording_id] = is_here
        return self._is_checked[recording_id]


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
        made = open_plan(workspace, plan_id)
        language_model.check_fingerprint(made.fingerprint, "plan")
        facts["is_overlap_checked"] = overlaps.check(made.recording_id)
        folder = workspace.existing("plans", plan_id)
        inputs["cut_key"] = read_manifest(folder)["cut_key"]
        context = partial(
            silenced, language_model, made.removed, refits=open_refits(workspace, plan_id)
        )
    return _Condition(
        id=artifact_id("evaluations", inputs), inputs=inputs, facts=facts, context=context
    )


def compare(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    plan_ids: Mapping[str, str | None],
    batch_size: int = 4,
    on_partial: Callable[[str, Perplexity], None] = lambda label, result: None,
    cancel: CancelToken = NEVER,
) -> dict[str, str]:
    """Evaluate several plans on the same windows, batch by batch in turn; return evaluation ids.

    Parameters
    ----------
    plan_ids : mapping
        Label to plan id; None for the dense model.
    on_partial : callable
        Told the label and the result so far after each batch; finished work is told once.

    Raises
    ------
    OverlapError
        If a plan was calibrated on this text.
    """
    overlaps = _OverlapChecks(workspace, windows)
    conditions = {
        label: _condition(language_model, plan_id, overlaps) for label, plan_id in plan_ids.items()
    }
    streams: dict[str, Iterator[Perplexity]] = {}
    waiting: dict[str, list[str]] = {}
    for label, condition in conditions.items():
        if workspace.has("evaluations", condition.id):
            on_partial(label, Perplexity.load(workspace.folder("evaluations", condition.id)))
        elif condition.id in waiting:  # the same cut under another name: measured once
            waiting[condition.id].append(label)
        else:
            waiting[condition.id] = [label]
            streams[label] = perplexity_stream(
                language_model.model,
                windows,
                batch_size=batch_size,
                context=condition.context,
                cancel=cancel,
            )
    while streams:
        for label in list(streams):
            condition = conditions[label]
            result = next(streams[label], None)
            if result is None:
                del streams[label]
                continue
            for each in waiting[condition.id]:
                on_partial(each, result)
            if result.is_complete:
                target = workspace.folder("evaluations", condition.id)
                result.save(target, condition.inputs, condition.facts)
    return {label: condition.id for label, condition in conditions.items()}


def evaluate(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    plan_id: str | None = None,
    on_partial: Callable[[Perplexity], None] = lambda result: None,
    cancel: CancelToken = NEVER,
) -> str:
    """Measure the perplexity of the dense model or of a plan; return the evaluation's id."""
    return compare(
        workspace,
        language_model,
        windows,
        plan_ids={"": plan_id},
        on_partial=lambda _, result: on_partial(result),
        cancel=cancel,
    )[""]


def evaluations_of(workspace: Workspace, plan_id: str) -> dict[str, str]:
    """Return the evaluations of a plan and of the dense model on the same texts, by label."""
    key = read_manifest(workspace.existing("plans", plan_id))["cut_key"]
    found: dict[str, str] = {}
    entries = workspace.entries("evaluations")
    pruned = [e for e in entries if e.manifest["inputs"]["cut_key"] == key]
    for entry in pruned:
        same = {k: v for k, v in entry.manifest["inputs"].items() if k != "cut_key"}
        dtype = same["dtype"].removeprefix("torch.")
        protocol = f"text {same['text_sha256'][:8]}, {dtype} on {same['device']}"
        found[f"pruned, {protocol}"] = entry.id
        for other in entries:
            if other.manifest["inputs"] == {**same, "cut_key": "dense"}:
                found[f"dense, {protocol}"] = other.id
    return found
