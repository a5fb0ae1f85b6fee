"""Arrays reduced to the size of the screen: pooled maps and thumbnails."""

import numpy as np
from numpy.typing import NDArray

from app.figures.pixels import as_png
from app.figures.theme import Palette, diverging_scale, rgb

Floats = NDArray[np.float32]


def pool_columns(values: NDArray[np.floating], n_columns: int) -> Floats:
    """Return at most `n_columns` columns, each the value of largest magnitude in its bin.

    Parameters
    ----------
    values : ndarray (rows, columns)
        NaN where a row has no value; a bin without any value stays NaN.
    """
    rows, columns = values.shape
    step = -(-columns // max(n_columns, 1))
    if step <= 1:
        return values.astype(np.float32)
    padded = np.full((rows, -(-columns // step) * step), np.nan, dtype=np.float32)
    padded[:, :columns] = values
    bins = padded.reshape(rows, -1, step)
    strongest = np.abs(np.nan_to_num(bins)).argmax(axis=2)
    pooled = np.take_along_axis(bins, strongest[..., None], axis=2)[..., 0]
    # argmax of a bin that holds both 0 and NaN may land on the NaN
    return np.where(np.isnan(pooled) & ~np.isnan(bins).all(axis=2), np.float32(0), pooled)


def bin_starts(n_columns_before: int, n_columns: int) -> NDArray[np.int32]:
    """Return the first original column of each bin that `pool_columns` makes."""
    step = max(1, -(-n_columns_before // max(n_columns, 1)))
    return np.arange(0, n_columns_before, step, dtype=np.int32)


def group_columns(values: NDArray[np.floating], labels: NDArray[np.integer]) -> Floats:
    """Return `values` with each row's units sorted by label; unlabelled (-1) come last.

    Parameters
    ----------
    values : ndarray (rows, columns)
        NaN beyond the end of a row.
    labels : ndarray (rows, columns)
        The network of each unit, -1 where it has none.
    """
    end_key = np.iinfo(np.int32).max
    keys = np.where(labels < 0, end_key - 1, labels)
    order = np.argsort(np.where(np.isnan(values), end_key, keys), axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1).astype(np.float32)


def thumbnail(
    values: NDArray[np.floating],
    *,
    palette: Palette,
    threshold: float,
    limit: float,
    n_columns: int = 64,
    scale: int = 2,
) -> str:
    """Return a map as a small PNG in a data URI, the last layer on top.

    Parameters
    ----------
    values : ndarray (n_layers, width)
        z values, NaN beyond the end of a layer.
    scale : int
        Pixels per cell.
    """
    pooled = pool_columns(values, n_columns)[::-1]
    values_above = np.where(np.abs(pooled) > threshold, np.clip(pooled, -limit, limit), 0.0)
    codes = np.round((np.nan_to_num(values_above) / limit + 1) / 2 * 254).astype(np.uint8)
    codes[np.isnan(pooled)] = 255
    codes = codes.repeat(scale, axis=0).repeat(scale, axis=1)
    canvas = np.array([rgb(palette.canvas)], dtype=np.uint8)
    colours = np.vstack([scale_colours(palette, threshold, limit), canvas])
    return as_png(codes, colours, optimize=True)


def scale_colours(palette: Palette, threshold: float, limit: float) -> NDArray[np.uint8]:
    """Return the diverging scale from −`limit` to `limit` in 255 steps: (255, 3)."""
    scale = diverging_scale(palette, threshold=threshold, limit=limit)
    # a hair apart, for a step in the scale must stay a step in the interpolation
    stops = np.array([float(stop) for stop, _ in scale]) + np.arange(len(scale)) * 1e-9
    colours = np.array([rgb(colour) for _, colour in scale], dtype=float)
    positions = np.linspace(0, 1, 255)
    table = np.stack([np.interp(positions, stops, colours[:, c]) for c in range(3)], axis=1)
    return np.round(table).astype(np.uint8)


def to_int8(values: NDArray[np.floating], limit: float) -> NDArray[np.int8]:
    """Return `values` clipped to ±`limit` in 127 steps each way: a quarter of the payload."""
    scaled: Floats = np.nan_to_num(values).astype(np.float32) / np.float32(limit) * 127
    return scaled.round().clip(-127, 127).astype(np.int8)


def small_ints(values: NDArray[np.number]) -> NDArray[np.integer]:
    """Return whole numbers from −32,768 up in two bytes each where they fit, else in four."""
    fits_two_bytes = values.max(initial=0) <= np.iinfo(np.int16).max
    return values.astype(np.int16 if fits_two_bytes else np.int32)


def by_layer(
    values: NDArray[np.integer], widths: tuple[int, ...], *, fill: int
) -> NDArray[np.int64]:
    """Return flat values as (n_layers, widest layer), `fill` beyond a layer's end."""
    is_unit = np.arange(max(widths)) < np.asarray(widths)[:, None]
    rows = np.full(is_unit.shape, fill, dtype=np.int64)
    rows[is_unit] = values
    return rows
