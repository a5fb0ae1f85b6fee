"""Table of the scores of units; the highest are kept. Knows no plan.

A score is one function and one row of `SCORES` (see `score`). Its name, label, source, which
tokens it counts, whether it is offered as a rival, how a preview computes it and what the report
says of it all follow from the row.

A rival stands here twice: by its name, a score for a plan with any parts around it; and as
NAME-published, with the allocation and the compensation that its authors give it, no matter what
the plan asks for.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.inputs.tables import row_named
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.projections import weight_of
from fnprune_core.progress import steps
from fnprune_core.scores.brain_surgeon import removal_errors
from fnprune_core.scores.gradients import fisher_information, weight_sensitivity
from fnprune_core.scores.heads import (
    group_magnitude,
    group_membership,
    group_random,
    group_seed_paper,
    group_taylor,
    group_wanda,
)
from fnprune_core.scores.inputs import ScoreInputs
from fnprune_core.scores.network_drive import network_drive
from fnprune_core.scores.score import Score, Scores
from fnprune_core.scores.seed_paper import strongest_part
from fnprune_core.scores.token_weights import CONTEXT, SHARPNESS, ByEnergy, ByPassage


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
    """Return Σ w² over the unit's weights: its output column and the rows that feed it."""
    return np.asarray(inputs.column_norms() + inputs.feeding_norms())


