"""Recording a model's units while it reads: time and disk estimated, then session by session."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import watch_inputs
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import (
    _LEAST_EXPONENT,
    _LOG_P,
    _NON_FINITE_HINT,
    _PER_SESSION,
    _PROGRESS,
    _SCALED_MAXIMUM,
    _SIGNALS,
    RecordingSettings,
)
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.folders import (
    check_free_space,
    exclusive,
    folder_size,
    publish,
    storage_errors,
    sync,
)
from fnprune_core.storage.json_files import read_checked_json, write_checked_json, write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document
from fnprune_core.texts.token_pieces import REPLACEMENT, pieces_of
from fnprune_core.texts.windows import Windows, batches_of, stacked_ids


def check_finite(signals: NDArray[np.float32], layout: UnitLayout, session: int) -> None:
    """Raise `NonFiniteError` if a session's signals (tokens, units) hold NaN or infinity."""
    if np.isfinite(signals.sum(dtype=np.float64)):  # far cheaper than a look at each value
        return
    is_broken = ~np.isfinite(signals).all(axis=0)
    layers = sorted(set(layout.layer_of_unit[is_broken].tolist()))
    raise NonFiniteError(
        f"Session {session}: activations of {int(is_broken.sum())} units are not finite "
        f"(layers {', '.join(map(str, layers[:5]))}).",
        hint=_NON_FINITE_HINT,
    )


def recording_inputs(language_model: LanguageModel, windows: Windows) -> dict[str, Any]:
    """Return the inputs that determine a recording; their hash is its id."""
    return {
        "fingerprint": language_model.fingerprint,
        "dtype": str(language_model.dtype).removeprefix("torch."),
        "text_sha256": windows.text_sha256,
        "n_dummy_tokens": windows.n_dummy_tokens,
    }


def recording_bytes(windows: Windows, layout: UnitLayout) -> int:
    """Return the bytes a recording takes on disk."""
    per_session = sum(np.dtype(code).itemsize for code in _PER_SESSION.values())
    return layout.n_units * (2 * windows.n_tokens + per_session * windows.n_windows)


