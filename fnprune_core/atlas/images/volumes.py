"""Maps and parcellation as NIfTI images, and images of neuroimaging tools back as units."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas.images.anatomy import Margins, anatomy_image, typical_activity
from fnprune_core.atlas.images.voxels import Sidecar, VoxelGrid, grid_as_json, read_sidecar
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas
from fnprune_core.errors import (
    CorruptArtifactError,
    FnpruneError,
    NonFiniteError,
    SettingsError,
)
from fnprune_core.inputs.nifti_volumes import (
    HEADER_ERRORS,
    MARK,
    Space,
    image_error,
    image_volumes,
)
from fnprune_core.storage.manifests import package_versions

MAX_LABELS = 1000
#: Steps of `small_image`: of a byte on each side of 0, and of z.
_MOST_STEPS, _LEAST_STEP, _COARSE_STEP = 127, 0.1, 0.5
_MAX_EXACT_32 = 2**24
_MAX_EXACT = 2**53  # beyond it, not every whole number is a float


def image(grid: VoxelGrid, values: NDArray[Any], *, note: str = "") -> Any:
    """Return `values` (n_units,) or (n, n_units) as a NIfTI image, 0 where no unit is.

    Parameters
    ----------
    note : str
        The header's description, at most 80 characters.
    """
    return volume_image(grid, grid.volume(values), note=note)


def volume_image(
    grid: VoxelGrid, volume: NDArray[Any], *, note: str = "", around: Margins | None = None
) -> Any:
    """Return a volume (columns, rows, layers) of a grid as a NIfTI image.

    Parameters
    ----------
    around : Margins, optional
        Empty voxels around it, as the anatomy has them.
    """
    affine = grid.affine
    if around is not None:
        side = (around.side, around.side)
        volume = np.pad(volume, (side, side, (around.below, around.above)))
        affine[:3, 3] -= affine[:3, :3] @ np.array(around.low, dtype=float)
    nifti = nib.Nifti1Image(volume, affine)
    nifti.header.set_xyzt_units("mm")
    nifti.header["descrip"] = note.encode("ascii", "replace")[:79]
    nifti.set_sform(affine, code="aligned")
    nifti.set_qform(affine, code="aligned")
    return nifti


def small_image(
    grid: VoxelGrid, values: NDArray[np.floating], *, threshold: float, note: str = ""
) -> Any:
    """Return a map (n_units,) as an image of a byte per voxel, for files that hold many.

    In steps of 0.1, or of a 127th of the largest magnitude where that is more. Below a threshold,
    where only smoothing looks, in steps of 0.5. Compressed, it takes half of what 16 bits take.
    """
    step = max(float(np.abs(values).max(initial=0)) / _MOST_STEPS, _LEAST_STEP)
    coarse = np.rint(values / _COARSE_STEP) * _COARSE_STEP
    rounded = np.where(np.abs(values) < threshold, coarse, values)
    nifti = image(grid, np.rint(rounded / step).astype(np.int8), note=note)
    nifti.header.set_slope_inter(step, 0)  # nibabel keeps a slope that is set
    return nifti


def compressed(nifti: Any, *, level: int = 6) -> bytes:
    """Return an image as the bytes of a ``.nii.gz`` file; the same image, the same bytes."""
    return gzip.compress(nifti.to_bytes(), compresslevel=level, mtime=0)


def sidecar_name(atlas: NetworkAtlas) -> str:
    """Return the name of the sidecar among an atlas's files."""
    return f"{stem_of(atlas)}_volumes.json"


def stem_of(atlas: NetworkAtlas) -> str:
    """Return the beginning of the names of an atlas's files."""
    return f"atlas-{atlas.id}"


def volume_files(
    atlas: NetworkAtlas, grid: VoxelGrid, names: Sequence[str], *, z: float | None = None
) -> dict[str, bytes]:
    """Return an atlas as files that neuroimaging tools open: name → content.

    Maps (x, y, z, K) in float32; parcellation, where network k has the label k + 1 and 0 is
    none; the mask of alive units; names as a table of labels; the sidecar; and the grey anatomy,
    which tools lay below the others: in the same space, with a margin around their voxels.
    """
    stem, decomposition = stem_of(atlas), atlas.decomposition
    note = f"{MARK} {atlas.id}"
    maps = image(grid, atlas.maps, note=note)
    labels = image(grid, (atlas.parcellation(z=z) + 1).astype(np.int16), note=note)
    mask = image(grid, decomposition.alive.astype(np.uint8), note=note)
    grey = anatomy_image(typical_activity(atlas.maps, atlas.layout), grid, note=note)
    return {
        f"{stem}_stat-z_statmap.nii.gz": compressed(maps, level=1),  # level 6 would save 2 %
        f"{stem}_dseg.nii.gz": compressed(labels),
        f"{stem}_dseg.tsv": names_table(names).encode(),
        f"{stem}_desc-brain_mask.nii.gz": compressed(mask),
        sidecar_name(atlas): json.dumps(_sidecar(atlas, grid, names, z)).encode(),
        f"{stem}_desc-anatomy_T1w.nii.gz": compressed(grey),
    }


