"""The body as the live scanner draws it: a grey volume, and of each network where it lights up.

Sent to a browser once; a frame then is a sum over few voxels. Smoothed, and in large models pooled,
for the eye alone.
"""

import gzip
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from fnprune_core.atlas.images import anatomy
from fnprune_core.atlas.images.voxels import VoxelGrid
from fnprune_core.errors import SettingsError

#: Voxels of the body's box: more of them are pooled within each sheet.
MOST_VOXELS = 300_000
FWHM_MM = 4.0
#: Smoothed |z| from which a voxel belongs to a network, and of the strongest weight.
LEAST_Z, MOST_Z = 2.0, 12.0
_LEVELS = 127
_SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveBody:
    """The grey body, and the voxels of each network in it.

    Parameters
    ----------
    grey : ndarray of uint8 (columns, rows, layers)
        The anatomy with an empty margin; 0 outside the body.
    affine : ndarray (4, 4)
        From voxel to millimetres.
    starts : ndarray (K + 1,)
        Network k has the entries from ``starts[k]`` to ``starts[k + 1]`` of the next two.
    voxels : ndarray of uint32
        Column + columns · (row + rows · layer), rising within a network.
    weights : ndarray of int8
        Smoothed z there, in steps of `MOST_Z` / 127.
    unit_of_voxel : ndarray (columns, rows, layers)
        Flat unit that is most in the middle of each voxel, −1 where there is none.
    """

    grey: NDArray[np.uint8]
    affine: NDArray[np.float64]
    starts: NDArray[np.int64]
    voxels: NDArray[np.uint32]
    weights: NDArray[np.int8]
    unit_of_voxel: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows and layers, with the margin."""
        columns, rows, layers = self.grey.shape
        return columns, rows, layers

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.starts) - 1

    def z_of(self, network: int) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Return a network's voxels and the smoothed z in each."""
        part = slice(self.starts[network], self.starts[network + 1])
        return self.voxels[part], self.weights[part].astype(np.float32) * (MOST_Z / _LEVELS)

    def voxels_of(self, is_member: NDArray[np.bool_]) -> NDArray[np.uint32]:
        """Return the voxels of some units, rising.

        Parameters
        ----------
        is_member : ndarray (n_units,)
        """
        units = self.unit_of_voxel.ravel(order="F")
        return np.flatnonzero((units >= 0) & is_member[units]).astype(np.uint32)

    def as_bytes(self) -> bytes:
        """Return the body for a browser, compressed with gzip.

        The length of a JSON header (uint32), the header, the grey volume, and the networks'
        voxels as steps from the one before (uint32), then their weights: all little-endian.
        """
        steps = np.diff(self.voxels.astype(np.int64), prepend=0)
        firsts = self.starts[:-1][np.diff(self.starts) > 0]
        steps[firsts] = self.voxels[firsts]  # each network counts from the first voxel on
        facts = {
            "shape": list(self.shape),
            "affine": self.affine.tolist(),
            "starts": self.starts.tolist(),
            "z_of_weight": MOST_Z / _LEVELS,
        }
        header = json.dumps(facts, separators=(",", ":")).encode()
        header += b" " * (-len(header) % 4)
        content = b"".join(
            (
                np.uint32(len(header)).astype("<u4").tobytes(),
                header,
                steps.astype("<u4").tobytes(),
                self.weights.tobytes(),
                self.grey.tobytes(order="F"),
            )
        )
        return gzip.compress(content, compresslevel=6, mtime=0)


def live_body(
    maps: NDArray[np.floating], activity: NDArray[np.floating], grid: VoxelGrid
) -> LiveBody:
    """Return the body of an atlas for the live scanner.

    Parameters
    ----------
    maps : ndarray (K, n_units)
        z maps.
    activity : ndarray (n_units,)
        What the anatomy shows, as `anatomy.typical_activity` gives it.
    """
    if maps.ndim != 2 or maps.shape[1] != grid.layout.n_units:
        raise SettingsError(
            f"The maps have the shape {maps.shape}, (networks, {grid.layout.n_units}) was expected."
        )
    image = anatomy.anatomy_image(activity, grid)
    grey = np.asarray(image.dataobj, dtype=np.uint8)
    margins = [(n - m) // 2 for n, m in zip(grey.shape, grid.shape, strict=True)]
    padding = [(margin, margin) for margin in margins]
    step = pooling_step(grey.shape)
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array([(step - 1) / 2, (step - 1) / 2, 0])
    affine[:, :2] *= step
    units = _pooled_units(np.pad(grid.unit_of_voxel, padding, constant_values=-1), step)
    sigma = FWHM_MM * _SIGMA_PER_FWHM / np.abs(np.diag(affine)[:3])
    starts, voxels, weights = [0], [], []
    for row in maps:
        volume = np.pad(grid.volume(np.asarray(row, dtype=np.float32)), padding)
        network_voxels, network_weights = _lit(_strongest(volume, step), sigma, units >= 0)
        voxels.append(network_voxels)
        weights.append(network_weights)
        starts.append(starts[-1] + len(network_voxels))
    return LiveBody(
        grey=_mean_grey(grey, step),
        affine=affine,
        starts=np.asarray(starts, dtype=np.int64),
        voxels=np.concatenate(voxels),
        weights=np.concatenate(weights),
        unit_of_voxel=units,
    )


def pooling_step(shape: tuple[int, ...]) -> int:
    """Return how many voxels of a sheet, along each side, become one."""
    return max(int(np.ceil(np.sqrt(np.prod(shape, dtype=np.float64) / MOST_VOXELS))), 1)


def _lit(
    volume: NDArray[np.float32], sigma: NDArray[np.float64], is_body: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], NDArray[np.int8]]:
    """Return the voxels that light up with a network, and their weights.

    The smoothed map has the spread of the raw one, so that a threshold leaves about as much of it.
    """
    smooth = gaussian_filter(volume, sigma)
    spread = np.sqrt(np.square(smooth[is_body], dtype=np.float64).mean())
    raw = np.sqrt(np.square(volume[is_body], dtype=np.float64).mean())
    smooth = np.where(is_body, smooth * (raw / spread if spread > 0 else 1.0), 0.0)
    flat = smooth.ravel(order="F")
    voxels = np.flatnonzero(np.abs(flat) >= LEAST_Z)
    levels = np.rint(np.clip(flat[voxels] / MOST_Z, -1, 1) * _LEVELS)
    return voxels.astype(np.uint32), levels.astype(np.int8)


def _blocks(volume: NDArray[np.generic], step: int, fill: int) -> NDArray[np.generic]:
    """Return the voxels of each block of a sheet: (columns, rows, layers, step²)."""
    columns, rows, layers = volume.shape
    padding = [(0, -columns % step), (0, -rows % step), (0, 0)]
    padded = np.pad(volume, padding, constant_values=fill)
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step, layers)
    return blocks.transpose(0, 2, 4, 1, 3).reshape(*blocks.shape[::2], step * step)


def _strongest(volume: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    blocks = _blocks(volume, step, 0)
    place = np.abs(blocks).argmax(axis=3)[..., None]
    return np.asarray(np.take_along_axis(blocks, place, axis=3)[..., 0], dtype=np.float32)


def _mean_grey(grey: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    blocks = np.asarray(_blocks(grey, step, 0), dtype=np.float32)
    n_inside = (blocks > 0).sum(axis=3)
    means = blocks.sum(axis=3) / np.maximum(n_inside, 1)
    return np.asarray(np.rint(means), dtype=np.uint8)


def _pooled_units(units: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    return np.asarray(_blocks(units, step, -1).max(axis=3), dtype=np.int64)
