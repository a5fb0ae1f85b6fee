"""Data without networks, to compare an atlas's figures with: Gaussian draws."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.reliability.resampling import Space


def gaussian_space(
    space: Space, mixtures: Sequence[NDArray[np.floating]], rng: np.random.Generator
) -> tuple[Space, list[NDArray[np.float64]]]:
    """Return Gaussian data in place of several sets of components, all their covariances kept.

    Spatial ICA takes units for its samples and components for its variables. Here each unit is an
    independent draw from the normal distribution with the observed covariance of all components:
    the subspaces are as strong and overlap as much as before, and hold no network to be found.
    (Gaussian tokens with the observed covariance of units would be no null: spatial ICA sees the
    tokens through that covariance only, and would find the same maps again.)

    Parameters
    ----------
    mixtures : sequence of ndarray (k, n_rows)
        Components as mixtures of the rows of `space`.

    Returns
    -------
    space : Space
        Its Gram matrix equals that of the components, up to rounding.
    components : list of ndarray (k, n)
        The sets of components in it.
    """
    stacked = np.concatenate(mixtures)
    gram = stacked @ space.centred_gram @ stacked.T
    # Centred maps of a narrow block can have a lower rank than their number.
    rank = min(len(gram), space.n_units - 1)
    draws = rng.standard_normal((rank, space.n_units))
    draws -= draws.mean(axis=1, keepdims=True)
    # Exactly uncorrelated draws, so that the covariance is the observed one and not near it.
    draws = np.linalg.solve(np.linalg.cholesky(draws @ draws.T), draws)
    values, vectors = np.linalg.eigh(gram)
    root = vectors[:, -rank:] * np.sqrt(np.clip(values[-rank:], 0.0, None))
    rows = torch.from_numpy((root @ draws).astype(np.float32)).to(space.rows.device)
    bounds = np.cumsum([0, *(len(mixture) for mixture in mixtures)])
    identity = np.eye(len(gram))
    components = [identity[a:b] for a, b in pairwise(bounds)]
    return Space(rows, gram), components
