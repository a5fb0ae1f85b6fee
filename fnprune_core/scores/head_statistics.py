"""Moments of the attention output projections' inputs on a calibration text.

A recording holds the MLP's units alone, so its windows are read once more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.machine.batches import FittingBatches
from fnprune_core.models.attention import attention_outputs
from fnprune_core.models.hooks import watch_inputs
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import Recording
from fnprune_core.texts.windows import batches_of, stacked_ids

_BATCH_SIZE = 4
_GRAM_BYTES = 2**30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionStatistics:
    """Moments of every dimension of every head, all layers in a row: (n_dimensions,).

    Parameters
    ----------
    mean, variance : ndarray (n_dimensions,)
        Over tokens, weighted.
    total_weight : float
        Sum of the tokens' weights.
    course_products : ndarray (1 + K, n_dimensions) or None
        Σ_t w_t [1, s_t] x_t with the networks' time courses s.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    total_weight: float
    course_products: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerGram:
    """Second moments of one layer's dimensions over all tokens, dummy tokens with weight 1."""

    gram: NDArray[np.float64]
    mean: NDArray[np.float64]


def attention_statistics(
    language_model: LanguageModel,
    recording: Recording,
    weights: NDArray[np.float64],
    *,
    time_courses: NDArray[np.floating] | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> AttentionStatistics:
    """Return the heads' moments from one pass over the recording's windows.

    Parameters
    ----------
    weights : ndarray (n_tokens,)
        How much each token counts; 0 leaves it out.
    time_courses : ndarray (K, n_tokens), optional
        Of networks, to be regressed on.

    Raises
    ------
    NonFiniteError
        If an attention output is NaN or infinite.
    """
    n_dimensions = language_model.attention.groups.n_units * language_model.attention.group_size
    sums, square_sums = np.zeros(n_dimensions), np.zeros(n_dimensions)
    products = None if time_courses is None else np.zeros((1 + len(time_courses), n_dimensions))
    for session, layer_inputs in _session_inputs(language_model, recording, progress, cancel):
        tokens = recording.session_slice(session)
        x = np.concatenate([layer_input.double().numpy() for layer_input in layer_inputs], axis=1)
        sums += weights[tokens] @ x
        square_sums += weights[tokens] @ np.square(x)
        if products is not None and time_courses is not None:
            courses = np.concatenate([np.ones((1, len(x))), time_courses[:, tokens]])
            products += (courses * weights[tokens]) @ x
    total = float(weights.sum())
    if not total > 0:
        raise SettingsError("No token has any weight.", hint="Preserve other networks.")
    mean = sums / total
    return AttentionStatistics(
        mean=mean,
        variance=np.maximum(square_sums / total - np.square(mean), 0.0),
        total_weight=total,
        course_products=products,
    )


def attention_grams(
    language_model: LanguageModel,
    recording: Recording,
    weights: NDArray[np.float64],
    layers: Sequence[int],
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Iterator[tuple[int, LayerGram]]:
    """Yield the second moments of some layers, as many at a time as fit in 1 GiB.

    Each such batch of layers is a pass over the recording's windows.
    """
    layout = language_model.attention
    sizes = [n * layout.group_size for n in layout.groups.widths]
    token_weights = np.where(recording.is_dummy, 1.0, weights)
    total = float(token_weights.sum())
    remaining_layers = list(layers)
    while remaining_layers:
        batch = [remaining_layers.pop(0)]
        while (
            remaining_layers
            and 8 * sum(sizes[i] ** 2 for i in (*batch, remaining_layers[0])) <= _GRAM_BYTES
        ):
            batch.append(remaining_layers.pop(0))
        grams = {i: torch.zeros(sizes[i], sizes[i], dtype=torch.float64) for i in batch}
        sums = {i: torch.zeros(sizes[i], dtype=torch.float64) for i in batch}
        for session, layer_inputs in _session_inputs(language_model, recording, progress, cancel):
            session_weights = torch.from_numpy(
                token_weights[recording.session_slice(session)].astype(np.float32)
            )
            for i in batch:
                weighted = layer_inputs[i] * session_weights[:, None]
                grams[i] += (weighted.T @ layer_inputs[i]).double()
                sums[i] += weighted.sum(dim=0).double()
        for i in batch:
            yield (
                i,
                LayerGram(gram=(grams.pop(i) / total).numpy(), mean=(sums[i] / total).numpy()),
            )


def _session_inputs(
    language_model: LanguageModel,
    recording: Recording,
    progress: Progress,
    cancel: CancelToken,
) -> Iterator[tuple[int, list[Tensor]]]:
    """Yield each session with its layers' inputs, (tokens, dimensions), float32 on the CPU.

    The model's lock is held for a batch's forward pass, and no hook is on while it yields.
    """
    outputs = attention_outputs(language_model.model, language_model.architecture)
    windows = recording.windows

    def read(batch: range) -> list[Tensor]:
        cancel.raise_if_cancelled()
        ids = stacked_ids(windows, batch)
        layer_inputs: list[Tensor] = [torch.empty(0, dtype=torch.float32)] * len(outputs)

        def store_input(layer: int, x: Tensor) -> None:
            layer_inputs[layer] = x.detach().to("cpu").float().reshape(*ids.shape, -1)

        with language_model.lock, torch.inference_mode(), watch_inputs(outputs, store_input):
            language_model.model(ids.to(language_model.device), use_cache=False, logits_to_keep=1)
        return layer_inputs

    fitting = FittingBatches(_BATCH_SIZE)
    for batch in batches_of(windows, _BATCH_SIZE):
        for part, layer_inputs in fitting.parts(batch, read):
            for layer, x in enumerate(layer_inputs):
                if not bool(x.sum(dtype=torch.float64).isfinite()):
                    raise NonFiniteError(
                        f"Sessions {part.start} to {part.stop - 1}: outputs of the attention of "
                        f"layer {layer} are not finite.",
                        hint="Load the model in float32 or bfloat16.",
                    )
            for row, session in enumerate(part):
                yield session, [x[row] for x in layer_inputs]
        progress(
            ProgressEvent(
                stage="attention", done=batch.stop, total=windows.n_windows, unit="sessions"
            )
        )
