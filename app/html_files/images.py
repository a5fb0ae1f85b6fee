"""Pictures of exported files: maps and parcellation in the body, or else over layers × units."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.figures import raster
from app.figures.body import cuts, grey, overlays
from app.figures.distinct import network_colours, network_palette
from app.figures.pixels import as_png, data_uri
from app.figures.theme import PALETTES, READING_ROOM, Mode, Palette, rgb
from fnprune_core.atlas.cortex import Cortex
from fnprune_core.atlas.images.anatomy import typical_activity
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas
from fnprune_core.atlas.thresholds import colour_limit

_GROUPED_COLUMNS = 384
_CUTS_HEIGHT = 230
_N_LAYERS, _LAYER_ROWS, _LAYERS_HEIGHT = 15, 3, 520


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """A picture, a colour or another text for the two modes."""

    dark: str
    light: str

    @property
    def is_one(self) -> bool:
        """Whether it is the same in both modes."""
        return self.dark == self.light


Palettes = Mapping[Mode, Palette]


def both(make: Callable[[Palette], str], palettes: Palettes = PALETTES) -> Both:
    """Return the result of `make` for the colours of each mode."""
    return Both(dark=make(palettes["dark"]), light=make(palettes["light"]))


class Maps:
    """Draws the networks of an atlas in its body, or, without a cortex, over layers × units.

    Parameters
    ----------
    z : float or None
        |z| below which nothing is drawn, and the rule of the parcellation; None for members
        there, and maps from 3.
    film : Palette
        What the body lies on: dark film in both modes, or paper.
    """

    def __init__(
        self,
        atlas: NetworkAtlas,
        cortex: Cortex | None,
        *,
        z: float | None,
        film: Palette = READING_ROOM,
    ) -> None:
        self._atlas, self._cortex, self._z, self.film = atlas, cortex, z, film
        self.threshold = DEFAULT_THRESHOLD if z is None else z
        #: Which units are a network's own, in words.
        self.rule = atlas.rule(z)
        self._drawn: tuple[int, overlays.MapOverlay] | None = None
        self.limit = colour_limit(atlas.maps, self.threshold)
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

    @cached_property
    def activity(self) -> NDArray[np.float32]:
        """How active each unit is: the grey."""
        return typical_activity(self._atlas.maps, self._atlas.layout)

    @cached_property
    def body(self) -> grey.Body:
        """The grey body of the atlas."""
        if self._cortex is None:
            raise ValueError("there is no cortex")
        return grey.body_of(self.activity, grid_of(self._atlas.layout, self._cortex))

    def colour(self, network: int) -> Both:
        """Return the colour that a network has in the parcellation."""
        if self.is_on_cortex:
            colour = self.palettes[self.film.mode].networks[network]
            return Both(dark=colour, light=colour)
        return both(lambda palette: palette.networks[network], self.palettes)

    def _overlay(self, network: int) -> overlays.MapOverlay:
        if self._drawn is None or self._drawn[0] != network:  # all of one network, then the next
            overlay = overlays.map_overlay(
                self.body,
                self._atlas.maps[network],
                threshold=self.threshold,
                limit=self.limit,
                palette=self.film,
            )
            self._drawn = network, overlay
        return self._drawn[1]

    def small(self, network: int) -> Both:
        """Return a network small: the layer of its peak."""
        if not self.is_on_cortex:
            return self._grouped_png(network, 64)
        return _same(cuts.thumbnail(self.body, self._overlay(network), self.film))

    def whole(self, network: int) -> Both:
        """Return a network's map: three cuts through its peak, else units grouped by network."""
        if not self.is_on_cortex:
            return self._grouped_png(network, _GROUPED_COLUMNS)
        overlay = self._overlay(network)
        return _same(cuts.cuts(self.body, overlay, self.film, height=_CUTS_HEIGHT))

    def peak(self, network: int) -> tuple[int, int, int]:
        """Return the voxel of maps through which a network is cut."""
        at = zip(self._overlay(network).peak, self.body.low, strict=True)
        x, y, layer = (place - low for place, low in at)
        return x, y, layer

    def _grouped_png(self, network: int, n_columns: int) -> Both:
        grouped = raster.group_columns(self._atlas.layer_map(network), self._grouping)
        values = raster.pool_columns(grouped, n_columns)
        return both(
            lambda palette: raster.thumbnail(
                values,
                palette=palette,
                threshold=self.threshold,
                limit=self.limit,
                n_columns=values.shape[1],
                scale=2,
            )
        )

    def parcellation(self) -> Both:
        """Return each unit's network in the layers, else layers × units grouped by network."""
        if self.is_on_cortex:
            networks = self.palettes[self.film.mode].networks
            parcels = overlays.parcel_overlay(
                self.body,
                self._atlas.parcel_maps(z=self._z),
                threshold=self.threshold,
                networks=networks,
            )
            picture = cuts.layers(
                self.body, parcels, self.film, n=_N_LAYERS, n_rows=_LAYER_ROWS,
                height=_LAYERS_HEIGHT,
            )  # fmt: skip
            return _same(picture)
        labels = self._atlas.parcellation(z=self._z)
        rows = raster.by_layer(labels, self._atlas.layout.widths, fill=-2)
        values = np.where(rows == -2, np.nan, rows).astype(np.float32)
        order_keys = np.where(rows == -1, self._atlas.n_networks, rows)
        canvas = raster.group_columns(values, order_keys)
        n_networks = self._atlas.n_networks
        return both(lambda palette: _labels_png(canvas, n_networks, palette), self.palettes)


def _same(picture: bytes) -> Both:
    uri = data_uri(picture, "image/webp")
    return Both(dark=uri, light=uri)


def _labels_png(canvas: NDArray[np.float32], n_networks: int, palette: Palette) -> str:
    """Return labels (−1: none; NaN: nothing there) as a PNG in a data URI, last row on top."""
    colours = [palette.canvas, palette.silhouette, *network_colours(palette, n_networks)]
    table = np.array([rgb(colour) for colour in colours], dtype=np.uint8)
    codes = np.where(np.isnan(canvas), 0, canvas + 2).astype(np.int64)[::-1]
    return as_png(codes.repeat(2, axis=0).repeat(2, axis=1), table, optimize=True)


def matrix_png(values: NDArray[np.floating], *, limit: float, palette: Palette) -> str:
    """Return a matrix of values with a sign as a PNG of a pixel a cell, in a data URI."""
    colours = [*reversed(palette.cold), palette.silhouette, *palette.hot]
    stops = np.linspace(0, 254, len(colours))
    parts = np.array([rgb(colour) for colour in colours], dtype=np.float64)
    channels = [np.interp(np.arange(255), stops, channel) for channel in parts.T]
    table = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    steps = (np.clip(values / limit, -1, 1) + 1) / 2 * (len(table) - 1)
    return as_png(np.rint(steps).astype(np.int64), table, optimize=True)