def names_table(names: Sequence[str]) -> str:
    """Return the table of a parcellation's labels, tab-separated as BIDS wants it."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(["index", "name", "network"])
    for network, name in enumerate(names):
        writer.writerow([network + 1, " ".join(name.split()) or f"network {network}", network])
    return stream.getvalue()


def _sidecar(
    atlas: NetworkAtlas, grid: VoxelGrid, names: Sequence[str], z: float | None
) -> dict[str, Any]:
    return {
        **grid_as_json(grid),
        "atlas_id": atlas.id,
        "recording_id": atlas.decomposition.recording_id,
        "fingerprint": atlas.decomposition.fingerprint,
        "units_of_networks": atlas.rule(z),
        "z_threshold": z,
        "z_means": "z over the units of a map: a threshold on a map, not a test over subjects",
        "networks": [
            {"network": k, "volume": k, "label": k + 1, "name": name}
            for k, name in enumerate(names)
        ],
        "versions": {**package_versions(), "nibabel": metadata.version("nibabel")},
    }


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return files as one ZIP archive; what is compressed already is only stored."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            is_packed = name.endswith(".gz")
            archive.writestr(
                zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)),
                content,
                zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED,
            )
    return stream.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedImage:
    """An imported image, as values of units.

    Parameters
    ----------
    values : ndarray (n_volumes, n_units)
    kind : str
        ``"maps"``: any numbers. ``"labels"``: whole numbers, each a set of units, 0 is none.
    labels : tuple of tuple of int
        For each volume, the labels that occur.
    n_outside : int
        Voxels that are not 0 where no unit is; they are left out.
    sidecar : Sidecar
    """

    values: NDArray[Any]
    kind: Literal["maps", "labels"]
    labels: tuple[tuple[int, ...], ...]
    n_outside: int
    sidecar: Sidecar

    @property
    def choices(self) -> list[tuple[int, int | None]]:
        """Maps and sets that can be shown: (volume, None) for a map, (volume, label) for a set."""
        if self.kind == "maps":
            return [(volume, None) for volume in range(len(self.values))]
        return [
            (volume, label)
            for volume, volume_labels in enumerate(self.labels)
            for label in volume_labels
        ]

    def chosen(self, choice: tuple[int, int | None]) -> NDArray[np.float32]:
        """Return one choice over units, (n_units,): a map, or 1 in the set and 0 elsewhere."""
        volume, label = choice
        row = self.values[volume]
        return np.asarray(row if label is None else row == label, dtype=np.float32)


def read_image(
    content: bytes,
    sidecar: bytes | None,
    *,
    check: Callable[[Sidecar], None] | None = None,
) -> ImportedImage:
    """Return an image, ours or edited by another tool, as values of units.

    Parameters
    ----------
    content : bytes
        A NIfTI file, compressed or not: (x, y, z) or (x, y, z, n).
    sidecar : bytes or None
        The JSON file that was written with it.
    check : callable, optional
        Called with the sidecar before the image is unpacked; raises where it does not fit.

    Memory is bounded by one volume and `MAX_VALUES` values of units, whatever the file unpacks to.

    Raises
    ------
    CorruptArtifactError
        If the image or the sidecar is missing, damaged or cut short.
    SettingsError
        If shape or affine differ from the sidecar's, or nothing is marked.
    NonFiniteError
        If a unit's value is not a number.
    """
    if sidecar is None:
        raise CorruptArtifactError(
            "The image has no sidecar, so its voxels cannot be told apart.",
            hint="Add the .json file that was written together with it.",
        )
    parsed_sidecar = read_sidecar(sidecar)
    if check is not None:
        check(parsed_sidecar)
    values, labels, n_outside = _read_values(content, parsed_sidecar)
    if not np.isfinite(values).all():
        unit = int(np.argwhere(~np.isfinite(values))[0, 1])
        layer, index = parsed_sidecar.grid.layout.locate(unit)
        raise NonFiniteError(
            "The image holds a value that is no number, or too large a one, first at unit "
            f"{index} of layer {layer}.",
            hint="Set such voxels to 0.",
        )
    if not values.any():
        raise SettingsError("The image marks no unit: all its voxels are 0.")
    return ImportedImage(
        values=values,
        kind="maps" if labels is None else "labels",
        labels=labels or (),
        n_outside=n_outside,
        sidecar=parsed_sidecar,
    )


def _read_values(
    content: bytes, sidecar: Sidecar
) -> tuple[NDArray[Any], tuple[tuple[int, ...], ...] | None, int]:
    """Return values (n_volumes, n_units), labels of each volume or None, voxels outside."""
    try:
        return _values_of(content, sidecar)
    except FnpruneError:
        raise
    except HEADER_ERRORS as error:
        raise image_error(str(error)) from error
    except MemoryError as error:
        raise image_error("it needs more memory than there is") from error


def _values_of(
    content: bytes, sidecar: Sidecar
) -> tuple[NDArray[Any], tuple[tuple[int, ...], ...] | None, int]:
    empty = sidecar.grid.unit_of_voxel < 0
    space = Space(
        shape=sidecar.grid.shape,
        affine=sidecar.affine,
        n_units=sidecar.grid.layout.n_units,
        atlas_id=sidecar.atlas_id,
    )
    values: NDArray[Any] = np.empty((0, sidecar.grid.layout.n_units), dtype=np.float32)
    labels: list[tuple[int, ...]] | None = []
    n_outside = 0
    for number, n_volumes, volume in image_volumes(content, space):
        row = sidecar.grid.values(volume)
        row_labels = None if labels is None else _labels_of(row)
        if number == 0:
            values = np.empty((n_volumes, row.size), dtype=np.float32)
        if labels is None or row_labels is None:
            labels = None
            row, values = _as_float32(row), _as_float32(values)
        else:
            labels.append(row_labels)
            if max(row_labels, default=0) > _MAX_EXACT_32:
                values = values.astype(row.dtype, copy=False)
        values[number] = row
        n_outside += int(np.count_nonzero(np.nan_to_num(volume[empty])))
    return values, None if labels is None else tuple(labels), n_outside


def _as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what becomes infinite is refused later
        return values.astype(np.float32, copy=False)


def _labels_of(row: NDArray[Any]) -> tuple[int, ...] | None:
    """Return the labels of a volume, or None if it is a map."""
    levels = np.unique(row)
    if len(levels) > MAX_LABELS or levels[0] < 0 or np.any(levels != np.floor(levels)):
        return None
    if levels.dtype.kind == "f" and levels[-1] > _MAX_EXACT:
        return None
    return tuple(int(level) for level in levels if level > 0)


def overlap_table(
    atlas: NetworkAtlas, values: NDArray[np.floating], *, z: float | None = None
) -> pd.DataFrame:
    """Return the overlap of a map or set of units with each network: one row each, best first.

    Parameters
    ----------
    values : ndarray (n_units,)
        Units count as marked where this is not 0 in a set of 0 and 1, else where its magnitude
        is above `z`, 3 where that is None.

    Returns
    -------
    DataFrame
        network; shared: marked units in the network; share: of the marked units; expected: that
        share for as many units drawn by chance, the network's share of alive units; dice: of
        both sets; r: correlation of `values` with the map over alive units.
    """
    alive = atlas.decomposition.alive
    unit_values = np.asarray(values, dtype=np.float64)
    level = DEFAULT_THRESHOLD if z is None else z
    marked = (
        unit_values != 0
        if set(np.unique(unit_values)) <= {0.0, 1.0}
        else np.abs(unit_values) > level
    )
    members = atlas.membership(z=z)
    shared = (members & marked).sum(axis=1)
    sizes, n_marked = members.sum(axis=1), int(marked.sum())
    centred = unit_values[alive] - unit_values[alive].mean()
    maps = atlas.maps[:, alive].astype(np.float64)
    maps -= maps.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(maps, axis=1) * np.linalg.norm(centred)
    table = pd.DataFrame(
        {
            "network": np.arange(atlas.n_networks),
            "shared": shared,
            "share": shared / max(n_marked, 1),
            "expected": (members & alive).sum(axis=1) / max(int(alive.sum()), 1),
            "dice": 2 * shared / np.maximum(sizes + n_marked, 1),
            "r": maps @ centred / np.where(norms > 0, norms, np.inf),
        }
    )
    return table.sort_values("dice", ascending=False, kind="stable").reset_index(drop=True)


def peak_table(atlas: NetworkAtlas, grid: VoxelGrid, network: int, *, n: int = 12) -> pd.DataFrame:
    """Return a map's strongest units and where they are: z, layer, unit, x, y, z in millimetres."""
    values = atlas.maps[atlas.check_network(network)]
    units = np.argsort(-np.abs(values), kind="stable")[:n]
    layer, index = grid.layout.locate(units)
    places = nib.affines.apply_affine(grid.affine, grid.voxel_of_unit[units])
    return pd.DataFrame(
        {
            "z": values[units],
            "layer": layer,
            "unit": index,
            "x (mm)": places[:, 0],
            "y (mm)": places[:, 1],
            "z (mm)": places[:, 2],
        }
    )
