"""Scores of KV groups, by the rules by which units are scored. Knows no plan.

A group's score is the sum over its dimensions, which are inputs of the attention's output
projection W as units are of the MLP's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.models.architectures import layers_of
from fnprune_core.models.attention import attention_outputs
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.recording.recording import Recording
from fnprune_core.scores.gradients import loss_sensitivity
from fnprune_core.scores.head_statistics import AttentionStatistics
from fnprune_core.scores.seed_paper import Taps, layer_maps

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupInputs:
    """Inputs of a score of KV groups.

    Parameters
    ----------
    language_model : LanguageModel
    recording : Recording
    statistics : AttentionStatistics
        Weighted as the score weighs tokens.
    atlas : NetworkAtlas or None
    preserved : tuple of int
    seed : int
    """

    language_model: LanguageModel
    recording: Recording
    statistics: AttentionStatistics
    atlas: NetworkAtlas | None = None
    preserved: tuple[int, ...] = ()
    seed: int = 0
    progress: Progress = field(default=ignore)
    cancel: CancelToken = field(default=NEVER)

    def column_norms(self, power: int = 2) -> Scores:
        """Return Σ|W[:, d]|^power of every dimension."""
        model = self.language_model
        with torch.no_grad():
            norms = [
                weight_of(projection).cpu().double().abs().pow(power).sum(dim=0)
                for projection in attention_outputs(model.model, model.architecture)
            ]
        return np.asarray(torch.cat(norms).numpy())

    def by_group(self, values: Scores) -> Scores:
        """Return the sums over each group's dimensions: (n_groups,)."""
        return self.language_model.attention.sum_by_group(values)


GroupScore = Callable[[GroupInputs], Scores]


def group_fluctuation(inputs: GroupInputs) -> Scores:
    """Return Σ_d ‖W[:, d]‖² · var x_d over weighted tokens: FLAP's score and network energy."""
    return inputs.by_group(inputs.column_norms() * inputs.statistics.variance)


def group_wanda(inputs: GroupInputs) -> Scores:
    """Return Wanda's score of each group, Σ_d √Σx_d² · Σ|W[:, d]|."""
    statistics = inputs.statistics
    energy = (statistics.variance + np.square(statistics.mean)) * statistics.total_weight
    return inputs.by_group(np.sqrt(energy) * inputs.column_norms(power=1))


def group_magnitude(inputs: GroupInputs) -> Scores:
    """Return Σ w² over the output columns of a group and the rows of values that feed them."""
    model = inputs.language_model
    layout, table = model.attention, model.architecture.attention
    feeding_norms = []
    with torch.no_grad():
        for layer, n_groups in zip(
            layers_of(model.model, model.architecture), layout.groups.widths, strict=True
        ):
            for feeding in table.feeding:
                if not any("v" in letters for letters in feeding.parts):
                    continue
                rows = layout.rows(feeding, np.arange(n_groups), n_groups, only="v")
                weight = weight_of(layer.get_submodule(feeding.path)).cpu().double()
                norms = weight[torch.from_numpy(rows)].square().sum(dim=1)
                # Each query head of a group mixes the same values.
                heads = norms.reshape(n_groups, 1, -1).expand(n_groups, layout.heads_per_group, -1)
                feeding_norms.append(heads.reshape(-1))
    return inputs.by_group(inputs.column_norms() + torch.cat(feeding_norms).numpy())


def group_taylor(inputs: GroupInputs) -> Scores:
    """Return the mean over windows of |Σ_d Σ_t x · ∂L/∂x|, the group's first-order effect."""
    model = inputs.language_model
    return loss_sensitivity(
        model,
        inputs.recording.windows,
        projections=attention_outputs(model.model, model.architecture),
        group_size=model.attention.group_size,
        progress=inputs.progress,
        cancel=inputs.cancel,
    )


def group_seed_paper(inputs: GroupInputs) -> Scores:
    """Return the largest mean |z| over a group's dimensions, in any network of the seed paper's.

    Found on the inputs of the attention's output projection, where the values arrive.
    """
    model = inputs.language_model
    layout = model.attention
    taps = [
        Taps(inputs=(module,), n_columns=n_groups * layout.group_size)
        for module, n_groups in zip(
            attention_outputs(model.model, model.architecture), layout.groups.widths, strict=True
        )
    ]
    strongest = np.zeros(layout.groups.n_units)
    for layer, maps in layer_maps(
        model, inputs.recording.windows, taps, progress=inputs.progress, cancel=inputs.cancel
    ):
        means = np.abs(maps).reshape(len(maps), -1, layout.group_size).mean(axis=2)
        groups = layout.groups.layer_slice(layer)
        strongest[groups] = np.maximum(strongest[groups], means.max(axis=0))
    return strongest


def group_random(inputs: GroupInputs) -> Scores:
    """Return uniform random numbers from the plan's seed, others than those of the units."""
    n_groups = inputs.language_model.attention.groups.n_units
    return np.random.default_rng([inputs.seed, n_groups, 1]).random(n_groups)


def group_membership(inputs: GroupInputs) -> Scores:
    """Return the max over preserved networks of the mean |z| over the group's dimensions.

    The networks are of MLP units; a dimension's loadings are the regression of its standardised
    course on all networks' time courses, made z over all dimensions of the model as maps are.
    """
    loadings = np.abs(dimension_loadings(inputs)[list(inputs.preserved)])
    size = inputs.language_model.attention.group_size
    means = loadings.reshape(len(loadings), -1, size).mean(axis=2)
    return np.asarray(means.max(axis=0))


def dimension_loadings(inputs: GroupInputs) -> Scores:
    """Return each network's z on every dimension of every head: (K, n_dimensions)."""
    statistics, atlas = inputs.statistics, inputs.atlas
    if atlas is None or statistics.course_products is None or not inputs.preserved:
        raise SettingsError(
            "This score looks at networks, and none is preserved.",
            hint="Decompose the recording first and preserve at least one network.",
        )
    usable = ~atlas.is_dummy
    courses = np.concatenate([np.ones((1, usable.sum())), atlas.time_courses[:, usable]])
    gram = np.einsum("kt,jt->kj", courses, courses, dtype=np.float64, optimize=True)
    spread = np.sqrt(statistics.variance)
    alive = spread > 0
    centred = statistics.course_products - np.outer(courses.sum(axis=1), statistics.mean)
    standardised = np.divide(centred, spread, out=np.zeros_like(centred), where=alive)
    loadings = np.linalg.lstsq(gram, standardised, rcond=None)[0][1:]
    z = np.zeros_like(loadings)
    alive_loadings = loadings[:, alive]
    deviation = alive_loadings.std(axis=1, keepdims=True)
    z[:, alive] = (alive_loadings - alive_loadings.mean(axis=1, keepdims=True)) / np.maximum(
        deviation, 1e-300
    )
    return np.asarray(z, dtype=np.float64)


def relative_scores(scores: Sequence[Scores]) -> Scores:
    """Return for each layer the smallest share of its total score that one group has."""
    return np.array(
        [layer_scores.min() / max(float(layer_scores.sum()), 1e-300) for layer_scores in scores]
    )
