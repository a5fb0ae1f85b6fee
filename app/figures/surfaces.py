"""Surfaces in a volume as triangles, and the model's body around them."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

#: Corners of a cell as bits x = 1, y = 2, layer = 4; six tetrahedra fill it, each from corner 0
#: to corner 7 along the edges (Kuhn), so that neighbouring cells agree on their common face.
_TETRAHEDRA = np.array([[0, a, a | b, 7] for a, b, _ in permutations((1, 2, 4))], dtype=np.int64)
_POWER = 0.2  # of the superellipse: near a rectangle, and rounded like a body
_HEIGHTS = (-0.5, 0.0, 1.0)  # layers below the first sheet's swelling; mirrored at the top
_SWELL = (0.94, 1.02, 1.06)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mesh:
    """Triangles in space.

    Parameters
    ----------
    points : ndarray (n_points, 3)
        (x, y, layer), float32.
    triangles : ndarray (n_triangles, 3)
        Indices of points, seen counter-clockwise from outside.
    """

    points: NDArray[np.float32]
    triangles: NDArray[np.uint16] | NDArray[np.uint32]


def coarser(volume: NDArray[np.floating], most: int) -> tuple[NDArray[np.float32], int]:
    """Return a volume whose sheets are averaged in squares until `most` cells are left.

    Returns
    -------
    ndarray, int
        The volume, and the side of a square: 1 where nothing had to be done.
    """
    side = 1
    while volume.size / side**2 > most:
        side += 1
    rows, columns = (-(-n // side) * side for n in volume.shape[1:])
    padded = np.pad(
        volume.astype(np.float32),
        ((0, 0), (0, rows - volume.shape[1]), (0, columns - volume.shape[2])),
        mode="edge",
    )
    squares = padded.reshape(len(volume), rows // side, side, columns // side, side)
    return squares.mean(axis=(2, 4)), side


def largest_piece(volume: NDArray[np.floating], level: float) -> tuple[float, NDArray[np.float64]]:
    """Return the share of the cells above a level that hang together, and their centre.

    Returns
    -------
    float, ndarray (3,)
        Of the largest piece; its centre (layer, row, column) as shares of the volume's sides.
    """
    is_above = volume > level
    pieces, n = label(is_above)
    if not n:
        return 0.0, np.full(3, 0.5)
    sizes = np.bincount(pieces.ravel())[1:]
    cells = np.argwhere(pieces == int(sizes.argmax()) + 1)
    return float(sizes.max() / is_above.sum()), (cells.mean(axis=0) + 0.5) / volume.shape


def far_apart(places: NDArray[np.floating], n: int) -> list[int]:
    """Return `n` places far from one another: the first, then in turn the farthest from those.

    Parameters
    ----------
    places : ndarray (n_places, n_dimensions)
    """
    indices: list[int] = [0] if len(places) else []
    while len(indices) < min(n, len(places)):
        gaps = np.linalg.norm(places[:, None] - places[indices][None], axis=2).min(axis=1)
        indices.append(int(gaps.argmax()))
    return indices


def surface(volume: NDArray[np.floating], level: float) -> Mesh:
    """Return the closed surface around the cells above a level, by marching tetrahedra.

    O(cells at the surface); the browser draws triangles at once, where it would take seconds to
    find them itself.

    Parameters
    ----------
    volume : ndarray (n_layers, rows, columns)
        Finite. Outside it is below the level, so that the surface closes at its borders.
    """
    low = min(float(volume.min()), level) - 1.0
    padded = np.pad(volume.astype(np.float64), 1, constant_values=low)
    values, shape = padded.ravel(), padded.shape
    cells = np.moveaxis(np.indices([n - 1 for n in shape]), 0, -1).reshape(-1, 3)
    bits = np.arange(8)
    steps = ((bits >> 2) & 1) * shape[1] * shape[2] + ((bits >> 1) & 1) * shape[2] + (bits & 1)
    first_corners = (cells[:, 0] * shape[1] + cells[:, 1]) * shape[2] + cells[:, 2]
    is_corner_inside = (values >= level)[first_corners[:, None] + steps]
    is_crossed = is_corner_inside.any(axis=1) & ~is_corner_inside.all(axis=1)
    corners = (first_corners[is_crossed, None] + steps)[:, _TETRAHEDRA].reshape(-1, 4)
    edges = _triangles(corners, values >= level)
    pairs, index = np.unique(np.sort(edges, axis=-1).reshape(-1, 2), axis=0, return_inverse=True)
    grid = np.stack(np.unravel_index(np.arange(len(values)), shape), axis=1)[:, ::-1]
    places = grid.astype(np.float64) - 1.0
    a, b = values[pairs[:, 0]], values[pairs[:, 1]]
    share = np.clip((level - a) / np.where(a == b, 1.0, b - a), 0.0, 1.0)
    # Half-way out into the padding, whatever its value: sheets end there.
    outside = (a == low) | (b == low)
    share = np.where(outside, 0.5, share)[:, None]
    points = places[pairs[:, 0]] * (1 - share) + places[pairs[:, 1]] * share
    triangles = index.reshape(-1, 3)
    points = _smoothed_points(points, triangles)
    is_inside = values >= level
    outward = _centres(places, edges, ~is_inside) - _centres(places, edges, is_inside)
    p = points[triangles]
    normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    flipped = np.einsum("td,td->t", normal, outward) < 0
    triangles = np.where(flipped[:, None], triangles[:, ::-1], triangles)
    # Two bytes an index where they suffice: all of it goes to the browser.
    compact_triangles = (
        triangles.astype(np.uint16) if len(points) < 2**16 else triangles.astype(np.uint32)
    )
    return Mesh(points=points.astype(np.float32), triangles=compact_triangles)


def _smoothed_points(
    points: NDArray[np.float64], triangles: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return points drawn to their neighbours and back (Taubin 1995): steps go, size stays."""
    ends = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    a, b = np.concatenate([ends, ends[:, ::-1]]).T
    degree = np.maximum(np.bincount(a, minlength=len(points)), 1)[:, None]
    for weight in (0.5, -0.53) * 8:
        sums = np.stack(
            [np.bincount(a, weights=points[b, axis], minlength=len(points)) for axis in range(3)],
            axis=1,
        )
        points = points + weight * (sums / degree - points)
    return points


