"""Perplexity as a stream of partial results, with standard errors and paired differences."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers import PreTrainedModel

from fnprune_core.architectures import weight_of
from fnprune_core.corpora import Windows
from fnprune_core.errors import CorruptArtifactError, NonFiniteError, SettingsError
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.recording import batches_of, stacked_ids
from fnprune_core.storage import (
    MANIFEST,
    manifest_of,
    new_folder,
    read_json,
    read_manifest,
    write_json,
)

MIN_DOCUMENTS = 20
N_BLOCKS = 20
Context = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How a perplexity was measured; two results compare only under the same one."""

    text_sha256: str
    n_tokens: int
    n_windows: int
    window: int
    adds_bos: bool
    dtype: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Perplexity:
    """Perplexity over the windows read so far.

    Parameters
    ----------
    window_nll : ndarray (windows so far,)
        Sum of −log p in nats of all predictions of each window.
    window_tokens : ndarray (windows so far,)
        Number of predictions, a window's length minus one.
    groups : ndarray (windows so far,)
        The document of each window, the unit of resampling where there are enough.
    protocol : Protocol
        Of the whole evaluation.
    """

    window_nll: NDArray[np.float64]
    window_tokens: NDArray[np.int64]
    groups: NDArray[np.int64]
    protocol: Protocol

    @property
    def nll_sum(self) -> float:
        """Sum of −log p, nats."""
        return float(self.window_nll.sum())

    @property
    def n_tokens(self) -> int:
        """Number of predictions so far."""
        return int(self.window_tokens.sum())

    @property
    def n_windows_total(self) -> int:
        """Windows of the whole evaluation."""
        return self.protocol.n_windows

    @property
    def is_complete(self) -> bool:
        """Whether every window was read."""
        return len(self.window_nll) == self.protocol.n_windows

    @property
    def mean_nll(self) -> float:
        """Nats per token."""
        return self.nll_sum / self.n_tokens

    @property
    def perplexity(self) -> float:
        """Exp of the mean −log p."""
        return float(np.exp(self.mean_nll))

    @property
    def standard_error(self) -> float:
        """Standard error of the perplexity (delta method); NaN with a single block.

        Over documents where there are at least 20, else over contiguous blocks of windows.
        """
        return self.perplexity * _ratio_error(self.window_nll, self.window_tokens, self.groups)

    @property
    def resampling_unit(self) -> str:
        """What the standard error resamples: documents, or blocks of windows."""
        return "documents" if _has_enough_documents(self.groups) else "blocks of windows"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object."""
        return {
            "window_nll": self.window_nll.tolist(),
            "window_tokens": self.window_tokens.tolist(),
            "groups": self.groups.tolist(),
            "protocol": asdict(self.protocol),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Perplexity":
        """Return what `to_json` gave."""
        return cls(
            window_nll=np.asarray(value["window_nll"], dtype=np.float64),
            window_tokens=np.asarray(value["window_tokens"], dtype=np.int64),
            groups=np.asarray(value["groups"], dtype=np.int64),
            protocol=Protocol(**value["protocol"]),
        )

    def save(self, target: Path, inputs: dict[str, Any], facts: dict[str, Any]) -> None:
        """Write the result as an artifact folder."""
        with new_folder(target) as folder:
            write_json(folder / "perplexity.json", self.to_json())
            summary = {
                "perplexity": self.perplexity,
                "standard_error": _or_none(self.standard_error),
                "n_tokens": self.n_tokens,
                "protocol": asdict(self.protocol),
                **facts,
            }
            write_json(folder / MANIFEST, manifest_of("evaluations", inputs, summary))

    @classmethod
    def load(cls, folder: Path) -> "Perplexity":
        """Read a result from its artifact folder."""
        read_manifest(folder)
        path = folder / "perplexity.json"
        try:
            return cls.from_json(read_json(path))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptArtifactError(
                f"{path} is missing or damaged.", hint="Evaluate again."
            ) from error

    def restricted_to(self, chosen: NDArray[np.integer]) -> "Perplexity":
        """Return the result over some of the windows, those of one domain for instance."""
        return Perplexity(
            window_nll=self.window_nll[chosen],
            window_tokens=self.window_tokens[chosen],
            groups=self.groups[chosen],
            protocol=replace(
                self.protocol,
                n_windows=len(chosen),
                n_tokens=int(self.window_tokens[chosen].sum()),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Difference of two results on the same windows, in nats per token (first − second)."""

    difference: float
    standard_error: float


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _has_enough_documents(groups: NDArray[np.int64]) -> bool:
    return len(np.unique(groups)) >= MIN_DOCUMENTS


