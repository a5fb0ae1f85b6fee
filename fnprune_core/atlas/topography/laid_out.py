"""Which cortex belongs to an atlas, and whether its units were laid out; nothing is laid out here.

Apart from the work itself, so that asking needs neither torch nor scikit-learn.
"""

from dataclasses import asdict, dataclass

from fnprune_core.storage.manifests import artifact_id
from fnprune_core.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """Settings of the exchanges that improve the sheets after they were filled.

    Parameters
    ----------
    n_blurred : int
        Rounds in which units are given to cells by a blurred surrounding, from coarse to fine.
    first_sigma : float
        Of the first surrounding, as a share of a sheet's length.
    last_sigma : float
        Of the last, in cells.
    depth_sigma : float
        Layers over which surroundings are averaged.
    n_exact : int
        Rounds after those, each of half the cells, by their six neighbours themselves.
    n_together : int
        Cells of a layer that exchange their units at once, drawn at random; O(n³) at worst.
    magnitude, signed, strong : float
        Weights of what is wanted: neighbours alike in |z|, alike in z, and of one sign beside
        the strong units (`strong_agreement`).
    softness : float
        Of the two thresholds of the latter, in z.
    """

    n_blurred: int = 5
    first_sigma: float = 0.08
    last_sigma: float = 1.1
    depth_sigma: float = 1.5
    n_exact: int = 20
    n_together: int = 256
    magnitude: float = 1.0
    signed: float = 1.3
    strong: float = 1.5
    softness: float = 0.1

    @property
    def n_rounds(self) -> int:
        """All rounds."""
        return self.n_blurred + self.n_exact


NO_REFINEMENT = Refinement(n_blurred=0, n_exact=0)


def cortex_id(decomposition_id: str) -> str:
    """Return the id of the cortex that belongs to a decomposition."""
    inputs = {"decomposition_id": decomposition_id, "sheet": "egg", **asdict(Refinement())}
    return artifact_id("layouts", inputs)


def has_cortex(workspace: Workspace, decomposition_id: str) -> bool:
    """Whether a decomposition's units were laid out."""
    return workspace.has("layouts", cortex_id(decomposition_id))
