"""Networks as the seed paper finds them, and how strongly each unit takes part in its strongest.

Sources: Liu et al., arXiv 2508.05239, and its code, WhatAboutMyStar/LLM_ACTIVATION (commit
0038e49): `llmfact/decomposition/canica.py` and `CanICA-Vicuna-7B.ipynb`. As there:

- signals are the outputs of the activation function and of the up projection, side by side, each
  layer by itself: 2 × units columns (an MLP without a gate has one);
- all tokens of a group of texts, the first ones too, standardised over the group;
- the 128 leading singular vectors over the columns, all of one length, whatever their variance;
- FastICA with the cube, at most 300 iterations, tolerance 1e-4, one run; maps become z over the
  layer's columns;
- several groups of texts, each with networks of its own.

A unit's number is the largest |z| over groups, networks and both columns: it stays where that is
above the threshold. Otherwise than there: a group is of 8,192 tokens and more (theirs are 40
paragraphs of WikiText-2, about a half of that), and so there are as many groups as the recording
has tokens for (theirs are 78).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor, nn

from fnprune_core.decomposition.ica import IcaSettings, as_z_maps, run_ica, whiten
from fnprune_core.errors import NonFiniteError
from fnprune_core.machine.threads import one_thread
from fnprune_core.models.architectures import feeding_modules, layers_of, output_projections
from fnprune_core.models.hooks import watch_inputs, watch_outputs
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.texts.windows import Windows, stacked_ids

N_COMPONENTS = 128
#: Of a layer's columns at most so many, in small layers: else each column is a network.
_MOST_SHARE = 1 / 8
GROUP_TOKENS = 8192
ICA = IcaSettings(fun="cube", max_iter=300, tol=1e-4)
_SEED = 327  # that of its notebooks
_MOST_BYTES = 5 << 28  # of the matrices of products in memory at once, float32
_ROUNDING = 1e-6  # directions with less of the largest variance than this are none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taps:
    """Modules of one layer whose signals are laid side by side.

    Parameters
    ----------
    n_columns : int
        Of all of them together.
    outputs : sequence of Module
        Whose outputs are read.
    inputs : sequence of Module
        Whose inputs are read, after those.
    width : int or None
        Only so many of the last columns of each (what of a fused module is the up projection).
    """

    n_columns: int
    outputs: Sequence[nn.Module] = ()
    inputs: Sequence[nn.Module] = ()
    width: int | None = None

    def columns(self, signals: Sequence[Tensor]) -> Tensor:
        """Return signals of the modules, in their order, side by side: (tokens, n_columns)."""
        parts = [x.reshape(-1, x.shape[-1]) for x in signals]
        return torch.cat([x[:, -(self.width or x.shape[1]) :] for x in parts], dim=1)


def mlp_taps(language_model: LanguageModel) -> list[Taps]:
    """Return where each layer's signals are read: activation and up projection, or the units."""
    model, architecture = language_model.model, language_model.architecture
    projections = output_projections(model, architecture)
    widths = language_model.layout.widths
    if not architecture.activation:
        return [
            Taps(inputs=(projection,), n_columns=width)
            for projection, width in zip(projections, widths, strict=True)
        ]
    return [
        Taps(
            outputs=(
                module.get_submodule(architecture.activation),
                feeding_modules(model, architecture, layer)[-1],
            ),
            n_columns=2 * width,
            width=width,
        )
        for layer, (module, width) in enumerate(
            zip(layers_of(model, architecture), widths, strict=True)
        )
    ]


def strongest_part(
    language_model: LanguageModel,
    windows: Windows,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64]:
    """Return each unit's largest |z| in any network of any group of texts: (n_units,)."""
    layout = language_model.layout
    strongest = np.zeros(layout.n_units)
    for layer, maps in layer_maps(
        language_model, windows, mlp_taps(language_model), progress=progress, cancel=cancel
    ):
        largest = np.abs(maps).max(axis=0).reshape(-1, layout.widths[layer]).max(axis=0)
        units = layout.layer_slice(layer)
        strongest[units] = np.maximum(strongest[units], largest)
    return strongest