def _ratio_error(
    values: NDArray[np.float64], tokens: NDArray[np.int64], groups: NDArray[np.int64]
) -> float:
    """Return the standard error of Σ values / Σ tokens over documents or blocks."""
    if _has_enough_documents(groups):
        _, unit = np.unique(groups, return_inverse=True)
    else:
        n_windows = len(values)
        unit = np.arange(n_windows) * min(N_BLOCKS, n_windows) // max(n_windows, 1)
    n_units = int(unit.max()) + 1
    if n_units < 2:
        return float("nan")
    sums = np.bincount(unit, weights=values, minlength=n_units)
    counts = np.bincount(unit, weights=tokens, minlength=n_units)
    residual = sums - values.sum() / tokens.sum() * counts
    return float(np.sqrt(n_units / (n_units - 1) * np.square(residual).sum()) / tokens.sum())


def perplexity_stream(
    model: PreTrainedModel,
    windows: Windows,
    *,
    batch_size: int = 4,
    context: Context = nullcontext,
    cancel: CancelToken = NEVER,
) -> Iterator[Perplexity]:
    """Yield the perplexity of all windows read so far, batch by batch; the last is the whole.

    All predictions of each window count, weighted by tokens.

    Parameters
    ----------
    context : callable
        Returns a context manager that is entered around each forward pass (``silenced`` for a
        preview, or of nothing to hold the lock of a shared model); it is never open while a
        result is handed out.

    Raises
    ------
    NonFiniteError
        If a loss is not finite, naming the window.
    """
    device = weight_of(model.get_input_embeddings()).device
    protocol = Protocol(
        text_sha256=windows.text_sha256,
        n_tokens=windows.n_tokens - windows.n_windows,
        n_windows=windows.n_windows,
        window=windows.window,
        adds_bos=windows.adds_bos,
        dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
        device=device.type,
    )
    nll: list[float] = []
    groups = windows.document_index[windows.starts[:-1]].astype(np.int64)
    lengths = np.diff(windows.starts) - 1
    for batch in batches_of(windows, batch_size):
        cancel.raise_if_cancelled()
        ids = stacked_ids(windows, batch).to(device)
        with context(), torch.inference_mode():
            logits = model(ids, use_cache=False).logits
        for row, window in enumerate(batch):  # the vocabulary is wide: one window at a time
            losses = functional.cross_entropy(
                logits[row, :-1].float(), ids[row, 1:], reduction="none"
            )
            total = float(losses.cpu().double().sum())
            if not np.isfinite(total):
                raise NonFiniteError(
                    f"The loss of window {window} is not finite.",
                    hint="Evaluate in float32 or bfloat16 (--dtype).",
                )
            nll.append(total)
        del logits
        yield Perplexity(
            window_nll=np.array(nll),
            window_tokens=lengths[: len(nll)].astype(np.int64),
            groups=groups[: len(nll)],
            protocol=protocol,
        )


def perplexity(
    model: PreTrainedModel,
    windows: Windows,
    *,
    batch_size: int = 4,
    context: Context = nullcontext,
    cancel: CancelToken = NEVER,
) -> Perplexity:
    """Return the last result of `perplexity_stream`."""
    stream = perplexity_stream(
        model, windows, batch_size=batch_size, context=context, cancel=cancel
    )
    return deque(stream, maxlen=1).pop()  # there is at least one window


def paired_difference(a: Perplexity, b: Perplexity) -> PairedDifference:
    """Return a − b in nats per token over the windows that both have read, with its error.

    Raises
    ------
    SettingsError
        If the two were not measured on the same windows under the same protocol.
    """
    n = min(len(a.window_nll), len(b.window_nll))
    first, second = asdict(a.protocol), asdict(b.protocol)
    differing = [name for name in first if first[name] != second[name]]
    if differing or not np.array_equal(a.groups[:n], b.groups[:n]):
        raise SettingsError(
            "These two results were measured differently: "
            + "; ".join(f"{name} {first[name]}, {second[name]}" for name in differing)
            + ("." if differing else "other windows of the text."),
            hint="Evaluate both on the same text, window, dtype and device.",
        )
    change = a.window_nll[:n] - b.window_nll[:n]
    tokens = a.window_tokens[:n]
    return PairedDifference(
        difference=float(change.sum() / tokens.sum()),
        standard_error=_ratio_error(change, tokens, a.groups[:n]),
    )
