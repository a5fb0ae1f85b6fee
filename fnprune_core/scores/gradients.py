"""First-order effect of each unit on the loss: the only module that computes gradients."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import edit_projections
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.texts.windows import Windows


def loss_sensitivity(
    language_model: LanguageModel,
    windows: Windows,
    *,
    projections: Sequence[nn.Module] | None = None,
    group_size: int = 1,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64]:
    """Return the mean over windows of |Σ_t x_tj ∂L/∂x_tj| for each unit: (n_units,).

    L is the window's mean negative log-likelihood; the sum leaves dummy tokens out. To first
    order it is what silencing the unit in a window does to the window's loss.

    Parameters
    ----------
    projections : sequence of Module, optional
        One a layer; the columns of their inputs take the place of units.
    group_size : int
        Number of neighbouring columns that are silenced together and get one number.

    Raises
    ------
    NonFiniteError
        If a gradient is NaN or infinite.

    Notes
    -----
    The model's lock is held for one forward and backward pass at a time, and no gradient of a
    parameter is computed or kept. Memory: the activations of one window.
    """
    if projections is None:
        projections = output_projections(language_model.model, language_model.architecture)
    total: Tensor | None = None
    n_windows = 0
    for index in range(windows.n_windows):
        cancel.raise_if_cancelled()
        ids = windows.window_ids(index)
        if len(ids) > 1:  # a single token has no loss
            effects = _effects(language_model, projections, ids)[windows.n_dummy_tokens :]
            effects = effects.sum(dim=0).reshape(-1, group_size).sum(dim=1)
            if not bool(effects.isfinite().all()):
                raise NonFiniteError(
                    f"Session {index}: gradients of the loss are not finite.",
                    hint="Load the model in float32 or bfloat16.",
                )
            total = effects.abs() if total is None else total + effects.abs()
            n_windows += 1
        progress(
            ProgressEvent(
                stage="gradients", done=index + 1, total=windows.n_windows, unit="sessions"
            )
        )
    if total is None:
        raise SettingsError("No window has two tokens.", hint="Record longer windows.")
    return np.asarray((total / n_windows).numpy())


def _effects(
    language_model: LanguageModel, projections: Sequence[nn.Module], window: NDArray[np.integer]
) -> Tensor:
    """Return x · ∂L/∂x of one window: (tokens, columns), float64 on the CPU."""
    layer_inputs: list[Tensor] = [torch.empty(0)] * len(projections)

    def keep_input(layer: int, x: Tensor) -> Tensor:
        # Frozen weights leave the first layer's input without a graph: it begins here.
        layer_inputs[layer] = x if x.requires_grad else x.detach().requires_grad_()
        return layer_inputs[layer]

    with (
        language_model.lock,
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        edit_projections(projections, edit_input=keep_input),
    ):
        ids = torch.from_numpy(window.astype(np.int64))[None].to(language_model.device)
        logits = language_model.model(ids, use_cache=False).logits
        targets = ids[0, 1:].to(logits.device)
        loss = functional.cross_entropy(logits[0, :-1].float(), targets)
        gradients = torch.autograd.grad(loss, layer_inputs)
    layer_effects = [
        (x.detach().double().cpu() * gradient.double().cpu()).reshape(len(window), -1)
        for x, gradient in zip(layer_inputs, gradients, strict=True)
    ]
    return torch.cat(layer_effects, dim=1)
