"""The cortex: a place for every unit, so that networks become blobs on sheets.

Neuron indices have no neighbourhood. Each layer is laid out as an egg-shaped sheet; every
network gets a place in the plane, a unit is drawn to the places of its networks, the sheet is
filled so that each cell holds one unit, and units exchange places until neighbours agree, in
sign too. The same network then sits at the same place in neighbouring layers, its two poles
apart, and the model becomes a volume (x, y, layer).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.ndimage import gaussian_filter

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.atlas.topography.exchange import exchange
from fnprune_core.atlas.topography.laid_out import Refinement, cortex_id, has_cortex
from fnprune_core.atlas.topography.places import (
    SHARPNESS,
    fill_sheet,
    network_places,
    unit_targets,
)
from fnprune_core.atlas.topography.sheet import SheetShape, sheet_cells, sheet_shape
from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace

_ARRAYS = "cortex.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cortex:
    """The cell of each unit in its layer's sheet.

    Parameters
    ----------
    layout : UnitLayout
    shape : SheetShape
        The same for all layers.
    cell : ndarray (n_units,)
        Row-major cell of each unit in its layer's sheet; no two units of a layer share one.
    places : ndarray (K, 2)
        Place of each network in the unit square, (x, y).
    """

    layout: UnitLayout
    shape: SheetShape
    cell: NDArray[np.int64]
    places: NDArray[np.float64]

    def __post_init__(self) -> None:
        if len(self.cell) != self.layout.n_units:
            raise SettingsError(
                f"The cortex places {len(self.cell)} units, the model has {self.layout.n_units}."
            )
        for cells in self.layout.split(self.cell):
            if len(np.unique(cells)) != len(cells) or cells.max() >= self.shape.n_cells:
                raise SettingsError("Two units share a cell, or one lies outside its sheet.")
        self.cell.setflags(write=False)

    def save(self, target: Path, inputs: dict[str, Any]) -> None:
        """Write the cortex as an artifact folder, at once."""
        facts = {
            "widths": list(self.layout.widths),
            "shape": [self.shape.n_rows, self.shape.n_columns],
        }
        with new_folder(target) as folder:
            save_file({"cell": self.cell, "places": self.places}, folder / _ARRAYS)
            write_json(folder / MANIFEST, manifest_of("layouts", inputs, facts))

    @classmethod
    def load(cls, folder: Path) -> "Cortex":
        """Read a cortex from its artifact folder."""
        manifest = read_manifest(folder)
        with damage_told(folder, "Delete it; the cortex is laid out again."):
            arrays = load_file(checked(folder, manifest, _ARRAYS))
            rows, columns = manifest["shape"]
            return cls(
                layout=UnitLayout(tuple(manifest["widths"])),
                shape=SheetShape(n_rows=rows, n_columns=columns),
                cell=arrays["cell"],
                places=arrays["places"],
            )

    def volume(self, values: NDArray[np.floating], *, fill: float = np.nan) -> NDArray[np.float32]:
        """Return `values` (n_units,) as a volume (n_layers, rows, columns); `fill` where empty."""
        n_layers = self.layout.n_layers
        flat = np.full((n_layers, self.shape.n_cells), fill, dtype=np.float32)
        flat[self.layout.layer_of_unit, self.cell] = values
        return flat.reshape(n_layers, self.shape.n_rows, self.shape.n_columns)

    def unit_volume(self) -> NDArray[np.int64]:
        """Return the flat unit in each cell, −1 where empty: (n_layers, rows, columns)."""
        n_layers = self.layout.n_layers
        flat = np.full((n_layers, self.shape.n_cells), -1, dtype=np.int64)
        flat[self.layout.layer_of_unit, self.cell] = np.arange(self.layout.n_units)
        return flat.reshape(n_layers, self.shape.n_rows, self.shape.n_columns)

    def position(self, units: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return (layer, row, column) of flat units: (n, 3)."""
        cell = self.cell[units]
        rows, columns = np.divmod(cell, self.shape.n_columns)
        return np.stack([self.layout.layer_of_unit[units], rows, columns], axis=1)


def build_cortex(
    maps: NDArray[np.floating],
    layout: UnitLayout,
    *,
    sharpness: float = SHARPNESS,
    refinement: Refinement | None = None,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Cortex:
    """Return a place for every unit from the networks' maps.

    Sheets are filled by sorting (`fill_sheet`), then units exchange places (`exchange`), which
    gives neighbours their likeness in sign and most of that in strength
    (`benchmarks/topography.py`).

    Parameters
    ----------
    maps : ndarray (K, n_units)
        z maps.
    sharpness : float
        How much stronger networks outweigh weaker ones in drawing a unit.
    refinement : Refinement, optional
        `NO_REFINEMENT` leaves the sorted sheets.
    """
    if maps.shape[1] != layout.n_units:
        raise SettingsError(
            f"The maps have {maps.shape[1]} units, the layout has {layout.n_units}."
        )
    shape = sheet_shape(max(layout.widths))
    places = network_places(maps, seed=seed)
    targets = unit_targets(maps, places, sharpness=sharpness)
    cell = np.concatenate(
        [
            fill_sheet(targets[layout.layer_slice(i)], sheet_cells(width, shape), shape.n_columns)
            for i, width in enumerate(layout.widths)
        ]
    )
    cortex = Cortex(layout=layout, shape=shape, cell=cell, places=places)
    refinement = refinement or Refinement()
    if not refinement.n_rounds:
        return cortex
    units = exchange(
        cortex.unit_volume(),
        maps,
        refinement=refinement,
        seed=seed,
        progress=progress,
        cancel=cancel,
    )
    cell = np.empty(layout.n_units, dtype=np.int64)
    sheets = units.reshape(layout.n_layers, -1)
    layer, cell_index = np.nonzero(sheets >= 0)
    cell[sheets[layer, cell_index]] = cell_index
    return Cortex(layout=layout, shape=shape, cell=cell, places=places)


def strongest(volume: NDArray[np.floating], *, axis: int) -> NDArray[np.float32]:
    """Return the value of largest magnitude along an axis, with its sign; empty cells are 0."""
    filled = np.nan_to_num(volume)
    index = np.abs(filled).argmax(axis=axis)
    values = np.take_along_axis(filled, np.expand_dims(index, axis), axis=axis)
    return np.asarray(values.squeeze(axis), dtype=np.float32)


def smoothed(volume: NDArray[np.floating], *, sigma: float = 1.0) -> NDArray[np.float32]:
    """Return |volume| lightly smoothed by a Gaussian of `sigma` cells, for 3-D surfaces.

    Smoothing is for the eye alone: no statistic is computed from it.
    """
    magnitude = np.nan_to_num(np.abs(volume), nan=0.0)
    return np.asarray(gaussian_filter(magnitude, sigma=sigma), dtype=np.float32)


def open_cortex(workspace: Workspace, decomposition_id: str) -> Cortex | None:
    """Return the cortex of a decomposition, or None if its units were not laid out yet."""
    if not has_cortex(workspace, decomposition_id):
        return None
    return Cortex.load(workspace.folder("layouts", cortex_id(decomposition_id)))


def lay_out(
    workspace: Workspace,
    decomposition_id: str,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Give every unit its place in the cortex of a decomposition; return the cortex's id."""
    atlas = open_atlas(workspace, decomposition_id)
    id = cortex_id(atlas.id)
    if not workspace.has("layouts", id):
        cortex = build_cortex(atlas.maps, atlas.layout, progress=progress, cancel=cancel)
        cortex.save(workspace.folder("layouts", id), {"decomposition_id": atlas.id})
    return id
