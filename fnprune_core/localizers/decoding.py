"""Decoding: which side of a contrast an item is on, read from networks, on held-out templates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import SettingsError
from fnprune_core.localizers.stimuli import Block, Localizer
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore

_AT_ONCE = 250  # permutations


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingSettings:
    """How decoding is tested: label permutations, and the seed of folds and permutations."""

    n_permutations: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_permutations < 1 or self.seed < 0:
            raise SettingsError(
                f"{self.n_permutations} permutations with seed {self.seed} are no test.",
                hint="Take 1 or more, and a seed that is not negative.",
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoding:
    """How well items of held-out templates are told apart.

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
    fewest = min(int((conditions == c).sum()) for c in localizer.conditions)
    n_folds = max(2, min(fewest // 2, 10))
    folds = np.zeros(len(blocks), dtype=np.int64)
    for condition in localizer.conditions:
        own = rng.permutation(np.flatnonzero(conditions == condition))
        folds[own] = np.arange(len(own)) % n_folds
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
    """Return how well the side of items is read from features on held-out templates.

    A ridge regression on the side, features standardised on the training items, penalty as large
    as their number; the border is midway between the means of the training items of both sides.
    Its solution is linear in the labels, so that each fold is solved once for all permutations.

    Parameters
    ----------
    features : ndarray (n_items, n_features)
    block_of_item : ndarray (n_items,)
    """
    chosen = settings or DecodingSettings()
    folds = folds_of(localizer, blocks, seed=chosen.seed)
    conditions = np.array([localizer.conditions.index(b.condition) for b in blocks])
    is_positive = np.arange(len(localizer.conditions)) < len(localizer.positive)
    rng = np.random.default_rng(chosen.seed)
    labels = np.stack([conditions, *_permuted(conditions, folds, chosen.n_permutations, rng)])
    maps = [_readout(features[kept]) for kept in _training(folds, block_of_item)]
    correct = np.zeros((len(labels), len(features)), dtype=bool)
    for start in range(0, len(labels), _AT_ONCE):
        cancel.raise_if_cancelled()
        progress(
            ProgressEvent(stage="permutations", done=start, total=len(labels), unit="permutations")
        )
        part = labels[start : start + _AT_ONCE]
        sides = is_positive[part][:, block_of_item]  # (permutations, items)
        for fold, kept in enumerate(_training(folds, block_of_item)):
            correct[start : start + len(part), ~kept] = _right(features, sides, kept, maps[fold])
    progress(
        ProgressEvent(
            stage="permutations", done=len(labels), total=len(labels), unit="permutations"
        )
    )
    accuracies = np.array(
        [
            _balanced(right, is_positive[label][block_of_item])
            for right, label in zip(correct, labels, strict=True)
        ]
    )
    counts = np.bincount(block_of_item, minlength=len(blocks))
    by_block = np.bincount(block_of_item, weights=correct[0], minlength=len(blocks)) / np.where(
        counts > 0, counts, 1
    )
    return Decoding(
        accuracy=float(accuracies[0]),
        standard_error=_error(localizer, blocks, by_block),
        # The true labels are one of the arrangements; rounding must not part equal ones.
        p=float((accuracies >= accuracies[0] - 1e-9).mean()),
        null=accuracies[1:],
        by_block=by_block,
        n_folds=int(folds.max()) + 1,
        n_items=len(features),
    )


def _training(
    folds: NDArray[np.int64], block_of_item: NDArray[np.integer]
) -> list[NDArray[np.bool_]]:
    return [folds[block_of_item] != fold for fold in range(int(folds.max()) + 1)]


def _permuted(
    conditions: NDArray[np.int64], folds: NDArray[np.int64], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return conditions permuted among the blocks of each fold: (n, n_blocks)."""
    drawn = np.tile(conditions, (n, 1))
    for fold in np.unique(folds):
        own = np.flatnonzero(folds == fold)
        drawn[:, own] = rng.permuted(drawn[:, own], axis=1)
    return drawn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Readout:
    """Standardisation of features, and what takes training labels to weights: (features, items)."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    solver: NDArray[np.float64]


def _readout(training: NDArray[np.floating]) -> _Readout:
    x = np.asarray(training, dtype=np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z = (x - mean) / scale
    gram = z.T @ z + len(z) * np.eye(z.shape[1])
    return _Readout(mean=mean, scale=scale, solver=np.linalg.solve(gram, z.T))


def _right(
    features: NDArray[np.floating],
    sides: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    readout: _Readout,
) -> NDArray[np.bool_]:
    """Return whether each held-out item is put on its side: (permutations, held-out items)."""
    z = (np.asarray(features, dtype=np.float64) - readout.mean) / readout.scale
    up = sides[:, kept].T.astype(np.float64)  # (training items, permutations)
    n_up = up.sum(axis=0)
    weights = readout.solver @ (up - up.mean(axis=0))
    train, test = z[kept] @ weights, z[~kept] @ weights
    total = (train * up).sum(axis=0)
    border = (
        total / np.maximum(n_up, 1)
        + (train.sum(axis=0) - total) / np.maximum(len(up) - n_up, 1)
    ) / 2  # fmt: skip
    is_up = (test > border).T
    return np.asarray(is_up == sides[:, ~kept])


def _balanced(right: NDArray[np.bool_], is_up: NDArray[np.bool_]) -> float:
    return float((right[is_up].mean() + right[~is_up].mean()) / 2)


def _error(localizer: Localizer, blocks: Sequence[Block], by_block: NDArray[np.float64]) -> float:
    """Return the standard error of the accuracy over templates, or over blocks of each side."""
    if localizer.is_paired:
        names = localizer.templates(localizer.positive[0])
        each = [
            np.mean(
                [
                    np.mean(
                        [
                            right
                            for block, right in zip(blocks, by_block, strict=True)
                            if block.template == name and block.condition in side
                        ]
                    )
                    for side in (localizer.positive, localizer.negative)
                ]
            )
            for name in names
        ]
        return float(np.std(each, ddof=1) / np.sqrt(len(each)))
    variance = 0.0
    for side in (localizer.positive, localizer.negative):
        own = np.array([r for b, r in zip(blocks, by_block, strict=True) if b.condition in side])
        variance += float(own.var(ddof=1)) / len(own) / 4
    return float(np.sqrt(variance))
