"""How much a unit matters: one table of scores, higher is kept. Knows no plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.models.architectures import feeding_row_norms, output_column_norms
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.recording.recording import Recording
from fnprune_core.scores.gradients import loss_sensitivity
from fnprune_core.scores.heads import (
    GroupScore,
    group_fluctuation,
    group_magnitude,
    group_membership,
    group_random,
    group_taylor,
    group_wanda,
)
from fnprune_core.scores.token_weights import CONTEXT, SHARPNESS, ByPassage

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreInputs:
    """What a score may look at.

    Parameters
    ----------
    language_model : LanguageModel
    recording : Recording
        The calibration text's signals.
    atlas : NetworkAtlas or None
        Needed by the scores of networks.
    preserved : tuple of int
        Networks to preserve.
    seed : int
    """

    language_model: LanguageModel
    recording: Recording
    atlas: NetworkAtlas | None = None
    preserved: tuple[int, ...] = ()
    seed: int = 0
    progress: Progress = field(default=ignore)
    cancel: CancelToken = field(default=NEVER)

    def weighted_variance(self, weights: NDArray[np.float64]) -> Scores:
        """Return each unit's variance over tokens with the given weights."""
        return self.recording.weighted_moments(weights, progress=self.progress, cancel=self.cancel)[
            1
        ]

    def column_norms(self) -> Scores:
        """Return ‖W[:, j]‖² of each unit's output column."""
        model = self.language_model
        return np.asarray(output_column_norms(model.model, model.architecture).numpy())

    def network_atlas(self) -> NetworkAtlas:
        """Return the atlas, or say that the score needs one."""
        if self.atlas is None:
            raise SettingsError(
                "This score looks at networks, and there is no decomposition.",
                hint="Decompose the recording and name its networks (--decomposition latest), or "
                "choose flap, wanda or magnitude.",
            )
        return self.atlas


def usable_tokens(inputs: ScoreInputs) -> NDArray[np.float64]:
    """1 for every token, 0 for dummy tokens."""
    return (~inputs.recording.is_dummy).astype(np.float64)


def all_tokens(inputs: ScoreInputs) -> NDArray[np.float64]:
    """1 for every token, dummy tokens too."""
    return np.ones(inputs.recording.n_tokens)


def preserved_share(inputs: ScoreInputs) -> NDArray[np.float64]:
    """Squared share of the preserved networks in each token's energy, 0 for dummy tokens."""
    return inputs.network_atlas().token_weights(inputs.preserved)


def context_weights(inputs: ScoreInputs) -> NDArray[np.float64]:
    """Return how much each token counts by what rules the passage around it: `ByPassage`."""
    atlas = inputs.network_atlas()
    if not inputs.preserved:
        raise SettingsError("No network is preserved.", hint="Preserve at least one.")
    return ByPassage(atlas).of([atlas.check_network(network) for network in inputs.preserved])


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One row of the table of scores.

    Parameters
    ----------
    compute : callable
        Inputs to scores (n_units,).
    label, source : str
        For people, and where it comes from.
    token_weights : callable
        How much each token counts, (n_tokens,), in the score and in the compensation.
    uses_networks : bool
        Whether preserving networks changes it.
    allocation, sink_units : str, int or None
        Fixed by a published method; None leaves the choice to the plan.
    compute_groups : callable
        The same rule for KV groups: inputs to scores (n_groups,).
    needs_courses : bool
        Whether that rule regresses heads on the networks' time courses.
    constants : mapping
        Numbers in its formula that are a choice of ours; plans with others are other plans.
    """

    compute: Callable[[ScoreInputs], Scores]
    label: str
    source: str
    token_weights: Callable[[ScoreInputs], NDArray[np.float64]] = usable_tokens
    uses_networks: bool = False
    allocation: str | None = None
    sink_units: int | None = None
    compute_groups: GroupScore = group_fluctuation
    needs_courses: bool = False
    constants: Mapping[str, int] = field(default_factory=dict)


def network_energy(inputs: ScoreInputs) -> Scores:
    """‖W[:, j]‖² × variance over tokens, each token weighted by the preserved networks' share.

    With every network preserved all weights are 1, and this is FLAP's score.
    """
    return inputs.column_norms() * inputs.weighted_variance(preserved_share(inputs))


def network_context(inputs: ScoreInputs) -> Scores:
    """‖W[:, j]‖² × variance over tokens, each token weighted by what rules the passage around it.

    With every network preserved all weights are 1, and this is FLAP's score.
    """
    return inputs.column_norms() * inputs.weighted_variance(context_weights(inputs))


def network_membership(inputs: ScoreInputs) -> Scores:
    """Max over preserved networks of |z_kj| (the rule of arXiv 2508.05239)."""
    atlas = inputs.network_atlas()
    if not inputs.preserved:
        raise SettingsError("No network is preserved.", hint="Preserve at least one.")
    return np.asarray(np.abs(atlas.maps[list(inputs.preserved)]).max(axis=0), dtype=np.float64)


def random_scores(inputs: ScoreInputs) -> Scores:
    """Uniform random numbers from the plan's seed."""
    rng = np.random.default_rng([inputs.seed, inputs.recording.layout.n_units])
    return rng.random(inputs.recording.layout.n_units)


