"""Pictures of the atlas file: maps on the cortex and the parcellation as PNG, in both modes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.figures import raster
from app.figures.cortex import mosaic
from app.figures.theme import PALETTES, Mode, Palette, network_colours, network_palette, rgb
from fnprune_core.atlas.cortex import Cortex, strongest
from fnprune_core.atlas.network_atlas import NetworkAtlas

N_ACROSS = 6
#: Cells of all networks' maps together: finer ones are pooled, so that the file stays small.
MOST_CELLS = 6_000_000
_GROUPED_COLUMNS = 384


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """A picture, a colour or another text for the two modes."""

    dark: str
    light: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLabel:
    """Number of a layer and its place in the mosaic, as SVG has it."""

    layer: int
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLabels:
    """Places of the layers' numbers over a mosaic."""

    box: str
    size: float
    items: Sequence[LayerLabel]


Palettes = Mapping[Mode, Palette]


def both(make: Callable[[Palette], str], palettes: Palettes = PALETTES) -> Both:
    """Return the result of `make` for the colours of each mode."""
    return Both(dark=make(palettes["dark"]), light=make(palettes["light"]))


def pooled(volume: NDArray[np.floating], most: int) -> NDArray[np.float32]:
    """Return a volume with sheets pooled to at most about `most` cells, the strongest of each.

    Parameters
    ----------
    volume : ndarray (n_layers, rows, columns)
        NaN where there is no unit.
    """
    step = int(np.ceil(np.sqrt(volume.size / max(most, 1))))
    if step <= 1:
        return volume.astype(np.float32)
    n_layers, n_rows, n_columns = volume.shape
    rows, columns = -(-n_rows // step), -(-n_columns // step)
    padded = np.full((n_layers, rows * step, columns * step), np.nan, dtype=np.float32)
    padded[:, :n_rows, :n_columns] = volume
    blocks = padded.reshape(n_layers, rows, step, columns, step).swapaxes(2, 3)
    blocks = blocks.reshape(n_layers, rows, columns, step * step)
    values = strongest(blocks, axis=3)
    return np.where(np.isnan(blocks).all(axis=3), np.float32(np.nan), values)


class Maps:
    """Draws the networks of an atlas on its cortex, or, without one, over layers × units.

    Parameters
    ----------
    threshold : float
        |z| below which nothing is drawn.
    """

    def __init__(self, atlas: NetworkAtlas, cortex: Cortex | None, *, threshold: float) -> None:
        self._atlas, self._cortex, self._threshold = atlas, cortex, threshold
        self.limit = raster.colour_limit(atlas.maps, threshold)
        self._most = MOST_CELLS // atlas.n_networks
        places = None if cortex is None else cortex.places
        #: With the colours of the atlas's networks.
        self.palettes: Palettes = {
            mode: network_palette(mode, atlas.n_networks, places) for mode in PALETTES
        }
        self._grouping = raster.by_layer(atlas.parcellation(z=0.0), atlas.layout.widths, fill=-2)

    @property
    def is_on_cortex(self) -> bool:
        """Whether the atlas has a cortex."""
        return self._cortex is not None

    def labels(self) -> LayerLabels | None:
        """Return the places of the layers' numbers; None without a cortex."""
        if self._cortex is None:
            return None
        canvas, corners = mosaic(self._volume(0), N_ACROSS)
        height, width = canvas.shape
        size = max(self._volume(0).shape[1] / 6.5, 2.0)
        top = self._volume(0).shape[1]
        items = [
            LayerLabel(layer=layer, x=x + size / 5, y=round(height - y - top + size, 2))
            for layer, (x, y) in enumerate(corners)
        ]
        return LayerLabels(box=f"0 0 {width} {height}", size=round(size, 2), items=items)

    def _volume(self, network: int) -> NDArray[np.float32]:
        if self._cortex is None:
            raise ValueError("there is no cortex")
        return pooled(self._cortex.volume(self._atlas.maps[network]), self._most)

    def _png(self, values: NDArray[np.float32], *, scale: int = 1) -> Both:
        def draw_png(palette: Palette) -> str:
            return raster.thumbnail(
                values,
                palette=palette,
                threshold=self._threshold,
                limit=self.limit,
                n_columns=values.shape[1],
                scale=scale,
            )

        return both(draw_png)

    def whole(self, network: int) -> Both:
        """Return a network's map: slices of the cortex, else units grouped by network."""
        if self._cortex is not None:
            return self._png(mosaic(self._volume(network), N_ACROSS)[0])
        return self._png(self._grouped(network, _GROUPED_COLUMNS), scale=2)

    def _grouped(self, network: int, n_columns: int) -> NDArray[np.float32]:
        grouped = raster.group_columns(self._atlas.layer_map(network), self._grouping)
        return raster.pool_columns(grouped, n_columns)

    def small(self, network: int) -> Both:
        """Return a network from the front, small."""
        if self._cortex is not None:
            values = strongest(self._cortex.volume(self._atlas.maps[network]), axis=1)
            return self._png(raster.pool_columns(values, 64), scale=2)
        return self._png(self._grouped(network, 64), scale=2)

    def parcellation(self) -> Both:
        """Return each unit's network on the cortex, else layers × units grouped by network."""
        labels = self._atlas.parcellation(z=self._threshold)
        if self._cortex is not None:
            volume = self._cortex.volume(labels.astype(np.float32), fill=np.nan)
            canvas, _ = mosaic(volume, N_ACROSS)
            scale = 2 if canvas.size < 200_000 else 1
        else:
            rows = raster.by_layer(labels, self._atlas.layout.widths, fill=-2)
            values = np.where(rows == -2, np.nan, rows).astype(np.float32)
            order_keys = np.where(rows == -1, self._atlas.n_networks, rows)
            canvas, scale = raster.group_columns(values, order_keys), 2
        return both(
            lambda palette: _labels_png(canvas, self._atlas.n_networks, palette, scale),
            self.palettes,
        )


def _labels_png(canvas: NDArray[np.float32], n_networks: int, palette: Palette, scale: int) -> str:
    """Return labels (−1: none; NaN: nothing there) as a PNG in a data URI, last row on top."""
    colours = [palette.canvas, palette.silhouette, *network_colours(palette, n_networks)]
    table = np.array([rgb(colour) for colour in colours], dtype=np.uint8)
    codes = np.where(np.isnan(canvas), 0, canvas + 2).astype(np.int64)[::-1]
    codes = codes.repeat(scale, axis=0).repeat(scale, axis=1)
    return raster.as_png(codes, table, optimize=True)
