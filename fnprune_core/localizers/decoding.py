"""Decoding: which side of a contrast an item is on, read from networks, on held-out templates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import SettingsError
from fnprune_core.inputs.numbers import MOST_SEED, check_most
from fnprune_core.localizers.stimuli import Block, Localizer
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore

_AT_ONCE = 250  # permutations


MOST_PERMUTATIONS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingSettings:
    """Settings of a decoding test: label permutations, and the seed of folds and permutations."""

    n_permutations: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_most("n_permutations", self.n_permutations, MOST_PERMUTATIONS)
        check_most("seed", self.seed, MOST_SEED)
        if self.n_permutations < 1 or self.seed < 0:
            raise SettingsError(
                f"{self.n_permutations} permutations with seed {self.seed} are no test.",
                hint="Take 1 or more, and a seed that is not negative.",
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoding:
    """Accuracy with which items of held-out templates are told apart.

    Parameters
    ----------
    accuracy : float
        Balanced: the mean of both sides' shares of items that were put on the right side; 0.5
        is chance.
    standard_error : float
        Over templates (or blocks).
    p : float
        Share of label permutations (with the true one) that reach the accuracy.
    null : ndarray (n_permutations,)
        Accuracies after permuting the conditions of whole blocks within each fold.
    by_block : ndarray (n_blocks,)
        Share of each block's items on the right side.
    n_folds, n_items : int
        Folds of held-out templates; items with a token that counts.
    """

    accuracy: float
    standard_error: float
    p: float
    null: NDArray[np.float64]
    by_block: NDArray[np.float64]
    n_folds: int
    n_items: int


def folds_of(localizer: Localizer, blocks: Sequence[Block], *, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold in which each block is held out: (n_blocks,).

    A template is held out in all conditions at once. Without templates in common, a fold holds at
    least two blocks of each condition: labels are permuted within folds, which then leaves the
    balance as it is and has enough arrangements.
    """
    if localizer.is_paired:
        names = list(localizer.templates(localizer.positive[0]))
        return np.array([names.index(block.template) for block in blocks], dtype=np.int64)
    rng = np.random.default_rng(seed)
    conditions = np.array([block.condition for block in blocks])
    fewest = min(int((conditions == condition).sum()) for condition in localizer.conditions)
    n_folds = max(2, min(fewest // 2, 10))
    folds = np.zeros(len(blocks), dtype=np.int64)
    for condition in localizer.conditions:
        places = rng.permutation(np.flatnonzero(conditions == condition))
        folds[places] = np.arange(len(places)) % n_folds
    return folds


def decode(
    localizer: Localizer,
    blocks: Sequence[Block],
    features: NDArray[np.floating],
    block_of_item: NDArray[np.integer],
    *,
    settings: DecodingSettings | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Decoding:
    """Return the accuracy with which items' sides are read from features, on held-out templates.

    A ridge regression on the side, features standardised on the training items, penalty as large
    as their number; the border is midway between the means of the training items of both sides.
    Its solution is linear in the labels, so that each fold is solved once for all permutations.

    Parameters
    ----------
    features : ndarray (n_items, n_features)
    block_of_item : ndarray (n_items,)
    """
    settings = settings or DecodingSettings()
    folds = folds_of(localizer, blocks, seed=settings.seed)
    conditions = np.array([localizer.conditions.index(block.condition) for block in blocks])
    is_positive = np.arange(len(localizer.conditions)) < len(localizer.positive)
    rng = np.random.default_rng(settings.seed)
    labels = np.stack(
        [conditions, *_permuted_conditions(conditions, folds, settings.n_permutations, rng)]
    )
    readouts = [
        _fit_readout(features[is_training]) for is_training in _training_items(folds, block_of_item)
    ]
    correct = np.zeros((len(labels), len(features)), dtype=bool)
    for start in range(0, len(labels), _AT_ONCE):
        cancel.raise_if_cancelled()
        progress(
            ProgressEvent(stage="permutations", done=start, total=len(labels), unit="permutations")
        )
        label_rows = labels[start : start + _AT_ONCE]
        sides = is_positive[label_rows][:, block_of_item]  # (permutations, items)
        for fold, is_training in enumerate(_training_items(folds, block_of_item)):
            correct[start : start + len(label_rows), ~is_training] = _is_decoded_right(
                features, sides, is_training, readouts[fold]
            )
    progress(
        ProgressEvent(
            stage="permutations", done=len(labels), total=len(labels), unit="permutations"
        )
    )
    accuracies = np.array(
        [
            _balanced_accuracy(is_right, is_positive[label][block_of_item])
            for is_right, label in zip(correct, labels, strict=True)
        ]
    )
    counts = np.bincount(block_of_item, minlength=len(blocks))
    by_block = np.bincount(block_of_item, weights=correct[0], minlength=len(blocks)) / np.where(
        counts > 0, counts, 1
    )
    return Decoding(
        accuracy=float(accuracies[0]),
        standard_error=_accuracy_error(localizer, blocks, by_block),
        # The true labels are one of the arrangements; rounding must not part equal ones.
        p=float((accuracies >= accuracies[0] - 1e-9).mean()),
        null=accuracies[1:],
        by_block=by_block,
        n_folds=int(folds.max()) + 1,
        n_items=len(features),
    )


def _training_items(
    folds: NDArray[np.int64], block_of_item: NDArray[np.integer]
) -> list[NDArray[np.bool_]]:
    return [folds[block_of_item] != fold for fold in range(int(folds.max()) + 1)]


def _permuted_conditions(
    conditions: NDArray[np.int64],
    folds: NDArray[np.int64],
    n_permutations: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return conditions permuted among the blocks of each fold: (n, n_blocks)."""
    permuted = np.tile(conditions, (n_permutations, 1))
    for fold in np.unique(folds):
        places = np.flatnonzero(folds == fold)
        permuted[:, places] = rng.permuted(permuted[:, places], axis=1)
    return permuted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Readout:
    """Standardisation of features, and the solver from training labels to weights."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    solver: NDArray[np.float64]


def _fit_readout(training: NDArray[np.floating]) -> _Readout:
    x = np.asarray(training, dtype=np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z = (x - mean) / scale
    gram = z.T @ z + len(z) * np.eye(z.shape[1])
    return _Readout(mean=mean, scale=scale, solver=np.linalg.solve(gram, z.T))


def _is_decoded_right(
    features: NDArray[np.floating],
    sides: NDArray[np.bool_],
    is_training: NDArray[np.bool_],
    readout: _Readout,
) -> NDArray[np.bool_]:
    """Return whether each held-out item is put on its side: (permutations, held-out items)."""
    z = (np.asarray(features, dtype=np.float64) - readout.mean) / readout.scale
    training_sides = sides[:, is_training].T.astype(np.float64)  # (training items, permutations)
    n_positive = training_sides.sum(axis=0)
    weights = readout.solver @ (training_sides - training_sides.mean(axis=0))
    training_values, test_values = z[is_training] @ weights, z[~is_training] @ weights
    total = (training_values * training_sides).sum(axis=0)
    border = (
        total / np.maximum(n_positive, 1)
        + (training_values.sum(axis=0) - total) / np.maximum(len(training_sides) - n_positive, 1)
    ) / 2  # fmt: skip
    is_positive = (test_values > border).T
    return np.asarray(is_positive == sides[:, ~is_training])


def _balanced_accuracy(is_right: NDArray[np.bool_], is_positive: NDArray[np.bool_]) -> float:
    return float((is_right[is_positive].mean() + is_right[~is_positive].mean()) / 2)


def _accuracy_error(
    localizer: Localizer, blocks: Sequence[Block], by_block: NDArray[np.float64]
) -> float:
    """Return the standard error of the accuracy over templates, or over blocks of each side."""
    if localizer.is_paired:
        names = localizer.templates(localizer.positive[0])
        template_accuracies = [
            np.mean(
                [
                    np.mean(
                        [
                            share_right
                            for block, share_right in zip(blocks, by_block, strict=True)
                            if block.template == name and block.condition in side
                        ]
                    )
                    for side in (localizer.positive, localizer.negative)
                ]
            )
            for name in names
        ]
        return float(np.std(template_accuracies, ddof=1) / np.sqrt(len(template_accuracies)))
    variance = 0.0
    for side in (localizer.positive, localizer.negative):
        side_shares = np.array(
            [
                share_right
                for block, share_right in zip(blocks, by_block, strict=True)
                if block.condition in side
            ]
        )
        variance += float(side_shares.var(ddof=1)) / len(side_shares) / 4
    return float(np.sqrt(variance))
