"""Table of compensations: how the output of removed units is made up for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg
from torch import Tensor

from fnprune_core.errors import SettingsError
from fnprune_core.inputs.tables import row_named
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
from fnprune_core.models.silencing import Refit
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore, steps
from fnprune_core.recording.recording import Recording
from fnprune_core.scores.brain_surgeon import DAMPING, damped

RIDGE = 0.3
_ENOUGH_TOKENS_PER_UNIT = 10.0  # for that ridge
Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CalibrationStatistics:
    """Weighted moments of one layer's signals.

    Parameters
    ----------
    mean : ndarray (units,)
        Weighted mean over the tokens that statistics use.
    gram : ndarray (units, units) or None
        Σ_t w_t x_t x_tᵀ / Σ_t w_t over all tokens, dummy tokens with weight 1.
    gram_mean : ndarray (units,) or None
        Σ_t w_t x_t / Σ_t w_t over the same tokens as the Gram matrix.
    ridge : float
        How strongly refits are pulled to the old columns.
    """

    mean: Array
    gram: Array | None = None
    gram_mean: Array | None = None
    ridge: float = RIDGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensation:
    """One row of the table of compensations.

    Parameters
    ----------
    refit : callable
        ``refit(weight, removed, statistics, intercept)`` returns a `Refit`; `weight` is
        (hidden, units) in float64.
    label : str
        For people.
    does : str
        What it does, for the form of a plan.
    says : str
        What it is, in words, as the report says it; ``{key}`` cites.
    needs_mean : bool
        Whether it needs the units' means.
    needs_gram : bool
        Whether it needs second moments, O(tokens · units²) per layer.
    is_trained : bool
        Whether the refits are only where training starts (see ``reconstruction``).
    reads_pruned : bool
        Whether the refits come from a pass of the pruned model (see ``pruned_bias``).
    adds_bias : bool
        Whether it always adds a bias, for which a model may have no home.
    takes_intercept : bool
        Whether a bias can be asked for.
    constants : mapping
        Numbers in it that are a choice of ours; plans with others are other plans.
    """

    refit: Callable[[Array, Indices, CalibrationStatistics, bool], Refit]
    label: str
    does: str
    says: str
    needs_mean: bool = False
    needs_gram: bool = False
    is_trained: bool = False
    reads_pruned: bool = False
    adds_bias: bool = False
    takes_intercept: bool = False
    constants: Mapping[str, float] = field(default_factory=dict)

    @property
    def needs_moments(self) -> bool:
        """Whether it needs statistics of the calibration text."""
        return self.needs_mean or self.needs_gram or self.reads_pruned


def _no_refit(*_: object) -> Refit:
    """Return an empty refit: the kept columns stay as they are."""
    return Refit()


def bias_refit(
    weight: Array, removed: Indices, statistics: CalibrationStatistics, intercept: bool
) -> Refit:
    """Return a bias, the removed units' mean output (FLAP, arXiv 2312.11983)."""
    return Refit(bias=_tensor(weight[:, removed] @ statistics.mean[removed]))


def _solved(system: Array, right: Array) -> Array:
    """Return x of ``system @ x = right``, symmetric; by Cholesky where rounding lets it."""
    try:
        factor = linalg.cho_factor(system, lower=True, check_finite=False)
        return np.asarray(linalg.cho_solve(factor, right, check_finite=False))
    except linalg.LinAlgError:
        return np.asarray(np.linalg.solve(system, right))


def least_squares_refit(
    weight: Array, removed: Indices, statistics: CalibrationStatistics, intercept: bool
) -> Refit:
    """Return refitted kept columns: min Σ_t w_t ‖W x − V x_kept − b‖² + λ Σ_j G_jj ‖ΔW_j‖².

    The ridge, λ = `RIDGE`, pulls towards the old columns, each scaled by its own energy. So much
    of it generalises best from ten or twenty tokens per unit, as long as sink units stay; an expert
    that saw fewer gets more of it (`ridge_for`).
    """
    gram, mean = statistics.gram, statistics.gram_mean
    if gram is None or mean is None:
        raise SettingsError("Least squares needs the calibration text's Gram matrices.")
    kept = np.setdiff1d(np.arange(weight.shape[1]), removed)
    moments = gram - np.outer(mean, mean) if intercept else gram
    energy = np.diag(gram)[kept]
    floor = max(1e-9 * energy.mean(), np.finfo(np.float64).tiny)  # dead units stay as they are
    system = moments[np.ix_(kept, kept)]
    system[np.diag_indices_from(system)] += statistics.ridge * energy + floor
    target = weight[:, removed] @ moments[np.ix_(removed, kept)]
    change = _solved(system, target.T).T
    bias = weight[:, removed] @ mean[removed] - change @ mean[kept] if intercept else None
    return Refit(
        columns=_tensor(weight[:, kept] + change), bias=None if bias is None else _tensor(bias)
    )


