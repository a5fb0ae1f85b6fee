"""A handful of networks that show an atlas at a glance: stable, compact, and far apart."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas.cortex import Cortex, smoothed
from fnprune_core.atlas.membership import HIGH
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.topography import pieces

STABLE, COMPACT = 0.9, 0.5
_SURFACE = 0.985  # quantile of a smoothed map above which its pieces are looked for


def networks_at_a_glance(
    atlas: NetworkAtlas,
    cortex: Cortex,
    table: pd.DataFrame,
    *,
    unlike: Callable[[list[int]], Sequence[NDArray[np.floating]]],
    n: int = 6,
) -> list[int]:
    """Return `n` networks, or fewer, that show an atlas.

    Those on which runs agree at 0.9 or more, and halves of the documents (split-half r of 0.7 or
    more), where that is known, of which at least half of the surface is one piece; the one of
    most variance first, then in turn the one that is farthest from those before it.

    Parameters
    ----------
    table : DataFrame
        One row per network: ``variance_alone``, ``run_agreement`` and, where it was measured,
        ``reproducibility``.
    unlike : callable
        Gets networks, and returns other distances between them, as of their colours: each counts
        as much as the distance in place, as a share of the largest.
    """
    agreement = table["run_agreement"].to_numpy()
    order = np.argsort(-table["variance_alone"].to_numpy(), kind="stable")
    order = order[(agreement[order] >= STABLE) | np.isnan(agreement[order])]
    if (r := table.get("reproducibility")) is not None and (r >= HIGH).sum() >= n:
        order = order[r.to_numpy()[order] >= HIGH]
    compact, centres = [], []
    for network in order.tolist():
        volume = smoothed(cortex.volume(atlas.maps[network]))
        share, centre = pieces.largest_piece(volume, float(np.quantile(volume, _SURFACE)))
        if share >= COMPACT:
            compact.append(network)
            centres.append(centre)
    places = np.array(centres).reshape(-1, 3)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    distances = [each / max(each.max(initial=0), 1e-9) for each in (apart, *unlike(compact))]
    return [compact[i] for i in pieces.far_apart(sum(distances), n)]
