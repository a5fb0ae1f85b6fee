"""Effects of units on the loss, and its curvature: the only scores that compute gradients."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from fnprune_core.errors import NonFiniteError, SettingsError
from fnprune_core.models.architectures import (
    by_unit,
    feeding_modules,
    output_projections,
    refuse_experts,
)
from fnprune_core.models.hooks import edit_projections
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import outputs_by_inputs
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore, steps
from fnprune_core.texts.windows import Windows

#: From logits, ids, inputs of the output projections by layer, and the window's number.
Loss = Callable[[Tensor, Tensor, Sequence[Tensor], int], Tensor]


def weight_sensitivity(
    language_model: LanguageModel,
    windows: Windows,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64]:
    """Return Σ |w · ∂L/∂w| over the weights of each unit: (n_units,).

    Its column of the output projection and its rows of what feeds it; L is the mean over windows
    of their mean negative log-likelihood, all tokens counted. So LLM-Pruner's code ranks groups by
    default (arXiv 2305.11627: first order, element-wise, summed over the group's matrices).

    Raises
    ------
    NonFiniteError
        If a gradient is NaN or infinite.

    Notes
    -----
    The model's lock is held for one forward and backward pass at a time; its own parameters stay
    as they are. Memory: float32 gradients of all MLP weights, and the activations of one window.
    """
    model, architecture = language_model.model, language_model.architecture
    projections = output_projections(model, architecture)
    feeding = [feeding_modules(model, architecture, layer) for layer in range(len(projections))]
    refuse_experts(architecture, "A score by gradients of weights")
    modules = [*projections, *(module for layer in feeding for module in layer)]
    names = _weight_names(model, modules)
    weights = [module.get_parameter("weight") for module in modules]
    totals = [torch.zeros(each.shape, dtype=torch.float32, device=each.device) for each in weights]
    n_windows = 0
    for index, window in _windows_with_loss(windows, progress, cancel):
        with language_model.lock, torch.inference_mode(mode=False), torch.enable_grad():
            copies = [each.detach().requires_grad_() for each in weights]  # of the same memory
            ids = _ids(language_model, window)
            output = functional_call(
                model, dict(zip(names, copies, strict=True)), (ids,), {"use_cache": False}
            )
            gradients = torch.autograd.grad(_loss(output.logits, ids), copies)
        for total, gradient in zip(totals, gradients, strict=True):
            total += gradient
        _check_finite(bool(all(gradient.isfinite().all() for gradient in gradients)), index)
        n_windows += 1
    effects = {
        module: outputs_by_inputs(module, (weight.detach().float() * total).abs().cpu().double())
        for module, weight, total in zip(modules, weights, totals, strict=True)
    }
    by_layer = []
    for projection, layer_feeding in zip(projections, feeding, strict=True):
        layer_effects = effects[projection].sum(dim=0)
        for module in layer_feeding:
            layer_effects = layer_effects + by_unit(architecture, effects[module].sum(dim=1))
        by_layer.append(layer_effects)
    return np.asarray((torch.cat(by_layer) / n_windows).numpy())


def _weight_names(model: nn.Module, modules: Sequence[nn.Module]) -> list[str]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [names[id(module.get_parameter("weight"))] for module in modules]


def loss_sensitivity(
    language_model: LanguageModel,
    windows: Windows,
    *,
    projections: Sequence[nn.Module],
    group_size: int = 1,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64]:
    """Return the mean over windows of |Σ_t x_tj ∂L/∂x_tj| for inputs of projections.

    L is the window's mean negative log-likelihood. To first order it is what silencing an input
    in a window does to the window's loss; for the heads of attention, whose weights are shared
    between query heads, it stands for the sum over weights.

    Parameters
    ----------
    projections : sequence of Module
        One a layer.
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
    total: Tensor | None = None
    n_windows = 0
    for index, window in _windows_with_loss(windows, progress, cancel):
        effects = _effects(language_model, projections, window)
        effects = effects.sum(dim=0).reshape(-1, group_size).sum(dim=1)
        _check_finite(bool(effects.isfinite().all()), index)
        total = effects.abs() if total is None else total + effects.abs()
        n_windows += 1
    assert total is not None  # there is a window with a loss
    return np.asarray((total / n_windows).numpy())


def fisher_information(
    language_model: LanguageModel,
    windows: Windows,
    *,
    weights: NDArray[np.float64],
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64]:
    """Return the mean over tokens of (x_tj ∂L/∂x_tj)², L over labels drawn from the model.

    x ∂L/∂x is the slope of L along a gate of 1 on unit j at token t; L is the sum over the window
    of the negative log-likelihood of one label a token, drawn from what the model predicts there.
    Given the text the labels are independent and their scores have mean 0, so that products of
    two tokens' vanish in expectation: the square estimates the Fisher information of the gate,
    which is the curvature of the divergence from the dense model as the gate moves. Labels of the
    text in place of drawn ones would not (Kunstner et al., arXiv 1905.12558).

    Parameters
    ----------
    weights : ndarray (n_tokens,)
        How much each token counts.
    seed : int
        Of the labels.

    Raises
    ------
    NonFiniteError
        If a gradient is NaN or infinite.

    Notes
    -----
    A pass forward and back for each window, under the model's lock. Memory: the activations of
    one window; no gradient of a parameter is computed or kept.
    """
    refuse_experts(language_model.architecture, "A score by gradients of units")
    generator = torch.Generator().manual_seed(seed)

    def drawn_loss(logits: Tensor, ids: Tensor, inputs: Sequence[Tensor], index: int) -> Tensor:
        rows = logits[0].float()
        chances = rows.detach().softmax(dim=-1).cpu()
        # NaN cannot be drawn from: the gradients, which are NaN too, tell of it.
        labels = torch.multinomial(chances.nan_to_num(nan=1.0), 1, generator=generator)[:, 0]
        return functional.cross_entropy(rows, labels.to(rows.device), reduction="sum")

    return mean_squared_effects(
        language_model,
        output_projections(language_model.model, language_model.architecture),
        windows,
        weights=weights,
        loss=drawn_loss,
        progress=progress,
        cancel=cancel,
    )


def mean_squared_effects(
    language_model: LanguageModel,
    projections: Sequence[nn.Module],
    windows: Windows,
    *,
    weights: NDArray[np.float64],
    loss: Loss,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64]:
    """Return the mean over weighted tokens of (x ∂L/∂x)², window by window: (n_units,).

    Parameters
    ----------
    weights : ndarray (n_tokens,)
        How much each token counts.
    loss : callable
        From a window's logits, ids, inputs of the output projections (1, tokens, width) by layer,
        and number to a scalar.
    """
    total = np.zeros(language_model.layout.n_units)
    for index, window in _windows_with_loss(windows, progress, cancel):
        effects = _effects(language_model, projections, window, index=index, loss=loss)
        _check_finite(bool(effects.isfinite().all()), index)
        counts = weights[windows.starts[index] : windows.starts[index + 1]]
        total += counts @ effects.square().numpy()
    return np.asarray(total / weights.sum())


def _windows_with_loss(
    windows: Windows, progress: Progress, cancel: CancelToken
) -> Iterator[tuple[int, NDArray[np.integer]]]:
    """Yield the windows of two tokens and more, for a single one has no loss.

    Raises
    ------
    SettingsError
        If there is none.
    """
    lengths = np.diff(windows.starts)
    if not (lengths > 1).any():
        raise SettingsError("No window has two tokens.", hint="Record longer windows.")
    for index in steps(
        range(windows.n_windows), stage="gradients", unit="sessions", total=windows.n_windows,
        progress=progress, cancel=cancel,
    ):  # fmt: skip
        if lengths[index] > 1:
            yield index, windows.window_ids(index)


def _check_finite(is_finite: bool, session: int) -> None:
    if not is_finite:
        raise NonFiniteError(
            f"Session {session}: gradients of the loss are not finite.",
            hint="Load the model in float32 or bfloat16.",
        )


def _ids(language_model: LanguageModel, window: NDArray[np.integer]) -> Tensor:
    return torch.from_numpy(window.astype(np.int64))[None].to(language_model.device)


def _loss(logits: Tensor, ids: Tensor) -> Tensor:
    return functional.cross_entropy(logits[0, :-1].float(), ids[0, 1:].to(logits.device))


def _effects(
    language_model: LanguageModel,
    projections: Sequence[nn.Module],
    window: NDArray[np.integer],
    *,
    index: int = 0,
    loss: Loss | None = None,
) -> Tensor:
    """Return x · ∂L/∂x of one window: (tokens, columns), float64 on the CPU."""
    layer_inputs: list[Tensor] = [torch.empty(0, dtype=torch.float32)] * len(projections)

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
        ids = _ids(language_model, window)
        logits = language_model.model(ids, use_cache=False).logits
        wanted = loss(logits, ids, layer_inputs, index) if loss else _loss(logits, ids)
        gradients = torch.autograd.grad(wanted, layer_inputs)
    layer_effects = [
        (x.detach().double().cpu() * gradient.double().cpu()).reshape(len(window), -1)
        for x, gradient in zip(layer_inputs, gradients, strict=True)
    ]
    return torch.cat(layer_effects, dim=1)
