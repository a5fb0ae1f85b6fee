"""The cortex: a place for every unit, so that networks become blobs on sheets.

Neuron indices have no neighbourhood. Each layer is laid out as a sheet of rows × columns; every
network gets a place in the plane, a unit is drawn to the places of its networks, and the sheet
is filled so that each cell holds one unit. The same network then sits at the same place in
neighbouring layers, and the model becomes a volume (x, y, layer).
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment
from sklearn.manifold import MDS

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition.stability import absolute_correlation
from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace

SHARPNESS = 8.0
_ARRAYS = "cortex.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetShape:
    """Rows and columns of a layer's sheet; the last cells stay empty in a ragged model."""

    n_rows: int
    n_columns: int

    @property
    def n_cells(self) -> int:
        """Cells of a sheet."""
        return self.n_rows * self.n_columns


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


def sheet_shape(width: int, *, aspect: float = 1.5) -> SheetShape:
    """Return a sheet that holds `width` units: the divisors nearest to `aspect`, else padded."""
    best = min(
        (rows for rows in range(1, width + 1) if width % rows == 0),
        key=lambda rows: abs(np.log(width / rows / rows / aspect)),
    )
    if 0.5 < width / best / best / aspect < 2:
        return SheetShape(n_rows=best, n_columns=width // best)
    rows = max(1, round(float(np.sqrt(width / aspect))))
    return SheetShape(n_rows=rows, n_columns=-(-width // rows))


def network_places(maps: NDArray[np.floating], *, seed: int = 0) -> NDArray[np.float64]:
    """Return a place in the unit square for each network, near those with similar maps: (K, 2).

    Multidimensional scaling of 1 − |r| between |maps|, spread over a square grid by linear
    assignment, so that no two networks crowd the same place.
    """
    n_networks = len(maps)
    side = int(np.ceil(np.sqrt(n_networks)))
    ticks = (np.arange(side, dtype=np.float64) + 0.5) / side
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    if n_networks < 3:
        return np.asarray(grid[:n_networks], dtype=np.float64)
    distance = 1.0 - absolute_correlation(np.abs(maps), np.abs(maps))
    np.fill_diagonal(distance, 0.0)
    embedding = MDS(
        n_components=2,
        metric="precomputed",
        init="classical_mds",
        n_init=1,
        random_state=seed,
        normalized_stress=False,
    ).fit_transform((distance + distance.T) / 2)
    low, high = embedding.min(axis=0), embedding.max(axis=0)
    scaled = (embedding - low) / np.where(high > low, high - low, 1.0)
    cost = np.square(scaled[:, None, :] - grid[None, :, :]).sum(axis=-1)
    _, columns = linear_sum_assignment(cost)
    return np.asarray(grid[columns], dtype=np.float64)


def unit_targets(
    maps: NDArray[np.floating], places: NDArray[np.float64], *, sharpness: float = SHARPNESS
) -> NDArray[np.float64]:
    """Return each unit's target: the mean of the networks' places weighted by |z|^sharpness."""
    weights = np.abs(maps).astype(np.float64)
    weights /= np.maximum(weights.max(axis=0, keepdims=True), 1e-12)
    weights **= sharpness
    total = weights.sum(axis=0)
    targets = places.T @ weights / np.where(total > 0, total, 1.0)
    return np.where(total > 0, targets, 0.5).T


def fill_sheet(targets: NDArray[np.float64], shape: SheetShape) -> NDArray[np.int64]:
    """Return a cell for each unit of a layer by sorting: columns by x, then rows by y.

    O(width log width). Each unit gets a cell of its own, near its target's rank.
    """
    cells = np.empty(len(targets), dtype=np.int64)
    by_x = np.argsort(targets[:, 0], kind="stable")
    sizes = [
        len(column_units)
        for column_units in np.array_split(np.arange(len(targets)), shape.n_columns)
    ]
    start = 0
    for column, size in enumerate(sizes):
        members = by_x[start : start + size]
        order = members[np.argsort(targets[members, 1], kind="stable")]
        cells[order] = np.arange(size) * shape.n_columns + column
        start += size
    return cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """Settings of the swaps that improve the sheets after they were filled.

    Parameters
    ----------
    n_sweeps : int
        In each, every cell meets one other at the same offset in its sheet; they swap if both
        together then resemble their surroundings more.
    first_sigma, last_sigma : float
        Cells over which a surrounding is averaged, shrinking geometrically.
    depth_sigma : float
        Layers over which it is averaged.
    renewed_every : int
        Sweeps after which surroundings are computed again.
    """

    n_sweeps: int = 200
    first_sigma: float = 4.0
    last_sigma: float = 0.8
    depth_sigma: float = 1.5
    renewed_every: int = 4


NO_REFINEMENT = Refinement(n_sweeps=0)


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

    Sheets are filled by sorting (`fill_sheet`), then improved by swaps (`Refinement`), which
    about doubles the likeness of neighbours (`benchmarks/topography.py`).

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
        [fill_sheet(targets[layout.layer_slice(i)], shape) for i in range(layout.n_layers)]
    )
    cortex = Cortex(layout=layout, shape=shape, cell=cell, places=places)
    refinement = refinement or Refinement()
    if not refinement.n_sweeps or shape.n_cells < 4:
        return cortex
    return _swap_units(cortex, maps, refinement, np.random.default_rng(seed), progress, cancel)


def _swap_units(
    cortex: Cortex,
    maps: NDArray[np.floating],
    refinement: Refinement,
    rng: np.random.Generator,
    progress: Progress,
    cancel: CancelToken,
) -> Cortex:
    """Swap units within sheets until each resembles its surroundings, in |z| of all networks.

    O(sweeps · units · K); memory: two arrays of units × K in float32.
    """
    strength = np.abs(maps).T.astype(np.float32)
    strength -= strength.mean(axis=0)
    strength = np.vstack([strength, np.zeros_like(strength[:1])])  # the last row: empty cells
    units = cortex.unit_volume()
    n_sweeps = refinement.n_sweeps
    shrink = refinement.last_sigma / refinement.first_sigma
    surroundings: NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)
    for sweep in range(n_sweeps):
        cancel.raise_if_cancelled()
        sigma = refinement.first_sigma * shrink ** (sweep / max(n_sweeps - 1, 1))
        if sweep % refinement.renewed_every == 0:
            surroundings = gaussian_filter(
                strength[units],
                sigma=(refinement.depth_sigma, sigma, sigma, 0),
                mode="nearest",
                truncate=2.0,
            ).reshape(-1, strength.shape[1])
            progress(ProgressEvent(stage="cortex", done=sweep, total=n_sweeps, unit="sweeps"))
        a, b = _draw_pairs(units.shape, max(1, round(2 * sigma)), rng)
        flat = units.reshape(-1)
        gain = np.einsum(
            "nk,nk->n", strength[flat[a]] - strength[flat[b]], surroundings[b] - surroundings[a]
        )
        is_better = gain > 0
        flat[a[is_better]], flat[b[is_better]] = flat[b[is_better]], flat[a[is_better]]
    progress(ProgressEvent(stage="cortex", done=n_sweeps, total=n_sweeps, unit="sweeps"))
    cell = np.empty(cortex.layout.n_units, dtype=np.int64)
    sheets = units.reshape(units.shape[0], -1)
    layer, cell_index = np.nonzero(sheets >= 0)
    cell[sheets[layer, cell_index]] = cell_index
    return Cortex(layout=cortex.layout, shape=cortex.shape, cell=cell, places=cortex.places)


def _draw_pairs(
    shape: tuple[int, ...], reach: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return flat indices of disjoint pairs of cells, at one offset of at most `reach`."""
    n_layers, n_rows, n_columns = shape
    dy, dx = 0, 0
    while dy == 0 and dx == 0:
        dy = int(rng.integers(-min(reach, n_rows - 1), min(reach, n_rows - 1) + 1))
        dx = int(rng.integers(-min(reach, n_columns - 1), min(reach, n_columns - 1) + 1))
    y, x = np.mgrid[0:n_rows, 0:n_columns]
    # Alternate stripes as wide as the offset: no cell is in two pairs.
    stripe = (y // abs(dy) if dy else x // abs(dx)) % 2
    first = stripe == int(rng.integers(2))
    first &= (y + dy >= 0) & (y + dy < n_rows) & (x + dx >= 0) & (x + dx < n_columns)
    a = y[first] * n_columns + x[first]
    b = (y[first] + dy) * n_columns + x[first] + dx
    sheets = np.arange(n_layers)[:, None] * (n_rows * n_columns)
    return (sheets + a).ravel(), (sheets + b).ravel()


def sheet_autocorrelation(volume: NDArray[np.floating]) -> float:
    """Return the mean correlation of neighbouring cells within the sheets of a volume.

    Parameters
    ----------
    volume : ndarray (n_layers, rows, columns)
        NaN where empty.
    """
    return _neighbour_correlation(volume, axes=(1, 2))


def depth_autocorrelation(volume: NDArray[np.floating]) -> float:
    """Return the correlation of cells with the cells at the same place in the next layer."""
    return _neighbour_correlation(volume, axes=(0,))


def _neighbour_correlation(volume: NDArray[np.floating], *, axes: tuple[int, ...]) -> float:
    values = []
    for axis in axes:
        n = volume.shape[axis]
        if n < 2:
            continue
        a = np.take(volume, range(n - 1), axis=axis).ravel()
        b = np.take(volume, range(1, n), axis=axis).ravel()
        is_finite = np.isfinite(a) & np.isfinite(b)
        a, b = a[is_finite].astype(np.float64), b[is_finite].astype(np.float64)
        if a.std() > 0 and b.std() > 0:
            values.append(float(np.corrcoef(a, b)[0, 1]))
    return float(np.mean(values)) if values else float("nan")


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


def cortex_id(decomposition_id: str) -> str:
    """Return the id of the cortex that belongs to a decomposition."""
    return artifact_id("layouts", {"decomposition_id": decomposition_id, **asdict(Refinement())})


def has_cortex(workspace: Workspace, decomposition_id: str) -> bool:
    """Whether a decomposition's units were laid out."""
    return workspace.has("layouts", cortex_id(decomposition_id))


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