def groups_of(windows: Windows) -> list[range]:
    """Return the runs of neighbouring windows that are decomposed apart."""
    n_groups = max(1, min(windows.n_tokens // GROUP_TOKENS, windows.n_windows))
    parts = np.array_split(np.arange(windows.n_windows), n_groups)
    return [range(int(part[0]), int(part[-1]) + 1) for part in parts]


def layer_maps(
    language_model: LanguageModel,
    windows: Windows,
    taps: Sequence[Taps],
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the z maps of each group of texts in each layer: (layer, (networks, columns)).

    Raises
    ------
    NonFiniteError
        If a signal is NaN or infinite.

    Notes
    -----
    A pass over the text for as many layers as have their correlation matrices in 1.25 GiB.
    Cost: O(tokens · columns² + columns³) a layer.
    """
    groups = groups_of(windows)
    n_done, total = 0, len(groups) * len(taps)
    for index, group in enumerate(groups):
        for layers in _batches(taps):
            matrices = correlations(
                language_model, windows, group, [taps[layer] for layer in layers], cancel=cancel
            )
            for layer, correlation in zip(layers, matrices, strict=True):
                cancel.raise_if_cancelled()
                seed = np.random.SeedSequence([_SEED, index, layer])
                yield layer, networks(correlation, seed=seed, cancel=cancel)
                n_done += 1
                progress(ProgressEvent(stage="networks", done=n_done, total=total, unit="layers"))


def _batches(taps: Sequence[Taps]) -> list[list[int]]:
    """Return runs of layers whose matrices fit in memory together."""
    batches: list[list[int]] = [[]]
    n_bytes = 0
    for layer, tap in enumerate(taps):
        of_layer = 4 * tap.n_columns**2
        if batches[-1] and n_bytes + of_layer > _MOST_BYTES:
            batches.append([])
            n_bytes = 0
        batches[-1].append(layer)
        n_bytes += of_layer
    return batches


def correlations(
    language_model: LanguageModel,
    windows: Windows,
    group: Sequence[int],
    taps: Sequence[Taps],
    *,
    cancel: CancelToken = NEVER,
) -> Iterator[NDArray[np.float64]]:
    """Yield the correlations of each layer's columns over all tokens of some windows.

    Columns that do not vary have none, and 0 on the diagonal.
    """
    products = [torch.zeros(tap.n_columns, tap.n_columns, dtype=torch.float32) for tap in taps]
    sums = [torch.zeros(tap.n_columns, dtype=torch.float64) for tap in taps]
    centres: list[Tensor] = []
    n_tokens = 0
    for window in group:
        cancel.raise_if_cancelled()
        signals = _read(language_model, stacked_ids(windows, range(window, window + 1)), taps)
        if not all(bool(x.sum(dtype=torch.float64).isfinite()) for x in signals):
            raise NonFiniteError(
                f"Session {window}: signals of the MLP or attention are not finite.",
                hint="Load the model in float32 or bfloat16.",
            )
        centres = centres or [x.mean(dim=0) for x in signals]  # near the mean: sums stay small
        n_tokens += len(signals[0])
        for x, centre, product, total in zip(signals, centres, products, sums, strict=True):
            x -= centre
            product.addmm_(x.T, x)
            total += x.sum(dim=0, dtype=torch.float64)
    while products:
        covariance = products.pop(0).double() / n_tokens
        mean = sums.pop(0) / n_tokens
        covariance -= torch.outer(mean, mean)
        variance = covariance.diagonal().clamp(min=0)
        floor = torch.finfo(torch.float32).eps * variance.max()
        scale = torch.where(variance > floor, variance.rsqrt(), 0.0)
        yield (covariance * scale * scale[:, None]).numpy()


def _read(language_model: LanguageModel, ids: Tensor, taps: Sequence[Taps]) -> list[Tensor]:
    """Return each layer's signals over the tokens of one forward pass, float32 on the CPU."""
    outputs = [module for tap in taps for module in tap.outputs]
    inputs = [module for tap in taps for module in tap.inputs]
    read: dict[int, Tensor] = {}

    def keep(modules: Sequence[nn.Module]) -> Callable[[int, Tensor], None]:
        def on_signal(index: int, x: Tensor) -> None:
            read[id(modules[index])] = x.detach().to("cpu").float()

        return on_signal

    with language_model.lock, torch.inference_mode(), ExitStack() as stack:
        stack.enter_context(watch_outputs(outputs, keep(outputs)))
        stack.enter_context(watch_inputs(inputs, keep(inputs)))
        language_model.model(ids.to(language_model.device), use_cache=False, logits_to_keep=1)
    return [
        tap.columns([read[id(module)] for module in (*tap.outputs, *tap.inputs)]) for tap in taps
    ]


def networks(
    correlation: NDArray[np.float64],
    *,
    seed: np.random.SeedSequence,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float32]:
    """Return z maps of the networks in a matrix of correlations: (networks, columns).

    The leading singular vectors of standardised signals are the eigenvectors of this matrix.
    """
    n = len(correlation)
    count = min(N_COMPONENTS, max(int(n * _MOST_SHARE), 2), n)
    with one_thread():
        values, vectors = eigh(correlation, subset_by_index=(n - count, n - 1))
    vectors = vectors[:, values > _ROUNDING * values[-1]]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.where(vectors[largest, np.arange(len(largest))] < 0, -1.0, 1.0)
    white, _ = whiten(torch.from_numpy(np.ascontiguousarray(vectors[:, ::-1].T)))
    run = run_ica(white, algorithm="fastica", settings=ICA, seed=seed, cancel=cancel)
    return as_z_maps(run.sources.numpy())
