"""The seed paper's bias: the mean output of the removed units, read from the pruned model."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import edit_projections
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
from fnprune_core.models.silencing import Refit
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore, steps
from fnprune_core.texts.windows import Windows, stacked_ids


def pruned_bias(
    language_model: LanguageModel,
    removed: Sequence[NDArray[np.int64]],
    windows: Windows,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> list[Refit]:
    """Return a bias for each layer that loses units, as the code of arXiv 2508.05239 adds it.

    All removed units are silenced, in every layer, and no bias is added yet; what they would have
    put out then is averaged over all tokens of a session, and over sessions, each counted once
    (`LayerBiasCompute` in ``llmfact/pruner/llama.py``). Deep layers are so read on the stream that
    the cuts before them leave, and not on the dense model's, as FLAP's bias is.
    """
    projections = output_projections(language_model.model, language_model.architecture)
    units = [torch.from_numpy(layer_units) for layer_units in removed]
    means = [torch.zeros(len(layer_units), dtype=torch.float64) for layer_units in removed]

    def silence(layer: int, x: Tensor) -> Tensor:
        if not len(units[layer]):
            return x
        gone = units[layer].to(x.device)
        means[layer] += x[..., gone].reshape(-1, len(gone)).double().mean(dim=0).cpu()
        x = x.clone()
        x[..., gone] = 0
        return x

    for window in steps(
        range(windows.n_windows), stage="bias", unit="sessions", total=windows.n_windows,
        progress=progress, cancel=cancel,
    ):  # fmt: skip
        ids = stacked_ids(windows, range(window, window + 1)).to(language_model.device)
        with (
            language_model.lock,
            torch.inference_mode(),
            edit_projections(projections, edit_input=silence),
        ):
            language_model.model(ids, use_cache=False, logits_to_keep=1)
    refits = []
    for module, layer_units, mean in zip(projections, units, means, strict=True):
        if not len(layer_units):
            refits.append(Refit())
            continue
        with torch.no_grad():
            columns = weight_of(module).cpu().double()[:, layer_units]
        refits.append(Refit(bias=(columns @ (mean / windows.n_windows)).float()))
    return refits
