"""Table of the scores of units; the highest are kept. Knows no plan.

A score is one function and one row of `SCORES`. Its name, label, source, how tokens count,
whether it is offered as a rival, how a preview computes it and what the report says of it all
follow from the row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import SettingsError
from fnprune_core.scores.heads import (
    GroupScore,
    group_fluctuation,
    group_magnitude,
    group_membership,
    group_random,
    group_taylor,
    group_wanda,
)
from fnprune_core.scores.inputs import ScoreInputs
from fnprune_core.scores.token_weights import (
    CONTEXT,
    SHARPNESS,
    AllTokens,
    ByEnergy,
    ByPassage,
    TokenWeights,
    UsableTokens,
)

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One row of the table of scores.

    Parameters
    ----------
    formula : callable
        ``formula(inputs, weights)``, scores (n_units,) from tokens that count by `weights`
        (n_tokens,). One of `weights` alone also takes rows of them, (n, n_tokens).
    label : str
        For people.
    says : str
        What it is, in words, as the report says it.
    source : str
        Where it comes from.
    cite : str
        BibTeX key of its source in the report; empty where there is none.
    weighting : type
        How tokens count, in the score and in the compensation.
    uses_networks : bool
        Whether preserving networks changes it.
    is_rival : bool
        Whether the app offers it to compare a plan with.
    is_drawn : bool
        Whether it is drawn at random, so that each seed is another plan.
    needs_model : str
        Why a preview, which has no model, cannot compute it; empty where it can.
    toggled : callable or None
        ``toggled(inputs)``, scores after each network changes sides, (K, n_units): where that
        is quicker than one by one. NaN rows where nothing would be preserved.
    allocation, sink_units : str, int or None
        Fixed by a published method; None leaves the choice to the plan.
    compute_groups : callable
        The same rule for KV groups: inputs to scores (n_groups,).
    needs_courses : bool
        Whether that rule regresses heads on the networks' time courses.
    constants : mapping
        Numbers in its formula that are a choice of ours; plans with others are other plans.
    """

    formula: Callable[[ScoreInputs, NDArray[np.float64]], Scores]
    label: str
    says: str
    source: str
    cite: str = ""
    weighting: type[TokenWeights] = UsableTokens
    uses_networks: bool = False
    is_rival: bool = True
    is_drawn: bool = False
    needs_model: str = ""
    toggled: Callable[[ScoreInputs], Scores] | None = None
    allocation: str | None = None
    sink_units: int | None = None
    compute_groups: GroupScore = group_fluctuation
    needs_courses: bool = False
    constants: Mapping[str, int] = field(default_factory=dict)

    def token_weights(self, inputs: ScoreInputs) -> NDArray[np.float64]:
        """Return how much each token counts: (n_tokens,)."""
        return inputs.token_weights(self.weighting)

    def compute(self, inputs: ScoreInputs) -> Scores:
        """Return the score of every unit: (n_units,), higher is kept."""
        return self.formula(inputs, self.token_weights(inputs))


