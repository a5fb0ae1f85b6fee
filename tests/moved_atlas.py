"""An atlas made anew under its id, with its networks in another order: as on another machine."""

from dataclasses import replace

import numpy as np

from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.json_files import read_json
from fnprune_core.storage.workspace import Workspace

#: Of six networks: 0 and 5 stay, number k here was ``ORDER[k]`` before.
ORDER = (0, 2, 1, 4, 3, 5)
#: Numbers before → numbers here.
NUMBERS = {0: 0, 1: 2, 2: 1, 3: 4, 4: 3, 5: 5}


def make_anew(workspace: Workspace, id: str, *, order=ORDER, lost: int | None = None) -> None:
    """Replace a stored atlas by itself with its networks reordered; one may be of another kind."""
    folder = workspace.folder("decompositions", id)
    inputs = read_json(folder / MANIFEST)["inputs"]
    atlas, rows = Decomposition.load(folder), list(order)
    maps = atlas.spatial_maps[rows]
    if lost is not None:
        maps[lost] = np.random.default_rng(5).laplace(size=maps.shape[1])
    names = ("time_courses", "run_agreement", "variance_alone", "variance_left_out")
    moved = replace(
        atlas,
        spatial_maps=maps,
        layer_of_network=atlas.layer_of_network[rows],
        **{name: getattr(atlas, name)[rows] for name in names},
    )
    workspace.delete("decompositions", id)
    moved.save(folder, inputs)
