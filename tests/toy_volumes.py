"""A stand-in for an atlas, its grid of voxels, and the files written of it."""

from types import SimpleNamespace

import numpy as np

from fnprune_core.atlas.cortex import Cortex
from fnprune_core.atlas.images import volumes
from fnprune_core.atlas.images.voxels import sheet_grid
from fnprune_core.atlas.topography.sheet import SheetShape
from fnprune_core.models.layout import UnitLayout

RAGGED = UnitLayout((7, 12, 5))
NAMES = ("French <b>", "a\tb", "", "=1")


def cortex(layout=RAGGED, *, seed=0) -> Cortex:
    rng = np.random.default_rng(seed)
    cells = [rng.permutation(12)[:width] for width in layout.widths]
    return Cortex(
        layout=layout,
        shape=SheetShape(n_rows=3, n_columns=4),
        cell=np.concatenate(cells),
        places=np.zeros((4, 2)),
    )


def atlas(layout=RAGGED, *, id="a1", fingerprint="model-1"):
    """Stand in for an atlas of four networks whose maps no two units share."""
    maps = np.random.default_rng(3).laplace(size=(4, layout.n_units)).astype(np.float32) * 2
    alive = np.ones(layout.n_units, dtype=bool)
    alive[2] = False
    maps[:, 2] = 0
    return SimpleNamespace(
        id=id,
        maps=maps,
        n_networks=4,
        layout=layout,
        parcellation=lambda *, z: np.where(
            np.abs(maps).max(axis=0) > z, np.abs(maps).argmax(axis=0), -1
        ),
        membership=lambda *, z: np.abs(maps) > z,
        rule=lambda z: f"|z| above {z:g}",
        decomposition=SimpleNamespace(alive=alive, fingerprint=fingerprint, recording_id="r1"),
    )


GRID = sheet_grid(RAGGED, cortex())
FILES = volumes.volume_files(atlas(), GRID, NAMES, z=1.0)
MAPS, LABELS, TABLE, MASK, SIDECAR, ANATOMY = FILES.values()