def fluctuation(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return ‖W[:, j]‖² · var x_j over weighted tokens (FLAP, arXiv 2312.11983).

    With weights by networks it is network energy; with every network preserved FLAP's score.
    """
    return inputs.column_norms() * inputs.moments(weights)[1]


def wanda(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return √Σx² · Σ|W[:, j]| (arXiv 2306.11695, summed over the unit's column)."""
    mean, variance = inputs.moments(weights)
    energy = (variance + np.square(mean)) * weights.sum(axis=-1, keepdims=weights.ndim > 1)
    return np.asarray(np.sqrt(energy) * inputs.column_sums(1))


def membership(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return the max over preserved networks of |z_kj| (the rule of arXiv 2508.05239)."""
    maps = inputs.network_atlas().maps[inputs.preserved_networks()]
    return np.asarray(np.abs(maps).max(axis=0), dtype=np.float64)


def membership_toggled(inputs: ScoreInputs) -> Scores:
    """Return membership after each network changes sides, from the two strongest of each unit."""
    strength = np.abs(inputs.network_atlas().maps).astype(np.float64)
    preserved = np.array(sorted(set(inputs.preserved_networks())))
    strongest = strength[preserved].max(axis=0)
    best_network = preserved[strength[preserved].argmax(axis=0)]
    second_strongest = np.where(
        preserved[:, None] == best_network, -np.inf, strength[preserved]
    ).max(axis=0)
    is_kept = np.isin(np.arange(len(strength)), preserved)
    scores = np.where(
        is_kept[:, None],
        np.where(best_network == np.arange(len(strength))[:, None], second_strongest, strongest),
        np.maximum(strongest, strength),
    )
    scores[is_kept & (len(preserved) == 1)] = np.nan
    return np.asarray(scores)


def random_scores(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return uniform random numbers from the plan's seed."""
    n_units = inputs.layout.n_units
    return np.random.default_rng([inputs.seed, n_units]).random(n_units)


def magnitude(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return ‖W[:, j]‖² of the output column times ‖row‖² of what feeds the unit."""
    return np.asarray(inputs.column_norms() * inputs.feeding_norms())


def taylor(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return the mean |Σ_window x · ∂L/∂x|, a first-order effect (arXiv 2305.11627)."""
    return inputs.loss_sensitivity()


_ENERGY = "‖W[:, j]‖² × variance over tokens, each token weighted by"
SCORES: dict[str, Score] = {
    "network-energy": Score(
        formula=fluctuation,
        label="Network energy",
        says=f"{_ENERGY} the preserved networks' share",
        source="this project",
        weighting=ByEnergy,
        uses_networks=True,
        is_rival=False,
    ),
    "network-context": Score(
        formula=fluctuation,
        label="Network energy, by passage",
        says=f"{_ENERGY} what rules the passage around it",
        source="this project",
        weighting=ByPassage,
        uses_networks=True,
        is_rival=False,
        constants={"context": CONTEXT, "sharpness": SHARPNESS},
    ),
    "network-membership": Score(
        formula=membership,
        label="Network membership",
        says="max over preserved networks of |z_kj|",
        source="arXiv 2508.05239",
        cite="liu2025",
        uses_networks=True,
        toggled=membership_toggled,
        compute_groups=group_membership,
        needs_courses=True,
    ),
    "flap": Score(
        formula=fluctuation,
        label="FLAP",
        says="‖W[:, j]‖² · var x_j",
        source="arXiv 2312.11983",
        cite="an2024",
    ),
    "flap-published": Score(
        formula=fluctuation,
        label="FLAP as published",
        says="FLAP's score over all tokens, dummy ones included, as its authors compute it",
        source="arXiv 2312.11983",
        cite="an2024",
        weighting=AllTokens,
        allocation="global",
        sink_units=0,
    ),
    "wanda": Score(
        formula=wanda,
        label="Wanda",
        says="√Σx² · Σ|W[:, j]|",
        source="arXiv 2306.11695",
        cite="sun2024",
        compute_groups=group_wanda,
    ),
    "taylor": Score(
        formula=taylor,
        label="Taylor",
        says="mean |Σ_window x · ∂L/∂x|, the first-order change of the loss",
        source="arXiv 2305.11627",
        cite="ma2023",
        needs_model="it needs gradients of the loss, a pass over the text by the model",
        compute_groups=group_taylor,
    ),
    "magnitude": Score(
        formula=magnitude,
        label="Magnitude",
        says="‖W[:, j]‖² of the output column times ‖row‖² of what feeds the unit",
        source="weights only",
        compute_groups=group_magnitude,
    ),
    "random": Score(
        formula=random_scores,
        label="Random",
        says="uniform random numbers from the plan's seed",
        source="chance",
        is_drawn=True,
        compute_groups=group_random,
    ),
}


def score_named(name: str) -> Score:
    """Return the score with this name; the error lists those there are."""
    if name not in SCORES:
        raise SettingsError(f"There is no score {name!r}.", hint=f"Use one of {', '.join(SCORES)}.")
    return SCORES[name]


def plan_label(score: str, seed: int) -> str:
    """Return a plan's label by its score, with the seed where the score is drawn at random."""
    return f"{score}, seed {seed}" if score_named(score).is_drawn else score


def sink_units(inputs: ScoreInputs, n_per_layer: int) -> NDArray[np.bool_]:
    """Return the units that serve attention sinks and are always kept: (n_units,).

    The top q of each layer by max over dummy tokens of |x_j| · ‖W[:, j]‖.
    """
    layout = inputs.layout
    strength = inputs.dummy_max.astype(np.float64) * np.sqrt(inputs.column_norms())
    is_sink = np.zeros(layout.n_units, dtype=bool)
    if n_per_layer and inputs.is_dummy.any():
        for layer, layer_strength in enumerate(layout.split(strength)):
            top = np.argsort(-layer_strength, kind="stable")[:n_per_layer]
            is_sink[top + layout.offsets[layer]] = True
    return is_sink


def shown_label(label: str) -> str:
    """Return the name that people read of a label that `plan_label` gave; others as they are."""
    name, comma, seed_text = label.partition(",")
    return f"{SCORES[name].label}{comma}{seed_text}" if name in SCORES else label
