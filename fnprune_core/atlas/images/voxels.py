"""The grid of voxels: x is the column, y the row, z the layer of the cortex.

Two grids: the sheets, where a unit is a voxel, and the body, where sheets are wider in the middle
layers than at both ends and a unit fills one voxel or a few. Each unit reads its value from one of
them, so that what goes from units to an image and back is exact. The sidecar says the same in
JSON, so that any tool can go from a voxel back to (layer, index).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fnprune_core.atlas.topography.sheet import sheet_cells, sheet_shape
from fnprune_core.errors import CorruptArtifactError, FingerprintMismatchError, SettingsError
from fnprune_core.inputs.json_values import parse_json
from fnprune_core.inputs.records import Record, checked
from fnprune_core.models.layout import UnitLayout

if TYPE_CHECKING:
    from fnprune_core.atlas.cortex import Cortex

SIDECAR_KIND = "fnprune volumes"
SIDECAR_VERSION = 2
#: In version 1 every unit had one voxel; else they are the same.
_READ_VERSIONS = (1, 2)
MAX_SIDECAR_BYTES = 64_000_000
#: Millimetres that the volume is said to be long, as a brain is, and that a voxel has at most.
LENGTH_MM, MOST_MM = 170.0, 2.0
_STEP_MM = 1 / 16  # sums of few such steps survive the header's float32
_DEPTH_SHARE = 0.54  # least height of the layers, of the longer side of a sheet; closed, 0.75
#: Voxels that a unit's cell is wide: in the widest layer, in the first, and in the last.
_WIDEST, _FIRST, _LAST = 1.6, 1.15, 1.0
_HEIGHT_OF_WIDEST = 0.45  # as a share of the depth, first layer at 0
_MAX_UNITS = 50_000_000
_MOST_LAYERS = 1024
_MOST_VALUES = 12_000_000  # of a sidecar, the most that fit into its bytes

Placement = Literal["cortex", "index"]
_Length = Annotated[int, Field(ge=1, le=_MAX_UNITS)]
_Four = Field(min_length=4, max_length=4)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelGrid:
    """The voxels of each unit in a volume.

    Parameters
    ----------
    layout : UnitLayout
    unit_of_voxel : ndarray (columns, rows, layers)
        Flat unit, −1 where there is none; each unit is in at least one voxel, of its layer alone.
    placement : str
        ``"cortex"``, or ``"index"`` where units lie in the order of their index, so that
        neighbours mean nothing.
    voxel_of_unit : ndarray (n_units, 3)
        The voxel (x, y, z) that is most in the middle of each unit's: where its value is read.
    """

    layout: UnitLayout
    unit_of_voxel: NDArray[np.int64]
    placement: Placement = "cortex"
    voxel_of_unit: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        if self.unit_of_voxel.ndim != 3 or self.unit_of_voxel.shape[2] != self.layout.n_layers:
            raise SettingsError(
                f"A grid of {self.layout.n_layers} layers cannot have the shape "
                f"{self.unit_of_voxel.shape}."
            )
        voxels = np.argwhere(self.unit_of_voxel >= 0)
        units = self.unit_of_voxel[tuple(voxels.T)]
        is_complete = np.array_equal(np.unique(units), np.arange(self.layout.n_units))
        if not is_complete or np.any(self.layout.layer_of_unit[units] != voxels[:, 2]):
            raise SettingsError("Not every unit is in a voxel of its layer, and of no other.")
        object.__setattr__(self, "voxel_of_unit", _middles(voxels, units))
        self.unit_of_voxel.setflags(write=False)
        self.voxel_of_unit.setflags(write=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows and layers."""
        columns, rows, layers = self.unit_of_voxel.shape
        return columns, rows, layers

    @property
    def affine(self) -> NDArray[np.float64]:
        """From voxel to millimetres, (4, 4): first layer at the bottom, centre at 0.

        A large volume is as long as a brain. Layers are set apart so that few of them are not a
        sliver.
        """
        columns, rows, layers = self.shape
        length = max(columns, rows)
        side = max(np.floor(min(LENGTH_MM / length, MOST_MM) / _STEP_MM), 1) * _STEP_MM
        spacing = np.ceil(_DEPTH_SHARE * side * length / layers / _STEP_MM) * _STEP_MM
        sizes = np.array([side, side, max(side, spacing)])
        affine = np.diag([*sizes, 1.0])
        affine[:3, 3] = -sizes * (np.array(self.shape) - 1) / 2
        return affine

    def volume(self, values: NDArray[Any], *, fill: float = 0) -> NDArray[Any]:
        """Return `values` (…, n_units) as (columns, rows, layers, …), `fill` where no unit is."""
        shape = (*self.shape, *values.shape[:-1])
        volume = np.full(shape, fill, dtype=values.dtype)
        has_unit = self.unit_of_voxel >= 0
        volume[has_unit] = np.moveaxis(values, -1, 0)[self.unit_of_voxel[has_unit]]
        return volume

    def values(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Return a volume (columns, rows, layers, …) as (…, n_units), by each unit's middle."""
        return np.moveaxis(volume[tuple(self.voxel_of_unit.T)], 0, -1)


def _middles(voxels: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the voxel of each unit that is nearest to the mean of its voxels: (n_units, 3)."""
    n_voxels = np.bincount(units)
    means = np.stack([np.bincount(units, axis) / n_voxels for axis in voxels.T], axis=1)
    apart = np.square(voxels - means[units]).sum(axis=1).round(6)  # equal ones stay so
    order = np.lexsort((np.arange(len(units)), apart, units))
    return voxels[order[np.searchsorted(units[order], np.arange(len(n_voxels)))]]


def sheet_grid(layout: UnitLayout, cortex: Cortex | None) -> VoxelGrid:
    """Return the sheets of a cortex, a voxel a unit; without one, in the order of indices."""
    if cortex is not None:
        units = cortex.unit_volume().transpose(2, 1, 0)
        return VoxelGrid(layout=cortex.layout, unit_of_voxel=np.ascontiguousarray(units))
    shape = sheet_shape(max(layout.widths))
    units = np.full((layout.n_layers, shape.n_cells), -1, dtype=np.int64)
    for i, width in enumerate(layout.widths):
        units[i, sheet_cells(width, shape)] = layout.offsets[i] + np.arange(width)
    in_sheets = units.reshape(layout.n_layers, shape.n_rows, shape.n_columns).transpose(2, 1, 0)
    return VoxelGrid(
        layout=layout, unit_of_voxel=np.ascontiguousarray(in_sheets), placement="index"
    )


def grid_of(layout: UnitLayout, cortex: Cortex | None) -> VoxelGrid:
    """Return the body: the sheets, each drawn as wide as its height in the body asks.

    A cell is never narrower than a voxel, so every unit has one.
    """
    sheets = sheet_grid(layout, cortex)
    columns, rows, n_layers = sheets.shape
    body_columns, body_rows = (_odd(_WIDEST * n) for n in (columns, rows))
    units = np.full((body_columns, body_rows, n_layers), -1, dtype=np.int64)
    for layer, width in enumerate(cell_widths(n_layers).tolist()):
        x, is_x = _cells_along(body_columns, columns, width)
        y, is_y = _cells_along(body_rows, rows, width)
        units[:, :, layer][np.ix_(is_x, is_y)] = sheets.unit_of_voxel[:, :, layer][np.ix_(x, y)]
    return VoxelGrid(layout=sheets.layout, unit_of_voxel=units, placement=sheets.placement)


def cell_widths(n_layers: int) -> NDArray[np.float64]:
    """Return how many voxels a cell is wide in each layer: 1 or more, an arc towards both ends."""
    if n_layers == 1:
        return np.array([_WIDEST])
    height = np.linspace(0, 1, n_layers) - _HEIGHT_OF_WIDEST
    below, above = height / -_HEIGHT_OF_WIDEST, height / (1 - _HEIGHT_OF_WIDEST)
    ends = np.where(height < 0, _FIRST, _LAST)
    towards_end = np.where(height < 0, below, above)
    widths = _WIDEST * np.sqrt(1 - (1 - (ends / _WIDEST) ** 2) * towards_end**2)
    return np.asarray(np.maximum(widths, 1.0))


def closing_widths(n_layers: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the widths of slices that close the body below and above it, nearest first.

    The arc of `cell_widths` goes on until it ends. As a share of the width of the first layer,
    and of the last.
    """
    return _closing(n_layers, _FIRST, _HEIGHT_OF_WIDEST), _closing(
        n_layers, _LAST, 1 - _HEIGHT_OF_WIDEST
    )


def _closing(n_layers: int, end: float, height: float) -> NDArray[np.float64]:
    reach = height * (n_layers - 1)  # in layers, from the widest to the end
    narrowing = 1 - (end / _WIDEST) ** 2
    n_slices = int(np.ceil(reach / np.sqrt(narrowing) - reach)) - 1 if reach else 0
    towards_end = 1 + np.arange(1, n_slices + 1) / max(reach, 1.0)
    return np.asarray(_WIDEST / end * np.sqrt(np.maximum(1 - narrowing * towards_end**2, 0)))


def _odd(length: float) -> int:
    """Return the least odd number that is not below a length."""
    return 2 * int(np.ceil((length - 1) / 2)) + 1


def _cells_along(
    n_voxels: int, n_cells: int, width: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cell that each voxel of an axis lies in, and these voxels; middle on middle."""
    voxels = np.arange(n_voxels)
    cells = np.floor((voxels - (n_voxels - 1) / 2) / width + n_cells / 2).astype(np.int64)
    is_inside = (cells >= 0) & (cells < n_cells)
    return cells[is_inside], voxels[is_inside]


def grid_as_json(grid: VoxelGrid) -> dict[str, Any]:
    """Return a grid as the part of a sidecar that leads from a voxel to its unit."""
    offsets = grid.layout.offsets[:-1]
    index = np.where(grid.unit_of_voxel >= 0, grid.unit_of_voxel - offsets, -1)
    return {
        "schema_version": SIDECAR_VERSION,
        "kind": SIDECAR_KIND,
        "widths": list(grid.layout.widths),
        "placement": grid.placement,
        "shape": list(grid.shape),
        "affine": grid.affine.tolist(),
        "axes": "x: across, y: to the front, z: layer; RAS+, millimetres are nominal",
        "index_of_voxel": [index[:, :, z].ravel(order="F").tolist() for z in range(grid.shape[2])],
        "index_of_voxel_means": (
            "index_of_voxel[z][x + shape[0] * y] is the index, in layer z, of the unit in the "
            "voxel (x, y, z); -1 where there is none. A unit in several voxels has its value in "
            "all of them, and is read from the one nearest to their mean"
        ),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """The file beside an image: its voxels, and the atlas and model that it is of."""

    grid: VoxelGrid
    affine: NDArray[np.float64]
    atlas_id: str
    fingerprint: str

    def check_model(self, fingerprint: str, layout: UnitLayout) -> None:
        """Refuse images of another model."""
        if self.fingerprint != fingerprint:
            raise FingerprintMismatchError(
                f"The image is of another model ({self.fingerprint}); this atlas is of "
                f"{fingerprint}.",
                hint="Open an atlas of the model that the image was made from.",
            )
        if self.grid.layout != layout:
            raise FingerprintMismatchError(
                f"The image has layers of {_widths_text(self.grid.layout.widths)} units, this "
                f"model of {_widths_text(layout.widths)}.",
                hint="Open an atlas of the model that the image was made from.",
            )


def read_sidecar(content: bytes) -> Sidecar:
    """Return a sidecar from the bytes of its file.

    Raises
    ------
    CorruptArtifactError
        If it is no sidecar, cut short, or does not place each unit once.
    """
    if len(content) > MAX_SIDECAR_BYTES:
        raise _sidecar_error(f"it has {len(content) / 1e6:.0f} MB, at most 64 were expected")
    try:
        facts = parse_json(content, most_values=_MOST_VALUES)
    except ValueError as error:
        raise _sidecar_error(f"it is not whole JSON ({error})") from error
    if not isinstance(facts, dict) or facts.get("kind") != SIDECAR_KIND:
        raise _sidecar_error(f"it does not say that it is of the kind {SIDECAR_KIND!r}")
    if facts.get("schema_version") not in _READ_VERSIONS:
        raise _sidecar_error(
            f"it has schema version {str(facts.get('schema_version'))[:40]}, this fnprune reads "
            f"{' and '.join(map(str, _READ_VERSIONS))}"
        )
    try:
        told = checked(_Facts.model_validate, facts)
        return Sidecar(
            grid=_grid_from(told),
            affine=np.array(told.affine, dtype=np.float64),
            atlas_id=told.atlas_id,
            fingerprint=told.fingerprint,
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise _sidecar_error(str(error)) from error


class _Facts(Record):
    """What a sidecar says, in types and sizes that can be worked on."""

    widths: Annotated[list[_Length], Field(min_length=1, max_length=_MOST_LAYERS)]
    shape: Annotated[list[_Length], Field(min_length=3, max_length=3)]
    index_of_voxel: list[list[int]]
    affine: Annotated[list[Annotated[list[float], _Four]], _Four]
    placement: str = "cortex"
    atlas_id: Annotated[str, Field(max_length=100)]
    fingerprint: Annotated[str, Field(max_length=100)]


def _grid_from(facts: _Facts) -> VoxelGrid:
    widths, (columns, rows, n_layers) = tuple(facts.widths), facts.shape
    n_voxels = columns * rows * n_layers
    if sum(widths) > _MAX_UNITS:
        raise ValueError(f"layers of {_widths_text(widths)} units make no sense")
    if n_layers != len(widths) or n_voxels > 4 * _MAX_UNITS:
        raise ValueError(f"the shape {facts.shape} does not hold {len(widths)} layers")
    layout = UnitLayout(widths)
    if {len(row) for row in facts.index_of_voxel} != {columns * rows} or len(
        facts.index_of_voxel
    ) != n_layers:
        raise ValueError(f"index_of_voxel is not of {n_layers} × {columns * rows} numbers")
    index = np.array(facts.index_of_voxel, dtype=np.int64)
    if np.any(index >= np.asarray(widths)[:, None]):
        raise ValueError("index_of_voxel names units that its layers do not have")
    units = np.where(index >= 0, index + layout.offsets[:-1, None], -1)
    in_sheets = units.reshape(n_layers, rows, columns).transpose(2, 1, 0)
    placement: Placement = "index" if facts.placement == "index" else "cortex"
    return VoxelGrid(
        layout=layout, unit_of_voxel=np.ascontiguousarray(in_sheets), placement=placement
    )


def _sidecar_error(reason: str) -> CorruptArtifactError:
    return CorruptArtifactError(
        f"The sidecar cannot be used: {reason}.",
        hint="Choose the .json file that was written together with the image.",
    )


def _widths_text(widths: tuple[int, ...]) -> str:
    if len(set(widths)) == 1:
        return f"{len(widths)} × {widths[0]:,}"
    first_widths = ", ".join(str(width) for width in widths[:6])
    return first_widths + (", …" if len(widths) > 6 else "")
