"""What lies over the grey: a map in cold and hot, or a parcellation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.figures.body.grey import Body
from app.figures.raster import scale_colours
from app.figures.theme import Palette, rgb
from fnprune_core.atlas.images import smoothing

_OPACITY_OF_PARCELS = 0.72
Pixels = NDArray[np.float32]


class Overlay(Protocol):
    """What lies over the grey: it tells its colours and opacity in a cut, and where it peaks."""

    def colours(
        self, body: Body, axis: int, at: int, size: tuple[int, int]
    ) -> tuple[Pixels, Pixels]:
        """Return colours (height, width, 3), 0 to 255, and opacity (height, width)."""

    @property
    def peak(self) -> tuple[int, int, int]:
        """The voxel of the body through which it is cut."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapOverlay:
    """A smoothed map beyond a threshold, cold and hot; its peak is that of the map as it is."""

    volume: NDArray[np.float32]
    threshold: float
    limit: float
    palette: Palette
    peak: tuple[int, int, int]

    def colours(
        self, body: Body, axis: int, at: int, size: tuple[int, int]
    ) -> tuple[Pixels, Pixels]:
        """Return colours of the values, opaque from the threshold on."""
        values = resized(body.cut(self.volume, axis, at), size, Image.Resampling.BILINEAR)
        table = scale_colours(self.palette, self.threshold, self.limit).astype(np.float32)
        steps = (np.clip(values / self.limit, -1, 1) + 1) / 2 * (len(table) - 1)
        return table[np.rint(steps).astype(np.int64)], (np.abs(values) > self.threshold) * 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParcelOverlay:
    """A parcellation: network k has the label k + 1, 0 is none."""

    volume: NDArray[np.int64]
    networks: Sequence[str]

    @property
    def peak(self) -> tuple[int, int, int]:
        """The middle of the body."""
        columns, rows, layers = (n // 2 for n in self.volume.shape)
        return columns, rows, layers

    def colours(
        self, body: Body, axis: int, at: int, size: tuple[int, int]
    ) -> tuple[Pixels, Pixels]:
        """Return the colours of the labels, through which the grey is seen."""
        labels = body.cut(self.volume, axis, at)
        shown = resized(labels, size, Image.Resampling.NEAREST).astype(np.int64)
        table = np.array([(0, 0, 0), *(rgb(colour) for colour in self.networks)], dtype=np.float32)
        return table[shown], np.float32(_OPACITY_OF_PARCELS) * (shown > 0)


def map_overlay(
    body: Body,
    values: NDArray[np.floating],
    *,
    threshold: float,
    limit: float,
    palette: Palette,
    fwhm: float = smoothing.USUAL_FWHM,
) -> MapOverlay:
    """Return a map (n_units,) to be laid over the body."""
    volume = smoothing.smoothed(values, body.grid, fwhm=fwhm)
    x, y, z = (body.grid.voxel_of_unit[int(np.abs(values).argmax())] + np.array(body.low)).tolist()
    return MapOverlay(
        peak=(x, y, z),
        volume=body.placed(volume).astype(np.float32),
        threshold=threshold,
        limit=limit,
        palette=palette,
    )


def parcel_overlay(
    body: Body, maps: Iterable[NDArray[np.floating]], *, threshold: float, networks: Sequence[str]
) -> ParcelOverlay:
    """Return each voxel's strongest network of smoothed maps (K, n_units), beyond a threshold.

    Parameters
    ----------
    networks : sequence of str
        The colour of each.
    """
    labels, strengths = smoothing.strongest_networks(maps, body.grid, fwhm=smoothing.USUAL_FWHM)
    shown = np.where(strengths > threshold, labels, 0)
    return ParcelOverlay(volume=body.placed(shown).astype(np.int64), networks=networks)


def resized(
    cut: NDArray[np.floating], size: tuple[int, int], how: Image.Resampling
) -> NDArray[np.float32]:
    """Return a cut at another size in pixels."""
    picture = Image.fromarray(np.ascontiguousarray(cut, dtype=np.float32))
    return np.asarray(picture.resize(size, how), dtype=np.float32)