def _triangles(corners: NDArray[np.int64], is_inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return triangles as three crossed edges each, (n, 3, 2), from tetrahedra (n, 4)."""
    order = np.argsort(~is_inside[corners], axis=1, kind="stable")
    sorted_corners = np.take_along_axis(corners, order, axis=1)
    n_inside = is_inside[corners].sum(axis=1)
    cases = {  # corners by number, those inside first
        1: (((0, 1), (0, 2), (0, 3)),),
        2: (((0, 2), (0, 3), (1, 3)), ((0, 2), (1, 3), (1, 2))),
        3: (((0, 3), (1, 3), (2, 3)),),
    }
    return np.concatenate(
        [
            sorted_corners[n_inside == n][:, np.array(edges)]
            for n, triangles in cases.items()
            for edges in triangles
        ]
    )


def _centres(
    places: NDArray[np.float64], edges: NDArray[np.int64], is_chosen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the mean place of the chosen ends of each triangle's edges: (n, 3)."""
    ends = edges.reshape(len(edges), 6)
    weights = is_chosen[ends].astype(np.float64)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    return np.asarray(np.einsum("te,ted->td", weights, places[ends]), dtype=np.float64)


def outline(n_layers: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return heights of the body's rings, in layers, and their widths as shares of a sheet."""
    bottom = np.array([h for h in _HEIGHTS if h <= (n_layers - 1) / 2])
    middle_heights = np.linspace(_HEIGHTS[-1], n_layers - 1 - _HEIGHTS[-1], 5)[1:-1]
    heights = np.concatenate(
        [bottom, middle_heights if n_layers > 4 else [], (n_layers - 1 - bottom)[::-1]]
    )
    widths = np.interp(np.minimum(heights, n_layers - 1 - heights), _HEIGHTS, _SWELL)
    return heights, widths


def ring(n_rows: int, n_columns: int, size: float = 1.0) -> NDArray[np.float64]:
    """Return a rounded rectangle around a sheet, (65, 2) as (x, y), closed."""
    angle = np.linspace(0, 2 * np.pi, 65)
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** _POWER
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** _POWER
    return np.stack(
        [
            (n_columns - 1) / 2 + x * size * n_columns / 2,
            (n_rows - 1) / 2 + y * size * n_rows / 2,
        ],
        axis=1,
    )


def silhouette(n_across: int, n_layers: int) -> NDArray[np.float64]:
    """Return the body's outline seen from the front or the side: (n, 2) as (across, layer)."""
    heights, widths = outline(n_layers)
    centre, half = (n_across - 1) / 2, widths * n_across / 2
    right = np.stack([centre + half, heights], axis=1)
    left = np.stack([centre - half, heights], axis=1)[::-1]
    return np.concatenate([right, left, right[:1]])


def body(n_layers: int, n_rows: int, n_columns: int) -> Mesh:
    """Return the outline of all sheets: a rounded box around every unit, open at both ends."""
    heights, widths = outline(n_layers)
    rings = [ring(n_rows, n_columns, size)[:-1] for size in widths]
    n = len(rings[0])
    points = np.concatenate(
        [
            np.column_stack([ring_points, np.full(n, height)])
            for ring_points, height in zip(rings, heights, strict=True)
        ]
    )
    a = (np.arange(len(rings) - 1)[:, None] * n + np.arange(n)).ravel()
    b = (np.arange(len(rings) - 1)[:, None] * n + (np.arange(n) + 1) % n).ravel()
    triangles = np.concatenate(
        [np.stack([a, b, a + n], axis=1), np.stack([b, b + n, a + n], axis=1)]
    )
    return Mesh(points=points.astype(np.float32), triangles=triangles.astype(np.uint16))
