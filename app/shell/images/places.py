"""Where things are in the body, in nominal millimetres: networks, for cross-hairs and nodes."""

from nibabel.affines import apply_affine

from app.figures.nilearn_plots import Place
from app.shell import resources
from app.shell.images import files


def of_network(id: str, network: int, *, pole: int = 0) -> Place:
    """Return where a network's peak is, its strongest unit.

    Parameters
    ----------
    pole : int
        1 or −1 for the strongest unit of one sign, 0 for both.
    """
    atlas = resources.atlas(id)
    peak = (pole * atlas.maps[network]).argmax() if pole else atlas.peaks[network]
    return of_unit(id, int(peak))


def of_networks(id: str) -> tuple[Place, ...]:
    """Return where the peak of each network is."""
    return tuple(of_network(id, k) for k in range(resources.atlas(id).n_networks))


def of_unit(id: str, unit: int) -> Place:
    """Return where a unit is."""
    grid = files.grid(id)
    x, y, z = apply_affine(grid.affine, grid.voxel_of_unit[unit]).tolist()
    return x, y, z
