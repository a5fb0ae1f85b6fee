"""The grid of voxels, one unit in each: x is the column, y the row, z the layer of the cortex.

Here alone a unit is called a voxel. The sidecar says the same in JSON, so that any tool can go
from a voxel back to (layer, index).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.cortex import Cortex
from fnprune_core.atlas.topography.sheet import sheet_shape
from fnprune_core.errors import CorruptArtifactError, FingerprintMismatchError, SettingsError
from fnprune_core.inputs.json_values import items, parse_json, text, whole
from fnprune_core.models.layout import UnitLayout

SIDECAR_KIND = "fnprune volumes"
SIDECAR_VERSION = 1
MAX_SIDECAR_BYTES = 64_000_000
#: Millimetres that a voxel of a sheet is said to have: those of the usual brain templates.
VOXEL_MM = 2.0
_DEPTH_SHARE = 0.75  # least height of the volume, of the longer side of a sheet
_MAX_UNITS = 50_000_000
_MOST_LAYERS = 1024
_MOST_VALUES = 12_000_000  # of a sidecar, the most that fit into its bytes

Placement = Literal["cortex", "index"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelGrid:
    """The voxel of each unit in a volume.

    Parameters
    ----------
    layout : UnitLayout
    unit_of_voxel : ndarray (columns, rows, layers)
        Flat unit, −1 where there is none; each unit is in one voxel of its layer.
    placement : str
        ``"cortex"``, or ``"index"`` where units lie in the order of their index, so that
        neighbours mean nothing.
    """

    layout: UnitLayout
    unit_of_voxel: NDArray[np.int64]
    placement: Placement = "cortex"

    def __post_init__(self) -> None:
        if self.unit_of_voxel.ndim != 3 or self.unit_of_voxel.shape[2] != self.layout.n_layers:
            raise SettingsError(
                f"A grid of {self.layout.n_layers} layers cannot have the shape "
                f"{self.unit_of_voxel.shape}."
            )
        has_unit = self.unit_of_voxel >= 0
        layers = np.nonzero(has_unit)[2]
        units = self.unit_of_voxel[has_unit]
        is_complete = np.array_equal(np.sort(units), np.arange(self.layout.n_units))
        if not is_complete or np.any(self.layout.layer_of_unit[units] != layers):
            raise SettingsError("Not every unit is in exactly one voxel of its layer.")
        self.unit_of_voxel.setflags(write=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows and layers."""
        columns, rows, layers = self.unit_of_voxel.shape
        return columns, rows, layers

    @property
    def affine(self) -> NDArray[np.float64]:
        """From voxel to millimetres, (4, 4): first layer at the bottom, centre at 0.

        Layers are set apart so that few of them are not a sliver. All its numbers are multiples
        of 1/8 and so survive the header's float32.
        """
        columns, rows, layers = self.shape
        spacing = _DEPTH_SHARE * VOXEL_MM * max(columns, rows) / layers
        sizes = np.array([VOXEL_MM, VOXEL_MM, max(VOXEL_MM, np.ceil(4 * spacing) / 4)])
        affine = np.diag([*sizes, 1.0])
        affine[:3, 3] = -sizes * (np.array(self.shape) - 1) / 2
        return affine

    @property
    def voxel_of_unit(self) -> NDArray[np.int64]:
        """Voxel (x, y, z) of each unit: (n_units, 3)."""
        voxels = np.argwhere(self.unit_of_voxel >= 0)
        units = self.unit_of_voxel[tuple(voxels.T)]
        return np.asarray(voxels[np.argsort(units)], dtype=np.int64)

    def volume(self, values: NDArray[Any], *, fill: float = 0) -> NDArray[Any]:
        """Return `values` (…, n_units) as (columns, rows, layers, …), `fill` where no unit is."""
        shape = (*self.shape, *values.shape[:-1])
        volume = np.full(shape, fill, dtype=values.dtype)
        volume[tuple(self.voxel_of_unit.T)] = np.moveaxis(values, -1, 0)
        return volume

    def values(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Return a volume (columns, rows, layers, …) as (…, n_units)."""
        return np.moveaxis(volume[tuple(self.voxel_of_unit.T)], 0, -1)


def grid_of(layout: UnitLayout, cortex: Cortex | None) -> VoxelGrid:
    """Return the voxels of a cortex; without one, sheets in the order of the units' indices."""
    if cortex is not None:
        units = cortex.unit_volume().transpose(2, 1, 0)
        return VoxelGrid(layout=cortex.layout, unit_of_voxel=np.ascontiguousarray(units))
    sheet = sheet_shape(max(layout.widths))
    units = np.full((layout.n_layers, sheet.n_cells), -1, dtype=np.int64)
    layer, index = layout.locate(np.arange(layout.n_units))
    units[layer, index] = np.arange(layout.n_units)
    in_sheets = units.reshape(layout.n_layers, sheet.n_rows, sheet.n_columns).transpose(2, 1, 0)
    return VoxelGrid(
        layout=layout, unit_of_voxel=np.ascontiguousarray(in_sheets), placement="index"
    )


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
        "axes": "x: column, y: row, z: layer; RAS+, millimetres are nominal",
        "index_of_voxel": [index[:, :, z].ravel(order="F").tolist() for z in range(grid.shape[2])],
        "index_of_voxel_means": (
            "index_of_voxel[z][x + shape[0] * y] is the index, in layer z, of the unit in the "
            "voxel (x, y, z); -1 where there is none"
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
    if facts.get("schema_version") != SIDECAR_VERSION:
        raise _sidecar_error(
            f"it has schema version {str(facts.get('schema_version'))[:40]}, this fnprune reads "
            f"{SIDECAR_VERSION}"
        )
    try:
        grid = _grid_from(facts)
        affine = np.asarray(facts["affine"], dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError("the affine is not 4 × 4")
        return Sidecar(
            grid=grid,
            affine=affine,
            atlas_id=text(facts["atlas_id"], what="atlas_id", longest=100),
            fingerprint=text(facts["fingerprint"], what="fingerprint", longest=100),
        )
    except KeyError as error:
        raise _sidecar_error(f"it has no {error}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise _sidecar_error(str(error)) from error


def _grid_from(facts: Mapping[str, Any]) -> VoxelGrid:
    widths = tuple(
        whole(width, what="a width", low=1, high=_MAX_UNITS)
        for width in items(facts["widths"], what="widths", most=_MOST_LAYERS)
    )
    shape = items(facts["shape"], what="shape", most=3)
    if len(shape) != 3:
        raise ValueError(f"the shape has {len(shape)} axes, 3 were expected")
    columns, rows, n_layers = (
        whole(length, what="an axis", low=1, high=_MAX_UNITS) for length in shape
    )
    n_voxels = columns * rows * n_layers
    if not widths or sum(widths) > _MAX_UNITS:
        raise ValueError(f"layers of {_widths_text(widths)} units make no sense")
    if n_layers != len(widths) or n_voxels > 4 * _MAX_UNITS:
        raise ValueError(f"the shape {facts['shape']} does not hold {len(widths)} layers")
    layout = UnitLayout(widths)
    index = _whole_numbers(facts["index_of_voxel"])
    if index.shape != (n_layers, columns * rows):
        raise ValueError(f"index_of_voxel has the shape {index.shape}")
    if np.any(index >= np.asarray(widths)[:, None]):
        raise ValueError("index_of_voxel names units that its layers do not have")
    units = np.where(index >= 0, index + layout.offsets[:-1, None], -1)
    in_sheets = units.reshape(n_layers, rows, columns).transpose(2, 1, 0)
    placement: Placement = "index" if facts.get("placement") == "index" else "cortex"
    return VoxelGrid(
        layout=layout, unit_of_voxel=np.ascontiguousarray(in_sheets), placement=placement
    )


def _whole_numbers(values: object) -> NDArray[np.int64]:
    """Return nested lists as an array; raises ValueError where one is not a whole number."""
    numbers = np.asarray(values)
    if numbers.dtype.kind != "i":
        raise ValueError("index_of_voxel holds what is not a whole number, or too large a one")
    return numbers.astype(np.int64)


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
