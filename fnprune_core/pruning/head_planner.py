"""Choice of the KV groups that a plan removes, and their compensation."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.errors import PlanError
from fnprune_core.models.attention import (
    AttentionLayout,
    attention_outputs,
    group_parameters,
    plain_heads_refusal,
)
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
from fnprune_core.models.silencing import AttentionCut
from fnprune_core.plans.choice import group_counts
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.pruning.compensation import (
    CalibrationStatistics,
    compensation_named,
    uses_bias,
)
from fnprune_core.scores.head_statistics import (
    AttentionStatistics,
    attention_grams,
    attention_statistics,
)
from fnprune_core.scores.heads import GroupInputs, relative_scores
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import score_named

Removed = tuple[NDArray[np.int64], ...]


@dataclass(slots=True, kw_only=True)
class AttentionPlanner:
    """Chooses KV groups for one model; the last pass over a recording is kept for the next plan.

    Parameters
    ----------
    language_model : LanguageModel
    """

    language_model: LanguageModel
    _key: object = field(default=None, init=False)
    _statistics: AttentionStatistics | None = field(default=None, init=False)

    def choose(
        self, settings: PlanSettings, inputs: RecordedInputs, weights: NDArray[np.float64]
    ) -> Removed:
        """Return the lowest-scored KV groups of each layer, within the allocation's budget.

        Parameters
        ----------
        weights : ndarray (n_tokens,)
            The score's own.

        Raises
        ------
        RatioError
            If so many groups cannot go, saying how many can.
        """
        score = score_named(settings.score)
        time_courses = None
        if score.needs_courses and inputs.atlas is not None:
            time_courses = inputs.atlas.time_courses
        scores = score.compute_groups(
            GroupInputs(
                language_model=self.language_model,
                recording=inputs.recording,
                statistics=self.statistics(inputs, weights, time_courses),
                atlas=inputs.atlas,
                preserved=inputs.preserved,
                seed=settings.seed,
                progress=inputs.progress,
                cancel=inputs.cancel,
            )
        )
        return lowest_groups(scores, self.language_model.attention, settings)

    def statistics(
        self,
        inputs: RecordedInputs,
        weights: NDArray[np.float64],
        time_courses: NDArray[np.floating] | None,
    ) -> AttentionStatistics:
        """Return the heads' moments over a recording, computed once for plans that weigh alike."""
        key = (inputs.recording.id, weights.tobytes())
        statistics = self._statistics if self._key == key else None
        if statistics is None or (time_courses is not None and statistics.course_products is None):
            statistics = attention_statistics(
                self.language_model,
                inputs.recording,
                weights,
                time_courses=time_courses,
                progress=inputs.progress,
                cancel=inputs.cancel,
            )
            self._statistics, self._key = statistics, key
        return statistics

    def cuts(
        self, plan: PruningPlan, inputs: RecordedInputs, weights: NDArray[np.float64]
    ) -> list[AttentionCut]:
        """Return the cut of each layer's attention, with the plan's compensation.

        Least squares reads the recording's windows once more for the Gram matrices of the layers
        that lose groups: O(tokens · dimensions²) each.
        """
        compensation = compensation_named(plan.settings.compensation)
        layout = self.language_model.attention
        cut_layers = [i for i, groups in enumerate(plan.removed_groups) if len(groups)]
        cuts = [AttentionCut(removed=groups) for groups in plan.removed_groups]
        if not cut_layers or not compensation.needs_moments:
            return cuts
        ends = np.cumsum(layout.groups.widths)[:-1] * layout.group_size
        mean = np.split(self.statistics(inputs, weights, None).mean, ends)
        if compensation.needs_gram:
            grams = attention_grams(
                self.language_model,
                inputs.recording,
                weights,
                cut_layers,
                progress=inputs.progress,
                cancel=inputs.cancel,
            )
            calibrations = (
                (i, CalibrationStatistics(mean=mean[i], gram=each.gram, gram_mean=each.mean))
                for i, each in grams
            )
        else:
            calibrations = ((i, CalibrationStatistics(mean=mean[i])) for i in cut_layers)
        outputs = attention_outputs(self.language_model.model, self.language_model.architecture)
        for layer, calibration in calibrations:
            removed = plan.removed_groups[layer]
            with torch.no_grad():
                weight = weight_of(outputs[layer]).cpu().double().numpy()
            refit = compensation.refit(
                weight, layout.dimensions(removed), calibration, plan.settings.intercept
            )
            cuts[layer] = AttentionCut(removed=removed, columns=refit.columns, bias=refit.bias)
        return cuts


def lowest_groups(
    scores: NDArray[np.float64], layout: AttentionLayout, settings: PlanSettings
) -> Removed:
    """Return the lowest-scored groups of each layer, as the allocation divides the ratio.

    There are few in a layer, so most shares are below one: the layers whose weakest group has the
    least share of its layer's score give first.
    """
    if not np.isfinite(scores).all():
        raise PlanError("A score is not finite.", hint="Load the model in float32 or bfloat16.")
    scores_by_layer = layout.groups.split(scores)
    turn = relative_scores(scores_by_layer)
    counts = group_counts(layout.groups, settings, scores=scores, turn=turn)
    return tuple(
        np.sort(np.argsort(layer_scores, kind="stable")[:count])
        for layer_scores, count in zip(scores_by_layer, counts, strict=True)
    )


def parameters_of_groups(
    language_model: LanguageModel, removed_groups: Sequence[NDArray[np.int64]]
) -> int:
    """Return how many parameters go with KV groups, given those that go from each layer."""
    if not any(len(groups) for groups in removed_groups):
        return 0
    layout = language_model.attention
    return sum(
        len(groups)
        * group_parameters(language_model.model, language_model.architecture, layout, layer)
        for layer, groups in enumerate(removed_groups)
    )


def check_attention_ratio(language_model: LanguageModel, settings: PlanSettings) -> None:
    """Raise `RatioError` if so many KV groups cannot go, before anything is computed.

    Raises
    ------
    UnsupportedArchitectureError
        If the model's attention is not as its family's.
    """
    if settings.attention_ratio:
        layout = language_model.attention
        lowest_groups(np.zeros(layout.groups.n_units), layout, settings)


def expected_share(language_model: LanguageModel, settings: PlanSettings) -> float:
    """Return the share of all parameters that a plan will take: exact where layers are alike."""
    anatomy = language_model.anatomy()
    n_removed = settings.ratio * anatomy.n_mlp_parameters
    if settings.attention_ratio:
        layout = language_model.attention
        all_groups = [np.arange(n) for n in layout.groups.widths]
        n_removed += settings.attention_ratio * parameters_of_groups(language_model, all_groups)
    return n_removed / anatomy.n_parameters


def attention_warning(language_model: LanguageModel, settings: PlanSettings) -> str:
    """Return a warning of what exports cannot hold of a plan's attention, or an empty string."""
    if not settings.attention_ratio:
        return ""
    architecture, layout = language_model.architecture, language_model.attention
    sentences = []
    if not architecture.attention.has_head_size:
        refusal = plain_heads_refusal(language_model.model, architecture, layout, 0)
        sentences.append(f"{refusal}: export in the masked or per-layer form.")
    if architecture.attention.bias_home == "none" and uses_bias(
        settings.compensation, intercept=settings.intercept
    ):
        sentences.append(
            f"The attention's output of {architecture.family} models has no bias: use none, or "
            "least squares without intercept, or export in the per-layer form."
        )
    return " ".join(sentences)