def taylor(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return Σ |w · ∂L/∂w| over the unit's weights, a first-order effect (arXiv 2305.11627)."""
    recorded = inputs.recorded()
    return weight_sensitivity(
        recorded.language_model,
        recorded.recording.windows,
        progress=recorded.progress,
        cancel=recorded.cancel,
    )


def fisher(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return the Fisher information of a gate on each unit, over weighted tokens."""
    recorded = inputs.recorded()
    return fisher_information(
        recorded.language_model,
        recorded.recording.windows,
        weights=weights,
        progress=recorded.progress,
        cancel=recorded.cancel,
    )


def drive(inputs: ScoreInputs, weights: NDArray[np.float64], *, kind: str = "networks") -> Scores:
    """Return how strongly each unit drives the time courses of preserved networks."""
    return network_drive(inputs.recorded(), weights, kind=kind)


def drive_of_energy(
    inputs: ScoreInputs, weights: NDArray[np.float64], *, kind: str = "networks"
) -> Scores:
    """Return FLAP's score times the drive of the networks."""
    return fluctuation(inputs, weights) * drive(inputs, weights, kind=kind)


def brain_surgeon(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return the layer's output error once each unit has gone, one by one (arXiv 2302.04089)."""
    recorded = inputs.recorded()
    model = recorded.language_model
    projections = output_projections(model.model, model.architecture)
    errors = []
    for layer, projection in steps(
        enumerate(projections), stage="brain surgeon", unit="layers", total=len(projections),
        progress=recorded.progress, cancel=recorded.cancel,
    ):  # fmt: skip
        with torch.no_grad():
            weight = weight_of(projection).cpu().double().numpy()
        for units in recorded.recording.layout.experts_of(layer):
            gram, _ = recorded.recording.weighted_gram(layer, weights, part=units)
            errors.append(removal_errors(weight[:, units], gram))
    return np.concatenate(errors)


def seed_paper(inputs: ScoreInputs, weights: NDArray[np.float64]) -> Scores:
    """Return the largest |z| in any network, found as arXiv 2508.05239 and its code find them."""
    recorded = inputs.recorded()
    return strongest_part(
        recorded.language_model,
        recorded.recording.windows,
        progress=recorded.progress,
        cancel=recorded.cancel,
    )


PUBLISHED = "-published"
#: The score that is this project's own by default.
OWN = "network-energy"


def _published(
    score: Score, *, label: str, allocation: str, compensation: str, how: str, version: int = 1
) -> Score:
    """Return a rival's row as its authors run it: with their allocation and compensation."""
    fixes: Mapping[str, Any] = {
        "allocation": allocation,
        "layer_weights": (),
        "compensation": compensation,
        "intercept": False,
        "sink_units": 0,
    }
    return replace(score, label=label, says=f"{score.says}; {how}", fixes=fixes, version=version)


_ENERGY = "‖W[:, j]‖² × variance over tokens, each token weighted by"
_LEFT_OUT = "over all tokens but the first ones of each window"
_OWN = {
    OWN: Score(
        formula=fluctuation,
        label="Network energy",
        says=f"{_ENERGY} the preserved networks' share",
        said=f"{_ENERGY} the preserved networks' share, {_LEFT_OUT}",
        source="this project",
        weighting=ByEnergy,
        version=2,
        uses_networks=True,
        is_rival=False,
    ),
    "network-context": Score(
        formula=fluctuation,
        label="Network energy, by passage",
        says=f"{_ENERGY} what rules the passage around it",
        said=f"{_ENERGY} what rules the passage around it, {_LEFT_OUT}",
        source="this project",
        weighting=ByPassage,
        version=2,
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
        counts_first_tokens=False,
        uses_networks=True,
        toggled=membership_toggled,
        compute_groups=group_membership,
        needs_courses=True,
    ),
}
_FLAP = Score(
    formula=fluctuation,
    label="FLAP",
    says="‖W[:, j]‖² · var x_j over all tokens",
    said=f"‖W[:, j]‖² · var x_j {_LEFT_OUT}",
    source="arXiv 2312.11983",
    cite="an2024",
    version=2,
)
_WANDA = Score(
    formula=wanda,
    label="Wanda",
    says="√Σx² · Σ|W[:, j]| over all tokens",
    said=f"√Σx² · Σ|W[:, j]| {_LEFT_OUT}",
    source="arXiv 2306.11695",
    cite="sun2024",
    version=2,
    compute_groups=group_wanda,
)
_TAYLOR = Score(
    formula=taylor,
    label="Taylor",
    says="Σ |w · ∂L/∂w| over the unit's weights, the first-order change of the loss",
    said=f"mean |Σ_window x · ∂L/∂x|, {_LEFT_OUT}",
    source="arXiv 2305.11627",
    cite="ma2023",
    version=2,
    needs_model="it needs gradients of the loss, a pass over the text by the model",
    compute_groups=group_taylor,
)
_FISHER = Score(
    formula=fisher,
    label="Fisher information",
    says="mean square of the loss's slope along a gate on the unit, labels drawn from the model",
    source="arXiv 1905.12558 (the information), a unit's gate in place of weights",
    needs_model="it needs gradients of the loss, a pass over the text by the model",
)
_DRIVE = Score(
    formula=drive,
    label="Network drive",
    says="Σ over preserved networks and tokens of the squared slope of their time courses along a "
    "gate on the unit",
    source="this project",
    counts_first_tokens=False,
    uses_networks=True,
    is_rival=False,
    needs_model="it needs gradients of time courses, a pass over the text by the model",
)
_DRIVE_OF_ENERGY = replace(
    _DRIVE,
    formula=drive_of_energy,
    label="FLAP × network drive",
    says=f"‖W[:, j]‖² · var x_j, times {_DRIVE.says}",
)


def _of_directions(score: Score, formula: Callable[..., Scores], kind: str) -> Score:
    """Return a score's control: as many random directions in the place of networks."""
    return replace(
        score,
        formula=partial(formula, kind=kind),
        label=f"{score.label}, {kind} directions",
        says=score.says.replace("preserved networks", f"as many {kind} random directions"),
        source="chance",
    )


_SURGEON = Score(
    formula=brain_surgeon,
    label="Brain surgeon",
    says="units go one by one, the one whose loss ‖W[:, j]‖² / [H⁻¹]_jj is least, and the columns "
    "that stay take its part over",
    source="arXiv 2302.04089",
    cite="kurtic2023",
    needs_model="it inverts second moments of the calibration text, layer by layer",
)
_SEED = Score(
    formula=seed_paper,
    label="Seed paper",
    says="max of |z| over the networks that its rule finds: activation and up projection, layer "
    "by layer, groups of texts apart",
    source="arXiv 2508.05239",
    cite="liu2025",
    counts_first_tokens=False,
    needs_model="it decomposes signals of its own, layer by layer, which takes minutes",
    compute_groups=group_seed_paper,
)
_MAGNITUDE = Score(
    formula=magnitude,
    label="Magnitude",
    says="Σ w² over the unit's weights",
    said="‖W[:, j]‖² of the output column times ‖row‖² of what feeds the unit",
    source="weights only",
    counts_first_tokens=False,
    version=2,
    compute_groups=group_magnitude,
)
_RANDOM = Score(
    formula=random_scores,
    label="Random",
    says="uniform random numbers from the plan's seed",
    source="chance",
    counts_first_tokens=False,
    is_drawn=True,
    compute_groups=group_random,
)
SCORES: dict[str, Score] = {
    **_OWN,
    "flap": _FLAP,
    "flap-published": _published(
        _FLAP,
        label="FLAP as published",
        allocation="global",
        compensation="bias",
        how="ranked over all layers, each standardised, with its bias",
    ),
    "wanda": _WANDA,
    "wanda-published": _published(
        _WANDA,
        label="Wanda-sp as published",
        allocation="uniform",
        compensation="none",
        how="the same share of every layer, no compensation (Wanda-sp of FLAP's authors)",
    ),
    "taylor": _TAYLOR,
    "taylor-published": _published(
        _TAYLOR,
        label="Taylor as published",
        allocation="protect-ends",
        compensation="none",
        how="the first and last layers spared, no compensation (LLM-Pruner before its training)",
    ),
    "fisher": _FISHER,
    "network-drive": _DRIVE,
    "network-drive-permuted": _of_directions(_DRIVE, drive, "permuted"),
    "network-drive-rotated": _of_directions(_DRIVE, drive, "rotated"),
    "flap-drive": _DRIVE_OF_ENERGY,
    "flap-drive-permuted": _of_directions(_DRIVE_OF_ENERGY, drive_of_energy, "permuted"),
    "flap-drive-rotated": _of_directions(_DRIVE_OF_ENERGY, drive_of_energy, "rotated"),
    "surgeon": _SURGEON,
    "surgeon-published": _published(
        _SURGEON,
        label="Brain surgeon as published",
        allocation="uniform",
        compensation="surgeon",
        how="the same share of every layer, with its exact update",
    ),
    "seed-paper": _SEED,
    "seed-paper-published": _published(
        _SEED,
        label="Seed paper as published",
        allocation="threshold",
        compensation="bias-pruned",
        how="one threshold over all layers but the first and last, with its bias",
    ),
    "magnitude": _MAGNITUDE,
    "magnitude-published": _published(
        _MAGNITUDE,
        label="Magnitude, plain",
        allocation="uniform",
        compensation="none",
        how="the same share of every layer, no compensation",
    ),
    "random": _RANDOM,
    "random-published": _published(
        _RANDOM,
        label="Random, plain",
        allocation="uniform",
        compensation="none",
        how="the same share of every layer, no compensation",
    ),
}


def score_named(name: str) -> Score:
    """Return the score with this name; the error lists those there are."""
    return row_named(SCORES, name, "score")


def with_published(name: str) -> list[str]:
    """Return a score's name and, before it, that of its row as published, if there is one."""
    published = f"{name}{PUBLISHED}"
    return [published, name] if published in SCORES else [name]


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
