"""Published pipelines as they were run: what one needs beyond the settings of a plan."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.inputs.tables import row_named
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import free_layers


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPaper:
    """The pipeline of arXiv 2508.05239, by its code WhatAboutMyStar/LLM_ACTIVATION at 0038e49.

    What is done, and where it stands there:

    - Signals: outputs of ``mlp.act_fn`` and ``mlp.up_proj``, side by side, each layer by itself,
      all tokens (``CanICA-GPU-Vicuna-7B-test.ipynb``; `SingleLayerAnalysisGPU.fit`).
    - Groups of texts: 40 paragraphs of WikiText-2 train each, cut at 1,024 tokens, standardised
      over a group's tokens. One group (the same notebook), or 80 of which 2 failed
      (``CanICA-Vicuna-7B.ipynb``).
    - Networks: 128 a layer and group. Leading singular vectors over the columns, FastICA, cube,
      300 iterations, tolerance 1e-4; z by the map's own mean and deviation (`CanICA.fit`).
    - Threshold: one for all networks and layers, set by hand until about a fifth of all parameters
      went: above 3.46 with one group; 6.03 and 5.98 with 78. `load_fbn_for_pruner` has 3.6.
    - Union: a unit stays if any network of any group has it over the threshold, in the activation
      or in the up projection (``reshape(32, 2, -1)``, then `any`).
    - Exempt layers: the first 3 and the last 2 of 32 (`threshold_muti_layer`).
    - Bias: mean output of the removed units on the model with all of them silenced, 3,000 texts
      counted alike (`LayerBiasCompute`; ``CanICA-Vicuna-7B+bias.ipynb``).
    - Attention: `pruned_llama_attention` cuts heads by a mask, and no notebook makes one. Here a
      plan with a share of attention ranks KV groups by the mean |z| over their dimensions, on
      networks of what enters the output projection (where the values arrive).

    Figures in its notebooks, for Vicuna-7B-v1.5, word perplexity of WikiText-2 by lm-eval:

    - above 3.46, one group, no bias: 30.1 % of the MLP, 19.3 % of all parameters: 18.94;
    - above 6.03, 78 groups, no bias: 30.9 %, 19.8 %: 16.72;
    - above 5.98, 78 groups, bias: 19.2 % of all parameters: 15.85.

    Where paper and code differ: the paper has a threshold for each network and cuts heads too;
    the code has one threshold and cuts the MLP. The code is followed. Where this project differs
    from both: the size and number of groups (`scores.seed_paper`), and the exempt layers of
    models with fewer than 30 layers (`protected_ends`).

    Parameters
    ----------
    threshold : float
        A unit stays if |z| is above it; the default is that of one group.
    """

    threshold: float = 3.46

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise SettingsError(f"The threshold of |z| must be above 0, got {self.threshold:g}.")

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores that a demo of it shows: itself, FLAP, ours and chance."""
        return ("seed-paper", "flap", "network-energy", "random")

    def ratio(self, scores: NDArray[np.float64], layout: UnitLayout) -> float:
        """Return the share of all units that the threshold lets go, first and last layers exempt.

        Parameters
        ----------
        scores : ndarray (n_units,)
            Largest |z| of each unit.

        Raises
        ------
        RatioError
            If nothing goes, or a layer would be empty.
        """
        goes = (scores <= self.threshold) & free_layers(layout.n_layers)[layout.layer_of_unit]
        if not goes.any():
            raise RatioError(
                f"No unit of the layers that may lose some is under |z| = {self.threshold:g}; the "
                f"weakest has {scores.min():.2f}.",
                hint="Choose a higher threshold.",
            )
        empty = [i for i, layer_goes in enumerate(layout.split(goes)) if layer_goes.all()]
        if empty:
            raise RatioError(
                f"All units of layer {empty[0]} are under |z| = {self.threshold:g}.",
                hint="Choose a lower threshold.",
            )
        return float(goes.mean())


PRESETS: dict[str, type[SeedPaper]] = {"seed-paper": SeedPaper}


def preset_named(name: str) -> type[SeedPaper]:
    """Return the preset with this name; the error lists those there are."""
    return row_named(PRESETS, name, "preset")
