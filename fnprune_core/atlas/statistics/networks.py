"""Statistics of each network, for pictures that set any two against one another."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas


def network_statistics(atlas: NetworkAtlas) -> pd.DataFrame:
    """Return one row per network, beside what `NetworkAtlas.table` says of it.

    ``share_of_energy``: of the energy of all time courses. ``specificity``: one less the entropy
    of its energy over domains as a share of the largest possible; 0 where it is as strong in all,
    1 where it is in one alone; 0 with a single domain. ``map_kurtosis``, ``course_kurtosis``:
    excess kurtosis of its map over alive units and of its time course over usable tokens, 0 for
    Gaussian values. ``mean_layer``: of its units, weighted by z².
    """
    courses = atlas.time_courses[:, ~atlas.is_dummy].astype(np.float64)
    energy = np.square(courses).sum(axis=1)
    maps = atlas.maps[:, atlas.decomposition.alive].astype(np.float64)
    layers, _ = atlas.layout.locate(np.flatnonzero(atlas.decomposition.alive))
    weight = np.square(maps)
    return pd.DataFrame(
        {
            "share_of_energy": energy / max(float(energy.sum()), 1e-300),
            "specificity": specificity(atlas.domain_share()),
            "map_kurtosis": _excess_kurtosis(maps),
            "course_kurtosis": _excess_kurtosis(courses),
            "mean_layer": (weight @ layers) / np.maximum(weight.sum(axis=1), 1e-300),
        }
    )


def strong_magnitude(atlas: NetworkAtlas, network: int) -> float:
    """Return the strength that gets the full colour in a network's texts: its 99.5th percentile."""
    course = np.abs(atlas.time_courses[network, ~atlas.is_dummy])
    return float(np.quantile(course, 0.995)) or 1.0


def session_course(
    atlas: NetworkAtlas, network: int, session: int
) -> tuple[NDArray[np.float32], list[str], int]:
    """Return a network's strength over a session, its tokens as text, and how many are dummies.

    Dummy tokens are NaN.
    """
    tokens = np.flatnonzero(atlas.tokens["session"].to_numpy() == session)
    is_dummy = atlas.is_dummy[tokens]
    values = np.where(is_dummy, np.nan, atlas.time_courses[network, tokens])
    texts = atlas.tokens["text"].iloc[tokens].astype(str).tolist()
    return values.astype(np.float32), texts, int(is_dummy.sum())


def specificity(share: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return one less the entropy of each row of shares over its largest value: (K,)."""
    n = share.shape[1]
    if n < 2:
        return np.zeros(len(share))
    positive = np.where(share > 0, share, 1.0)
    entropy = -(share * np.log(positive)).sum(axis=1)
    return np.asarray(1 - entropy / np.log(n))


def _excess_kurtosis(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1)
    fourth = np.power(centred, 4).mean(axis=1)
    return np.asarray(fourth / np.maximum(np.square(variance), 1e-300) - 3)