def surgeon_refit(
    weight: Array, removed: Indices, statistics: CalibrationStatistics, intercept: bool
) -> Refit:
    """Return the kept columns after the optimal brain surgeon's update (arXiv 2302.04089).

    min Σ_t ‖W x_t − V x_t,kept‖² + λ Σ_j ‖ΔW_j‖² in closed form, with the damping λ for which
    `removal_errors` chooses units: where it ends whatever the order in which they go.
    """
    if statistics.gram is None:
        raise SettingsError("The brain surgeon needs the calibration text's Gram matrices.")
    gram = damped(statistics.gram)
    kept = np.setdiff1d(np.arange(weight.shape[1]), removed)
    target = weight[:, removed] @ gram[np.ix_(removed, kept)]
    change = np.linalg.solve(gram[np.ix_(kept, kept)], target.T).T
    return Refit(columns=_tensor(weight[:, kept] + change))


COMPENSATIONS: dict[str, Compensation] = {
    "none": Compensation(
        refit=_no_refit,
        label="None",
        does="nothing",
        says="nothing compensates for them",
    ),
    "bias": Compensation(
        refit=bias_refit,
        label="Bias",
        does="the mean output of the units that go is added",
        says="the removed units' mean output over the calibration tokens is added {an2024}",
        needs_mean=True,
        adds_bias=True,
    ),
    "least-squares": Compensation(
        refit=least_squares_refit,
        label="Least squares",
        does="the columns of the units that stay are refitted, layer by layer, in seconds",
        says="the columns that stay are refitted by ridge regression so that each layer's output "
        "on the calibration tokens is kept "
        f"(ridge of {100 * RIDGE:.0f} % of each unit's own energy, "
        "towards the old columns)",
        needs_gram=True,
        constants={"ridge": RIDGE},
        takes_intercept=True,
    ),
    "bias-pruned": Compensation(
        refit=_no_refit,
        label="Bias, read pruned",
        does="the mean output of the units that go, as the pruned model has them, is added: the "
        "seed paper's",
        says="the removed units' mean output is added, measured while all of them are silenced, "
        "each session counted once (the code of {liu2025})",
        reads_pruned=True,
        adds_bias=True,
    ),
    "surgeon": Compensation(
        refit=surgeon_refit,
        label="Brain surgeon",
        does="the exact update of the columns that stay, with little damping",
        says="the columns that stay take over the part of those that go by the optimal brain "
        f"surgeon's update (damping of {100 * DAMPING:.0f} % of the mean energy) {{kurtic2023}}",
        needs_gram=True,
        constants={"damping": DAMPING},
    ),
    "reconstruct": Compensation(
        refit=least_squares_refit,
        label="Reconstruction",
        does="after that, what stays of the MLPs is trained end to end towards the dense model's "
        "predictions; takes minutes for each plan",
        says="the MLP weights that stay are refitted by least squares and then trained end to end "
        "towards the dense model's next-token distributions on the calibration text",
        needs_gram=True,
        constants={"ridge": RIDGE},
        is_trained=True,
    ),
}


def compensation_named(name: str) -> Compensation:
    """Return the compensation with this name; the error lists those there are."""
    return row_named(COMPENSATIONS, name, "compensation")


def uses_bias(name: str, *, intercept: bool) -> bool:
    """Whether a compensation adds a bias, for which a model may have no home."""
    row = compensation_named(name)
    return row.adds_bias or (row.takes_intercept and intercept)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """Units to remove in each layer, and the compensation for them."""

    removed: Sequence[Indices]
    compensation: str
    intercept: bool = False