def record(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    settings: RecordingSettings,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Read the windows with the model and store every unit's activation; return the id.

    A recording that exists is found, one that was stopped goes on where it stopped. The model
    is only watched, and its lock is held for one forward pass at a time. Memory: one batch.
    Of `settings` only the batch size counts here: `windows` are already cut; the seed is noted.

    Raises
    ------
    NonFiniteError
        If an activation or a log-probability is NaN or infinite, naming layer and session.
    StorageError
        If the disk is full or has no room; what was recorded stays and is resumed.
    """
    if windows.is_dummy.all():
        raise SettingsError(
            f"Every window is at most {windows.n_dummy_tokens} tokens long, and so many count as "
            "dummy.",
            hint="Use longer texts or fewer dummy tokens.",
        )
    inputs = recording_inputs(language_model, windows)
    id = artifact_id("recordings", inputs)
    target = workspace.folder("recordings", id)
    if workspace.has("recordings", id):
        return id
    folder = workspace.resumable_folder("recordings", id)
    check_free_space(folder, recording_bytes(windows, language_model.layout) - folder_size(folder))
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder, what="This recording"):
            if workspace.has("recordings", id):
                return id
            writer = _Writer(folder, windows, language_model.layout)
            _record_sessions(language_model, windows, settings, writer, progress, cancel)
            tokens = token_table(windows, language_model.tokenizer, writer.log_probabilities())
            tokens.to_parquet(folder / "tokens.parquet", index=False)
            (folder / _PROGRESS).unlink()
            facts = {
                "model_name": language_model.name,
                "model_source": language_model.source,
                "widths": list(language_model.layout.widths),
                "windows": _windows_facts(windows),
                "perplexity": float(np.exp(-tokens["log_probability"].mean())),
                "seed": settings.seed,
            }
            write_json(folder / MANIFEST, manifest_of("recordings", inputs, facts))
            publish(folder, target)
    return id


def signals_of(
    language_model: LanguageModel, token_ids: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return signals and log-probabilities of equally long windows, in one forward pass.

    Parameters
    ----------
    token_ids : Tensor (n_windows, tokens)

    Returns
    -------
    signals : ndarray (n_windows, tokens, n_units)
        On the CPU, float32.
    log_probabilities : ndarray (n_windows, tokens)
        NaN for the first token of each window.
    """
    projections = output_projections(language_model.model, language_model.architecture)
    layer_inputs: list[Tensor] = [torch.empty(0)] * len(projections)

    def keep_input(layer: int, x: Tensor) -> None:
        # Some families (OPT) lay all tokens of a batch in one row.
        layer_inputs[layer] = x.detach().to("cpu").float().reshape(*token_ids.shape, -1)

    ids = token_ids.to(language_model.device)
    with language_model.lock, torch.inference_mode(), watch_inputs(projections, keep_input):
        logits = language_model.model(ids, use_cache=False).logits
    log_probabilities = np.full(ids.shape, np.nan, dtype=np.float32)
    for row in range(ids.shape[0]):  # one window at a time: the vocabulary is wide
        scores = torch.log_softmax(logits[row, :-1].float(), dim=-1)
        token_scores = scores.gather(1, ids[row, 1:, None]).squeeze(1)
        log_probabilities[row, 1:] = token_scores.cpu().numpy()
    return torch.cat(layer_inputs, dim=-1).numpy(), log_probabilities


def _complete_characters(
    pieces: NDArray[np.object_], windows: Windows, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Give a character that is spread over several tokens of a session to the last of them."""
    is_broken = np.array([REPLACEMENT in piece for piece in pieces], dtype=bool)
    goes_on = is_broken[1:] & is_broken[:-1] & (windows.session[1:] == windows.session[:-1])
    starts = np.flatnonzero(is_broken & ~np.concatenate([[False], goes_on]))
    for start in starts.tolist():
        end = start + 1
        while end < len(pieces) and goes_on[end - 1]:
            end += 1
        pieces[start:end] = pieces_of(tokenizer, windows.token_ids[start:end].tolist())


def token_table(
    windows: Windows,
    tokenizer: PreTrainedTokenizerBase,
    log_probabilities: NDArray[np.float32],
) -> pd.DataFrame:
    """Return one row a token: its place, its text and how probable it was."""
    unique, inverse = np.unique(windows.token_ids, return_inverse=True)
    pieces = np.array([str(tokenizer.decode([int(i)])) for i in unique], dtype=object)[inverse]
    _complete_characters(pieces, windows, tokenizer)
    return pd.DataFrame(
        {
            "session": windows.session,
            "position": windows.position,
            "token_id": windows.token_ids,
            "text": pieces,
            "document": pd.Categorical.from_codes(
                windows.document_index, categories=pd.Index(windows.document_names)
            ),
            "domain": pd.Categorical.from_codes(
                windows.domain_index, categories=pd.Index(windows.domain_names)
            ),
            "is_dummy": windows.is_dummy,
            "log_probability": log_probabilities,
        }
    )


class _Writer:
    """Appends sessions to flat files; ordinary writes, so that a full disk is an error."""

    def __init__(self, folder: Path, windows: Windows, layout: UnitLayout) -> None:
        self.folder, self.windows, self.layout = folder, windows, layout
        progress = folder / _PROGRESS
        self.n_done = int(read_checked_json(progress)["n_done"]) if progress.is_file() else 0
        names = [_SIGNALS, _LOG_P, *(f"{n}.{code}" for n, code in _PER_SESSION.items())]
        self._paths = [folder / name for name in names]
        for path in self._paths:
            path.touch()

    def _write(self, name: str, values: NDArray[Any], offset_bytes: int) -> None:
        with (self.folder / name).open("r+b") as file:
            file.seek(offset_bytes)
            file.write(np.ascontiguousarray(values).tobytes())

    def add(self, session: int, signals: NDArray[np.float32], log_p: NDArray[np.float32]) -> None:
        """Store one session: scaled signals (tokens, units), moments, log-probabilities."""
        x = torch.from_numpy(signals)
        start = int(self.windows.starts[session])
        n_units = self.layout.n_units
        largest = x.abs().amax(dim=0)
        exponent = torch.ceil(torch.log2(largest / _SCALED_MAXIMUM)).clamp(min=_LEAST_EXPONENT)
        scale = torch.where(largest > 0, torch.exp2(exponent), torch.ones_like(largest))
        dummy = torch.from_numpy(self.windows.is_dummy[start : start + len(x)])
        usable = x[~dummy] if not dummy.all() else torch.zeros(1, n_units)
        variance, mean = torch.var_mean(usable, dim=0, correction=0)
        values = {
            "scales": scale,
            "session_mean": mean,
            "session_m2": variance.double() * len(usable),
            "dummy_max": x[dummy].abs().amax(dim=0) if dummy.any() else torch.zeros(n_units),
        }
        self._write(_SIGNALS, (x / scale).half().numpy(), 2 * n_units * start)
        self._write(_LOG_P, log_p, 4 * start)
        for name, code in _PER_SESSION.items():
            size = np.dtype(code).itemsize * n_units
            self._write(f"{name}.{code}", values[name].numpy(), size * session)

    def commit(self, n_done: int) -> None:
        """Record that the first `n_done` sessions are whole, once they are safe on the disk."""
        for path in self._paths:
            sync(path)
        self.n_done = n_done
        write_checked_json(self.folder / _PROGRESS, {"n_done": n_done})

    def log_probabilities(self) -> NDArray[np.float32]:
        """Return the log-probability of each token."""
        return np.fromfile(self.folder / _LOG_P, dtype=np.float32)


def _record_sessions(
    language_model: LanguageModel,
    windows: Windows,
    settings: RecordingSettings,
    writer: _Writer,
    progress: Progress,
    cancel: CancelToken,
) -> None:
    total = windows.n_windows

    def report(done: int) -> None:
        progress(ProgressEvent(stage="recording", done=done, total=total, unit="sessions"))

    report(writer.n_done)
    for batch in batches_of(windows, settings.batch_size, first=writer.n_done):
        cancel.raise_if_cancelled()
        ids = stacked_ids(windows, batch)
        with language_model.pace.timed("recording", ids.numel()):
            signals, log_p = signals_of(language_model, ids)
            for row, session in enumerate(batch):
                check_finite(signals[row], language_model.layout, session)
                _check_log_probabilities(log_p[row], session)
                writer.add(session, signals[row], log_p[row])
            writer.commit(batch.stop)
        report(batch.stop)


def _check_log_probabilities(log_p: NDArray[np.float32], session: int) -> None:
    if not np.isfinite(log_p[1:].sum(dtype=np.float64)):
        raise NonFiniteError(
            f"Session {session}: log-probabilities are not finite, though the units' activations "
            "are.",
            hint=_NON_FINITE_HINT,
        )


def _windows_facts(windows: Windows) -> dict[str, Any]:
    return {
        "document_names": list(windows.document_names),
        "domain_names": list(windows.domain_names),
        "window": windows.window,
        "n_dummy_tokens": windows.n_dummy_tokens,
        "text_sha256": windows.text_sha256,
        "n_dropped_tokens": windows.n_dropped_tokens,
        "adds_bos": windows.adds_bos,
        "n_windows": windows.n_windows,
        "n_tokens": windows.n_tokens,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEstimate:
    """Time, disk and memory that a recording will take, estimated before it starts."""

    n_tokens: int
    n_sessions: int
    seconds: float
    disk_bytes: int
    memory_bytes: int


def windows_for(
    language_model: LanguageModel, documents: Sequence[Document], settings: RecordingSettings
) -> Windows:
    """Return the windows that a recording with these settings reads."""
    language_model.check_window(settings.window)
    return cut_windows(
        documents,
        language_model.tokenizer,
        window=settings.window,
        n_dummy_tokens=settings.n_dummy_tokens,
        pack=settings.pack,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
    )


def estimate_recording(
    language_model: LanguageModel, windows: Windows, settings: RecordingSettings
) -> RecordingEstimate:
    """Return the time, disk and memory of a recording."""
    anatomy = language_model.anatomy()
    batch_tokens = settings.batch_size * settings.window
    return RecordingEstimate(
        n_tokens=windows.n_tokens,
        n_sessions=windows.n_windows,
        seconds=language_model.seconds_per_token("recording") * windows.n_tokens,
        disk_bytes=recording_bytes(windows, language_model.layout),
        memory_bytes=anatomy.parameter_bytes
        + batch_tokens * (12 * anatomy.n_units + 6 * anatomy.vocabulary_size),
    )


def record_texts(
    workspace: Workspace,
    language_model: LanguageModel,
    documents: Sequence[Document],
    *,
    settings: RecordingSettings,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Record the documents, or find or resume their recording; return the recording's id."""
    windows = windows_for(language_model, documents, settings)
    return record(
        workspace, language_model, windows, settings=settings, progress=progress, cancel=cancel
    )
