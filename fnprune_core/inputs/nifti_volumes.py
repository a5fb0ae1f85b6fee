"""Volumes of a NIfTI file, one at a time, after its header was held against file and sidecar."""

import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import OrientationError
from nibabel.spatialimages import HeaderDataError, ImageDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from fnprune_core.errors import CorruptArtifactError, SettingsError

MARK = "fnprune"
MAX_VOLUMES = 4096
MAX_VALUES = 100_000_000  # of units, in all volumes: 400 MB
_MOST_PACKED = 1100  # bytes that one of gzip can unpack to: 1032, and some for short files
_MAX_OFFSET = 4_000_000
#: Errors that nibabel raises on headers that make no sense; a singular affine is a ValueError.
HEADER_ERRORS = (
    HeaderDataError,
    ImageDataError,
    ImageFileError,
    OrientationError,
    WrapStructError,
    ValueError,
    OverflowError,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """What a sidecar says of its image: shape, affine, units in a volume, and the atlas."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    n_units: int
    atlas_id: str


def image_volumes(content: bytes, space: Space) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Yield each volume with its number and how many there are, voxels in our order.

    The header is checked against file and sidecar before anything is unpacked, and one volume is
    unpacked at a time.
    """
    is_packed = content[:2] == b"\x1f\x8b"
    try:
        with gzip.open(io.BytesIO(content)) if is_packed else io.BytesIO(content) as stream:
            head = stream.read(540)
            image_class, header = _read_header(head)
            offset, n_volumes = _checked_header(header, space)
            size = math.prod(space.shape) * header.get_data_dtype().itemsize
            length = offset + n_volumes * size
            n_most = len(content) * (_MOST_PACKED if is_packed else 1)
            if length > n_most:
                raise _cut_short(n_most, length)
            single = header.copy()
            single.set_data_shape(header.get_data_shape()[:3])
            single["vox_offset"] = header.sizeof_hdr + 4
            head = (head + stream.read(max(offset - len(head), 0))).ljust(offset, b"\0")
            start = single.binaryblock + bytes(4)
            rest = head[offset:]
            for number in range(n_volumes):
                body = rest + stream.read(size - len(rest)) if len(rest) < size else rest[:size]
                rest = rest[size:]
                if len(body) < size:
                    raise _cut_short(offset + number * size + len(body), length)
                image = _reoriented(image_class.from_bytes(start + body), space)
                yield number, n_volumes, np.asarray(image.dataobj).reshape(space.shape)
            stream.read(1)  # beyond the end: this checks the sum of a compressed file
    except (EOFError, OSError, zlib.error) as error:
        raise CorruptArtifactError(
            f"The image cannot be unpacked: {error}.", hint="Was it cut short? Save it again."
        ) from error


def _cut_short(n_there: int, n_expected: int) -> CorruptArtifactError:
    return CorruptArtifactError(
        f"The image is cut short: {n_there:,} of {n_expected:,} bytes.", hint="Save it again."
    )


def _read_header(head: bytes) -> tuple[Any, Any]:
    sizes = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    image_class = nib.Nifti1Image if 348 in sizes else nib.Nifti2Image if 540 in sizes else None
    if image_class is None or len(head) < max(sizes & {348, 540}):
        raise image_error("it does not begin with a header of NIfTI-1 or NIfTI-2")
    header_class: Any = image_class.header_class
    try:
        header = header_class(head[: header_class.sizeof_hdr])
        header.get_data_dtype()
    except (HeaderDataError, ValueError, KeyError) as error:
        raise image_error(str(error)) from error
    return image_class, header


def _checked_header(header: Any, space: Space) -> tuple[int, int]:
    """Return where voxels begin and how many volumes there are, refusing what does not fit."""
    shape, dtype = tuple(int(n) for n in header.get_data_shape()), header.get_data_dtype()
    expected = space.shape
    if len(shape) < 3 or sorted(shape[:3]) != sorted(expected) or any(n != 1 for n in shape[4:]):
        raise SettingsError(
            f"The image has the shape {_shape_text(shape)}, its sidecar {_shape_text(expected)}.",
            hint="Choose the sidecar that was written with it, and save without resampling.",
        )
    if dtype.kind not in "iuf":
        raise SettingsError(
            f"The image holds values of type {dtype}; numbers were expected.",
            hint="Save it as float32 or as whole numbers.",
        )
    offset, n_volumes = int(header["vox_offset"]), shape[3] if len(shape) > 3 else 1
    if not header.sizeof_hdr + 4 <= offset <= _MAX_OFFSET:
        raise image_error(f"its voxels begin at byte {offset:,}")
    n_values = n_volumes * space.n_units
    if not 1 <= n_volumes <= MAX_VOLUMES or n_values > MAX_VALUES:
        raise image_error(
            f"it has {n_volumes:,} volumes of {space.n_units:,} units; at most "
            f"{MAX_VOLUMES:,} and {MAX_VALUES:,} values are read"
        )
    note_words = (
        bytes(header["descrip"].tobytes()).rstrip(b"\0").decode("ascii", "replace").split(" ")
    )
    if note_words[0] == MARK and len(note_words) > 1 and note_words[1] != space.atlas_id:
        raise SettingsError(
            f"The image is of atlas {note_words[1]}, the sidecar of atlas {space.atlas_id}.",
            hint="Choose the sidecar that was written with the image.",
        )
    return offset, n_volumes


def _reoriented(nifti: Any, space: Space) -> Any:
    """Return an image with its axes in our order; a tool may have flipped them."""
    if not np.isfinite(nifti.affine).all():
        raise image_error("its affine is not of finite numbers")
    canonical = nib.as_closest_canonical(nifti)
    fits = np.allclose(canonical.affine, space.affine, atol=1e-3)
    if canonical.shape[:3] != space.shape or not fits:
        origin = ", ".join(f"{value:g}" for value in canonical.affine[:3, 3])
        sizes = ", ".join(f"{value:g}" for value in np.diag(canonical.affine)[:3])
        raise SettingsError(
            f"The image lies elsewhere than its sidecar says: voxels of {sizes} mm from {origin}.",
            hint="Save it in the space of the original, without resampling or registration.",
        )
    return canonical


def image_error(reason: str) -> CorruptArtifactError:
    """Return the error of a file that is no image, with the reason."""
    return CorruptArtifactError(
        f"The file is no NIfTI image that can be read: {reason}.",
        hint="Choose a .nii or .nii.gz file.",
    )


def _shape_text(shape: Sequence[int]) -> str:
    return " × ".join(str(length) for length in shape)