def compensate(
    language_model: LanguageModel,
    recording: Recording,
    cuts: Sequence[Cut],
    *,
    weights: Array,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> list[list[Refit]]:
    """Return the refits of each cut, one a layer, from one pass over the recording.

    Parameters
    ----------
    weights : ndarray (n_tokens,)
        How much each token counts; dummy tokens as the score counts them, but with weight 1 in
        Gram matrices.

    Notes
    -----
    Experts are refitted each by itself, on the tokens that they saw. Memory: a few matrices of
    one layer's, or one expert's, units² in float64. Cost: O(tokens · units²) for each in which a
    cut that needs it removes units.
    """
    pairs = [(cut, compensation_named(cut.compensation)) for cut in cuts]
    projections = output_projections(language_model.model, language_model.architecture)
    if not any(row.needs_moments for _, row in pairs):
        return [[Refit()] * len(projections) for _ in cuts]
    results: list[list[Refit]] = [[] for _ in cuts]
    means = np.zeros(recording.layout.n_units)
    if any(row.needs_mean for _, row in pairs):
        means = recording.weighted_moments(weights, cancel=cancel)[0]
    layers = steps(
        enumerate(projections), stage="compensation", unit="layers", total=len(projections),
        progress=progress, cancel=cancel,
    )  # fmt: skip
    for layer, module in layers:
        with torch.no_grad():
            weight = weight_of(module).cpu().double().numpy()
        parts: list[list[Refit]] = [[] for _ in cuts]
        for units in recording.layout.experts_of(layer):
            removed_here = [_within(units, cut.removed[layer]) for cut in cuts]
            statistics = CalibrationStatistics(
                mean=means[recording.layout.layer_slice(layer)][units]
            )
            needs_gram = [
                row.needs_gram and len(removed) > 0
                for removed, (_, row) in zip(removed_here, pairs, strict=True)
            ]
            if any(needs_gram):
                counted = np.where(recording.is_dummy, 1.0, weights)
                gram, gram_mean = recording.weighted_gram(layer, counted, part=units)
                ridge = ridge_for(recording, layer, units)
                statistics = replace(statistics, gram=gram, gram_mean=gram_mean, ridge=ridge)
            own = weight[:, units]
            for (cut, row), removed, refits in zip(pairs, removed_here, parts, strict=True):
                refits.append(
                    row.refit(own, removed, statistics, cut.intercept) if len(removed) else Refit()
                )
        for cut, results_of_cut, refits in zip(cuts, results, parts, strict=True):
            results_of_cut.append(_joined(refits, weight, cut.removed[layer], recording, layer))
    return results


def ridge_for(recording: Recording, layer: int, units: slice) -> float:
    """Return the ridge for one expert: `RIDGE`, and more if it saw under ten tokens per unit."""
    share = recording.expert_shares(layer)
    if share is None:
        return RIDGE
    index = recording.layout.experts_of(layer).index(units)
    n_tokens = float(share[index]) * recording.n_tokens
    n_enough = _ENOUGH_TOKENS_PER_UNIT * float(units.stop - units.start)
    return float(RIDGE * max(1.0, n_enough / max(n_tokens, 1.0)))


def _within(units: slice, removed: Indices) -> Indices:
    """Return those of a layer's units that lie in a part of it, by their numbers there."""
    is_here = (removed >= units.start) & (removed < units.stop)
    return np.asarray(removed[is_here] - units.start, dtype=np.int64)


def _joined(
    refits: Sequence[Refit], weight: Array, removed: Indices, recording: Recording, layer: int
) -> Refit:
    """Return the refit of a layer whose experts were refitted each by itself."""
    if len(refits) == 1:
        return refits[0]
    biases = [refit.bias for refit in refits if refit.bias is not None]
    columns = None
    if any(refit.columns is not None for refit in refits):
        columns = torch.cat(
            [
                _tensor(np.delete(weight[:, units], _within(units, removed), axis=1))
                if refit.columns is None
                else refit.columns
                for refit, units in zip(refits, recording.layout.experts_of(layer), strict=True)
            ],
            dim=1,
        )
    return Refit(columns=columns, bias=sum(biases[1:], biases[0]) if biases else None)


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


#: Refits of the plans that are made in one pass are in memory together, at most so many bytes.
MOST_BYTES = 1 << 30


def refit_bytes(language_model: LanguageModel, settings: PlanSettings) -> int:
    """Return the bytes of a plan's refits: float32 columns of the units that stay.

    And the rows that feed them, where these are trained too.
    """
    compensation = compensation_named(settings.compensation)
    if not compensation.needs_gram:
        return 0
    architecture = language_model.architecture
    n_rows = architecture.n_fused * len(architecture.feeding) if compensation.is_trained else 0
    hidden = int(weight_of(language_model.model.get_input_embeddings()).shape[1])
    kept = language_model.layout.n_units * (1 - settings.ratio)
    return int(4 * hidden * (1 + n_rows) * kept)


def batches(
    language_model: LanguageModel, all_settings: Sequence[PlanSettings]
) -> Iterator[list[PlanSettings]]:
    """Yield runs of neighbouring settings whose refits fit in memory together."""
    batch: list[PlanSettings] = []
    batch_bytes = 0
    for settings in all_settings:
        n_bytes = refit_bytes(language_model, settings)
        if batch and batch_bytes + n_bytes > MOST_BYTES:
            yield batch
            batch, batch_bytes = [], 0
        batch.append(settings)
        batch_bytes += n_bytes
    yield batch
