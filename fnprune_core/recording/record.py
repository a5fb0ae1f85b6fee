"""Recording a model's units while it reads: time and disk estimated, then session by session."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.machine import memory
from fnprune_core.machine.batches import windows_that_fit
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import watch_inputs
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.outputs import token_log_probabilities
from fnprune_core.models.sources.finite import not_finite_hint
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording import finite
from fnprune_core.recording.moments import open_array
from fnprune_core.recording.reading import PER_SESSION, Reader, ReadWindows
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.recording.reducing import (
    ReadSessions,
    gathered_tokens,
    reduce_sessions,
)
from fnprune_core.recording.summary import sizes_of, summary_bytes
from fnprune_core.recording.writer import PROGRESS, Writer
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.folders import (
    check_free_space,
    exclusive,
    folder_size,
    publish,
    storage_errors,
)
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document
from fnprune_core.texts.token_pieces import REPLACEMENT, pieces_of
from fnprune_core.texts.windows import STORED, Windows, batches_of, stacked_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def recording_inputs(
    language_model: LanguageModel, windows: Windows, settings: RecordingSettings
) -> dict[str, Any]:
    """Return the inputs that determine a recording; their hash is its id."""
    kept = (
        {}
        if settings.keep == "all"
        else {"keep": settings.keep, "most_networks": settings.most_networks}
    )
    return {
        "fingerprint": language_model.fingerprint,
        "dtype": str(language_model.dtype).removeprefix("torch."),
        "text_sha256": windows.text_sha256,
        "n_dummy_tokens": windows.n_dummy_tokens,
        **({"chat": True} if windows.chat else {}),
        **kept,
    }


def recording_bytes(windows: Windows, layout: UnitLayout, settings: RecordingSettings) -> int:
    """Return the bytes a recording takes on disk."""
    per_session = sum(np.dtype(code).itemsize for code in PER_SESSION.values())
    moments = layout.n_units * per_session * windows.n_windows
    if settings.keep == "summary":
        return moments + summary_bytes(windows, layout, settings.most_networks)
    return moments + 2 * layout.n_units * windows.n_tokens


@memory.kept()
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
    is only watched, and its lock is held for one forward pass at a time. Memory: two batches in
    float16. A kill loses the last seconds.
    Of `settings` the batch size and what is kept count here: `windows` are already cut; the seed
    is noted. For a summary the texts are read three times: for the moments of each session, for
    the group components, and to be projected on them. Stopped in the first reading it goes on
    there; the other two begin anew.

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
    inputs = recording_inputs(language_model, windows, settings)
    id = artifact_id("recordings", inputs)
    target = workspace.folder("recordings", id)
    if workspace.has("recordings", id):
        return id
    folder = workspace.resumable_folder("recordings", id)
    layout = language_model.layout
    check_free_space(folder, recording_bytes(windows, layout, settings) - folder_size(folder))
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder, what="This recording"):
            if workspace.has("recordings", id):
                return id
            writer = Writer(folder, windows, layout, keep=settings.keep)
            _record_sessions(language_model, windows, settings, writer, progress, cancel)
            sizes: dict[str, int] = {}
            if settings.keep == "summary":
                sizes = reduce_sessions(
                    folder,
                    _read_again(folder, language_model, windows, settings),
                    most_networks=settings.most_networks,
                    progress=progress,
                    cancel=cancel,
                )
            tokens = token_table(windows, language_model.tokenizer, writer.log_probabilities())
            tokens.to_parquet(folder / "tokens.parquet", index=False)
            (folder / PROGRESS).unlink()
            facts = {
                "model_name": language_model.name,
                "model_source": language_model.source,
                "widths": list(layout.widths),
                **(
                    {"expert_sizes": layout.expert_sizes, "expert_shares": writer.expert_shares()}
                    if layout.expert_sizes
                    else {}
                ),
                "windows": _windows_facts(windows),
                "perplexity": float(np.exp(-tokens["log_probability"].mean())),
                "seed": settings.seed,
                **sizes,
            }
            write_json(folder / MANIFEST, manifest_of("recordings", inputs, facts))
            publish(folder, target, sums=writer.sums())
    return id


def _read_again(
    folder: Path, language_model: LanguageModel, windows: Windows, settings: RecordingSettings
) -> ReadSessions:
    """Return sessions that are read anew, with the moments that a first reading left."""
    shape = (windows.n_windows, language_model.layout.n_units)
    return ReadSessions(
        language_model,
        windows,
        {
            name: open_array(folder / f"{name}.{code}", np.dtype(code), shape)
            for name, code in PER_SESSION.items()
        },
        batch_size=settings.batch_size,
    )


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
    layer_inputs: list[Tensor] = [torch.empty(0, dtype=torch.float32)] * len(projections)

    def keep_input(layer: int, x: Tensor) -> None:
        # Some families (OPT) lay all tokens of a batch in one row.
        layer_inputs[layer] = x.detach().to("cpu").float().reshape(*token_ids.shape, -1)

    ids = token_ids.to(language_model.device)
    with language_model.lock, torch.inference_mode(), watch_inputs(projections, keep_input):
        logits = language_model.model(ids, use_cache=False).logits
    log_probabilities = np.full(ids.shape, np.nan, dtype=np.float32)
    for row, window_ids in enumerate(ids.to(logits.device)):
        log_probabilities[row, 1:] = token_log_probabilities(logits[row], window_ids).cpu().numpy()
    return torch.cat(layer_inputs, dim=-1).numpy(), log_probabilities


def _complete_characters(
    pieces: NDArray[np.object_], windows: Windows, tokenizer: "PreTrainedTokenizerBase"
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
    tokenizer: "PreTrainedTokenizerBase",
    log_probabilities: NDArray[np.float32],
) -> pd.DataFrame:
    """Return one row per token: its place, its text and how probable it was."""
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


def _record_sessions(
    language_model: LanguageModel,
    windows: Windows,
    settings: RecordingSettings,
    writer: Writer,
    progress: Progress,
    cancel: CancelToken,
) -> None:
    total = windows.n_windows

    def report(done: int) -> None:
        progress(ProgressEvent(stage="recording", done=done, total=total, unit="sessions"))

    report(writer.n_done)
    reader = Reader(language_model, n_dummy_tokens=windows.n_dummy_tokens)
    fitting = reader.fitting(windows.window, most=settings.batch_size)

    def read_batch(batch: range) -> ReadWindows:
        cancel.raise_if_cancelled()
        return reader.read(stacked_ids(windows, batch))

    with writer:
        for batch in batches_of(windows, fitting.most, first=writer.n_done):
            n_tokens = int(windows.starts[batch.stop] - windows.starts[batch.start])
            with language_model.pace.timed("recording", n_tokens):
                for part, read in fitting.parts(batch, read_batch):
                    _check_read(read, language_model, part)
                    writer.add(part, read)
            report(batch.stop)


def _check_read(read: ReadWindows, model: LanguageModel, batch: range) -> None:
    """Raise `NonFiniteError` if what was read in some sessions holds NaN or infinity."""
    for row, session in enumerate(batch):
        if not read.is_finite[row].all():
            raise finite.not_finite(~read.is_finite[row], model.layout, session, dtype=model.dtype)
        if not np.isfinite(read.log_probabilities[row, 1:].sum(dtype=np.float64)):
            raise NonFiniteError(
                f"Session {session}: log-probabilities are not finite, though the units' "
                "activations are.",
                hint=not_finite_hint(model.dtype),
            )


def _windows_facts(windows: Windows) -> dict[str, Any]:
    return {name: getattr(windows, name) for name in (*STORED, "n_windows", "n_tokens")}


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
        chat=settings.chat,
    )


def estimate_recording(
    language_model: LanguageModel, windows: Windows, settings: RecordingSettings
) -> RecordingEstimate:
    """Return the time, disk and memory of a recording."""
    anatomy = language_model.anatomy()
    n_together = windows_that_fit(
        language_model.model,
        settings.window,
        most=settings.batch_size,
        kept_bytes=4 * anatomy.n_units,
    )
    batch_tokens = min(n_together, windows.n_windows) * settings.window
    seconds = language_model.seconds_per_token("recording")
    memory_bytes = anatomy.parameter_bytes + batch_tokens * (
        4 * anatomy.n_units + 6 * anatomy.vocabulary_size
    )
    if settings.keep == "summary":
        macs, extra_bytes = _reduction_costs(windows, anatomy.widths, settings)
        seconds = 3 * seconds + (
            language_model.seconds_per_token("pass") * macs / anatomy.n_parameters
        )
        memory_bytes += extra_bytes
    return RecordingEstimate(
        n_tokens=windows.n_tokens,
        n_sessions=windows.n_windows,
        seconds=seconds * windows.n_tokens,
        disk_bytes=recording_bytes(windows, language_model.layout, settings),
        memory_bytes=memory_bytes,
    )


def _reduction_costs(
    windows: Windows, widths: Sequence[int], settings: RecordingSettings
) -> tuple[float, int]:
    """Return multiplications a token, and the bytes, of reducing sessions to a summary.

    A token of a plain pass takes a multiplication for each of the model's parameters, at the same
    rate.
    """
    n_units = sum(widths)
    n_rows, _ = sizes_of(windows, settings.most_networks, n_units)
    tokens = windows.n_tokens / windows.n_windows
    m = min(2 * settings.most_networks, tokens)
    stacked = n_rows + m
    # Of what is symmetric, half.
    by_session = n_units * (tokens**2 / 2 + m * tokens + stacked**2 / 2 + n_rows * stacked)
    gram = sum(width**2 for width in widths) / 2
    macs = by_session / tokens + 2 * n_rows * n_units + gram
    gathered = min(windows.n_tokens, max(settings.window, gathered_tokens(n_units)))
    n_bytes = 4 * n_units * (settings.window + gathered + 3 * int(stacked))
    return macs, n_bytes


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