def magnitude(inputs: ScoreInputs) -> Scores:
    """‖W[:, j]‖² of the output column times ‖row‖² of what feeds the unit."""
    model = inputs.language_model
    feeding = feeding_row_norms(model.model, model.architecture).numpy()
    return np.asarray(inputs.column_norms() * feeding)


def wanda(inputs: ScoreInputs) -> Scores:
    """√Σx² · Σ|W[:, j]| (arXiv 2306.11695, summed over the unit's column)."""
    model = inputs.language_model
    weights = usable_tokens(inputs)
    mean, variance = inputs.recording.weighted_moments(
        weights, progress=inputs.progress, cancel=inputs.cancel
    )
    energy = (variance + np.square(mean)) * weights.sum()
    sums = output_column_norms(model.model, model.architecture, power=1).numpy()
    return np.asarray(np.sqrt(energy) * sums)


def flap(inputs: ScoreInputs) -> Scores:
    """‖W[:, j]‖² · var x_j, FLAP's fluctuation score (arXiv 2312.11983)."""
    return inputs.column_norms() * inputs.weighted_variance(usable_tokens(inputs))


def flap_published(inputs: ScoreInputs) -> Scores:
    """FLAP's score over all tokens, dummy ones included, as its authors compute it."""
    return inputs.column_norms() * inputs.weighted_variance(all_tokens(inputs))


def taylor(inputs: ScoreInputs) -> Scores:
    """Mean |Σ_window x · ∂L/∂x|, the first-order change of the loss (arXiv 2305.11627)."""
    return loss_sensitivity(
        inputs.language_model,
        inputs.recording.windows,
        progress=inputs.progress,
        cancel=inputs.cancel,
    )


SCORES: dict[str, Score] = {
    "network-energy": Score(
        compute=network_energy,
        label="Network energy",
        source="this project",
        token_weights=preserved_share,
        uses_networks=True,
    ),
    "network-context": Score(
        compute=network_context,
        label="Network energy, by passage",
        source="this project",
        token_weights=context_weights,
        uses_networks=True,
        constants={"context": CONTEXT, "sharpness": SHARPNESS},
    ),
    "network-membership": Score(
        compute=network_membership,
        label="Network membership",
        source="arXiv 2508.05239",
        uses_networks=True,
        compute_groups=group_membership,
        needs_courses=True,
    ),
    "flap": Score(compute=flap, label="FLAP", source="arXiv 2312.11983"),
    "flap-published": Score(
        compute=flap_published,
        label="FLAP as published",
        source="arXiv 2312.11983",
        token_weights=all_tokens,
        allocation="global",
        sink_units=0,
    ),
    "wanda": Score(
        compute=wanda, label="Wanda", source="arXiv 2306.11695", compute_groups=group_wanda
    ),
    "taylor": Score(
        compute=taylor, label="Taylor", source="arXiv 2305.11627", compute_groups=group_taylor
    ),
    "magnitude": Score(
        compute=magnitude,
        label="Magnitude",
        source="weights only",
        compute_groups=group_magnitude,
    ),
    "random": Score(
        compute=random_scores, label="Random", source="chance", compute_groups=group_random
    ),
}


def score_named(name: str) -> Score:
    """Return a row of the table, or say which there are."""
    if name not in SCORES:
        raise SettingsError(f"There is no score {name!r}.", hint=f"Use one of {', '.join(SCORES)}.")
    return SCORES[name]


def sink_units(
    language_model: LanguageModel, recording: Recording, n_per_layer: int
) -> NDArray[np.bool_]:
    """Return the units that serve attention sinks and are always kept: (n_units,).

    The top q of each layer by max over dummy tokens of |x_j| · ‖W[:, j]‖.
    """
    layout = recording.layout
    norms = output_column_norms(language_model.model, language_model.architecture).sqrt().numpy()
    strength = recording.dummy_max.astype(np.float64) * norms
    chosen = np.zeros(layout.n_units, dtype=bool)
    if n_per_layer and recording.windows.n_dummy_tokens:
        for layer, part in enumerate(layout.split(strength)):
            top = np.argsort(-part, kind="stable")[:n_per_layer]
            chosen[layout.flat(layer, top)] = True
    return chosen
