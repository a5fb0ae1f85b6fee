"""The unit that a press in the viewer names."""

from app.shell import view_state
from app.shell.images import files as images
from app.widgets.body.viewer import Pick


def unit_of(atlas_id: str, pick: Pick) -> int | None:
    """Return the unit at the place that was pressed, or None outside of the body."""
    if pick.voxel is None:
        return None
    units = images.grid(atlas_id).unit_of_voxel
    is_inside = all(0 <= at < size for at, size in zip(pick.voxel, units.shape, strict=True))
    return int(units[pick.voxel]) if is_inside and units[pick.voxel] >= 0 else None


def select_unit(atlas_id: str, pick: Pick) -> None:
    """Select the unit that was pressed in the view."""
    unit = unit_of(atlas_id, pick)
    if unit is not None:
        view_state.change(unit=unit)
