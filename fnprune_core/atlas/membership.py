"""Which units belong to a network: those that halves of the documents, decomposed apart, agree on.

A threshold on a map alone marks as many units where there are no networks as where there are. A
network that does not come back in the halves has few members or none: there is too little text
to say which units belong to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.errors import CorruptArtifactError
from fnprune_core.storage.array_results import ArrayResult
from fnprune_core.storage.manifests import artifact_id
from fnprune_core.storage.workspace import Workspace

#: A unit is among a map's strongest beyond this |z|, in the atlas and in each half.
STRONG = 3.0
#: Divisions of the documents in halves, and their seed, of the members that an atlas shows.
N_SPLITS, SEED = 3, 0
PART = "members"
#: Split-half r from which a network counts as coming back.
HIGH = 0.7
#: Stands after the name of a network that does not come back, where names are printed.
MARK = "†"
MARK_SAYS = f"{MARK}: split-half r under {HIGH:g}, so not found again in halves of the documents."
RULE = (
    f"|z| above {STRONG:g} in the atlas and, with the same sign, in both halves of the documents, "
    f"each decomposed by itself, in most of {N_SPLITS} divisions"
)
#: Members are strong in their own map; of fewer, they were found of another atlas's maps.
_LEAST_STRONG = 0.9


def agreed(
    z: NDArray[np.floating],
    divisions: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]],
) -> NDArray[np.bool_]:
    """Return the units that belong to networks: (K, n), by `RULE`.

    Parameters
    ----------
    z : ndarray (K, n)
        Maps of the atlas.
    divisions : sequence of (ndarray (K, n), ndarray (K, n))
        Maps of the networks' partners in both halves of the documents, with the atlas's signs.
    """
    sign = np.sign(z)
    votes = np.zeros(z.shape, dtype=np.int64)
    for first, second in divisions:
        votes += (first * sign > STRONG) & (second * sign > STRONG)
    return np.asarray((np.abs(z) > STRONG) & (2 * votes > len(divisions)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members(ArrayResult):
    """Members of networks, and what the same rule marks where units are not active together.

    Parameters
    ----------
    packed : ndarray (K, ⌈n_units / 8⌉) of uint8
        A bit for each unit, 1 for members.
    beyond : ndarray (K,)
        Units of each map with |z| above `STRONG`.
    n_units : int
        Of the model.
    n_any, n_any_beyond, n_alive : int
        Units that belong to any network, that are beyond `STRONG` in any, and that vary at all.
    n_planned : int
        Divisions of the documents.
    """

    packed: NDArray[np.uint8]
    beyond: NDArray[np.int64]
    n_units: int
    n_any: int
    n_any_beyond: int
    n_alive: int
    n_planned: int

    @property
    def units(self) -> NDArray[np.bool_]:
        """Which units belong to which network: (K, n_units)."""
        return np.unpackbits(self.packed, axis=1, count=self.n_units).astype(bool)

    @property
    def n(self) -> NDArray[np.int64]:
        """Members of each network: (K,)."""
        return np.asarray(self.units.sum(axis=1))

    @property
    def share(self) -> float:
        """Share of the units that vary that belong to any network."""
        return self.n_any / max(self.n_alive, 1)

    @property
    def share_beyond(self) -> float:
        """Share of them that is beyond `STRONG` in any network."""
        return self.n_any_beyond / max(self.n_alive, 1)


def shares_sentence(members: Members, shifted: Members | None) -> str:
    """Return what share of the units the rule marks, and |z|; and of units shifted in time.

    Parameters
    ----------
    shifted : Members, optional
        What the rule marks in networks of units that were shifted in time by themselves.
    """
    text = (
        f"{100 * members.share:.0f} % of the units belong to a network "
        f"({100 * members.share_beyond:.0f} % have |z| above {STRONG:g} in one)"
    )
    if shifted is None:
        return f"{text}; how many do by chance was not measured."
    return (
        f"{text}; by chance, in networks of units that were shifted in time by themselves, "
        f"{100 * shifted.share:.1f} % do ({100 * shifted.share_beyond:.0f} %)."
    )


def members_inputs(decomposition_id: str) -> dict[str, Any]:
    """Return what the members of a decomposition's networks are made from."""
    settings = {"n_splits": N_SPLITS, "seed": SEED}
    return {"decomposition_id": decomposition_id, "part": PART, "settings": settings}


def members_id(decomposition_id: str) -> str:
    """Return the id under which the members of a decomposition's networks are kept."""
    return artifact_id("assessments", members_inputs(decomposition_id))


def read_members(workspace: Workspace, decomposition: Decomposition) -> NDArray[np.bool_] | None:
    """Return which units belong to which network, (K, n_units); None where it is not known.

    Not known: not measured, damaged, or of networks that have another number here.
    """
    id = members_id(decomposition.id)
    if not workspace.has("assessments", id):
        return None
    try:
        units = Members.load(workspace.existing("assessments", id)).units
    except CorruptArtifactError:
        return None
    maps = decomposition.spatial_maps
    if units.shape != maps.shape:
        return None
    strong = units & (np.abs(maps) > STRONG)
    counts, n_strong = units.sum(axis=1), strong.sum(axis=1)
    return strong if (n_strong >= _LEAST_STRONG * counts).all() else None
