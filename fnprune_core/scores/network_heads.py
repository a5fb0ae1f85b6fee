"""Which attention heads carry a network: the share of its energy there, by layer and head.

Kept beside the atlas, ``<workspace>/heads/<atlas id>.json``: a recording holds the MLP's units
alone, so its windows are read once more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.atlas.chance.directions import KINDS, Directions
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.numbering import read_beside, store_beside
from fnprune_core.models.attention import attention_outputs
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.recording.recording import Recording
from fnprune_core.scores.head_statistics import AttentionStatistics, attention_statistics
from fnprune_core.storage.workspace import Workspace

FOLDER = "heads"
_VALUES = ("share", "explained")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkHeads:
    """How networks divide over attention heads.

    Parameters
    ----------
    share : ndarray (K, n_layers, n_heads)
        Of what a network's time course explains of the heads' outputs; of each network it sums to
        1 over all heads.
    explained : ndarray (K, n_layers, n_heads)
        Share of the head's own output variance that the network's time course explains alone.
    control : mapping of str to ndarray (K,)
        Kind of random directions → the largest share of each of them in one head.
    """

    share: NDArray[np.float64]
    explained: NDArray[np.float64]
    control: Mapping[str, NDArray[np.float64]]

    @property
    def largest(self) -> Beside:
        """The largest share of each network in one head, beside that of random directions."""
        return Beside(networks=_largest(self.share), control=self.control)


def _largest(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(share.max(axis=(1, 2)))


def network_heads(
    language_model: LanguageModel,
    directions: Directions,
    recording: Recording,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> NetworkHeads:
    """Return which heads carry each network and direction, from one pass over recorded windows.

    Of dimension d of a head the part that a network explains by itself has the variance
    cov(x_d, s)² / var(s), over usable tokens; its weight in the residual stream is ‖W[:, d]‖².
    Sums over a head's dimensions are put over those of all heads (share), and over the head's own
    Σ ‖W[:, d]‖² var(x_d) (explained). Networks overlap in time, so `explained` of several does not
    add up.

    Parameters
    ----------
    directions : Directions
        Random directions beside the atlas whose networks are asked for.

    Raises
    ------
    FingerprintMismatchError, UnsupportedArchitectureError
        If the model is not the atlas's, or its attention has no heads that are known.
    """
    atlas = directions.atlas
    language_model.check_fingerprint(atlas.decomposition.fingerprint, "atlas")
    courses = np.concatenate(
        [atlas.time_courses, *(directions.of(kind).time_courses for kind in KINDS)]
    ).astype(np.float64)
    weights = (~atlas.is_dummy).astype(np.float64)
    statistics = attention_statistics(
        language_model,
        recording,
        weights,
        time_courses=courses,
        progress=progress,
        cancel=cancel,
    )
    outputs = attention_outputs(language_model.model, language_model.architecture)
    norms = np.concatenate(
        [weight_of(module).detach().float().square().sum(dim=0).cpu().numpy() for module in outputs]
    ).astype(np.float64)
    share, explained = heads_of(
        statistics,
        courses[:, ~atlas.is_dummy],
        norms,
        head_size=language_model.attention.head_size,
        n_layers=len(outputs),
    )
    n = atlas.n_networks
    largest = _largest(share[n:]).reshape(len(KINDS), n)
    return NetworkHeads(
        share=share[:n], explained=explained[:n], control=dict(zip(KINDS, largest, strict=True))
    )


def heads_of(
    statistics: AttentionStatistics,
    courses: NDArray[np.float64],
    norms: NDArray[np.float64],
    *,
    head_size: int,
    n_layers: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `share` and `explained` by head from the moments of heads, (K, n_layers, n_heads).

    Parameters
    ----------
    courses : ndarray (K, n_usable)
    norms : ndarray (n_dimensions,)
        Squared norm of each dimension's output column.
    """
    assert statistics.course_products is not None
    mean_product = statistics.course_products[1:] / statistics.total_weight
    covariance = mean_product - courses.mean(axis=1)[:, None] * statistics.mean
    variance = np.maximum(courses.var(axis=1), 1e-300)[:, None]
    by_network = norms * np.square(covariance) / variance

    def by_head(values: NDArray[np.float64]) -> NDArray[np.float64]:
        summed = values.reshape(*values.shape[:-1], -1, head_size).sum(axis=-1)
        return np.asarray(summed.reshape(*values.shape[:-1], n_layers, -1))

    carried, own = by_head(by_network), by_head(norms * statistics.variance)
    total = carried.sum(axis=(1, 2), keepdims=True)
    return carried / np.where(total > 0, total, 1.0), carried / np.where(own > 0, own, 1.0)


def path_of(workspace: Workspace, atlas_id: str) -> Path:
    """Return the path of an atlas's heads, whether or not they were computed."""
    return workspace.beside(FOLDER, "decompositions", atlas_id)


def store_heads(workspace: Workspace, atlas: NetworkAtlas, heads: NetworkHeads) -> None:
    """Write the heads of an atlas's networks beside it, to six digits."""
    values: dict[str, Any] = {name: np.round(getattr(heads, name), 6).tolist() for name in _VALUES}
    values["control"] = {kind: np.round(each, 6).tolist() for kind, each in heads.control.items()}
    store_beside(path_of(workspace, atlas.id), atlas.maps_fingerprint, values)


def read_heads(workspace: Workspace, atlas_id: str) -> NetworkHeads | None:
    """Return the stored heads of an atlas's networks, or None (`read_beside`)."""
    return read_beside(path_of(workspace, atlas_id), workspace, atlas_id, _heads_in)


def _heads_in(value: dict[str, Any]) -> NetworkHeads:
    share, explained = (np.array(value[name], dtype=float) for name in _VALUES)
    if share.ndim != 3 or share.shape != explained.shape:
        raise ValueError("shares of other shapes")
    control = {kind: np.array(each, dtype=float) for kind, each in value["control"].items()}
    return NetworkHeads(share=share, explained=explained, control=control)
