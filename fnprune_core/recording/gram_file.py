"""Gram matrices of layers in one file: all together they may not fit in memory.

They are symmetric, so that upper triangles alone are stored, by blocks of rows: each block holds
its rows from the column of the first of them on. By blocks they are added to as well, so that a
product of matrices takes half the operations, and no whole matrix is in memory.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.machine.threads import SHORT
from fnprune_core.recording.moments import open_array
from fnprune_core.recording.pages import release_pages
from fnprune_core.storage.checksums import Blocks

_FLOAT = 4
ROWS = 512  # of a block; more are no quicker, and more of the lower triangle is stored


def blocks_of_rows(width: int) -> Iterator[slice]:
    """Yield the rows of each block of a matrix (width, width)."""
    for start in range(0, width, ROWS):
        yield slice(start, min(start + ROWS, width))


def n_stored(widths: Sequence[int]) -> int:
    """Return how many values are stored of matrices of these widths."""
    return sum(
        (rows.stop - rows.start) * (width - rows.start)
        for width in widths
        for rows in blocks_of_rows(width)
    )


class GramSums:
    """The file while it is written: Σ x xᵀ of each layer, from nothing.

    By ordinary reading and writing, so that a full disk is an error. Memory: a block of rows of
    the widest layer.

    Parameters
    ----------
    path : Path
        What is there is written anew.
    """

    def __init__(self, path: Path, widths: Sequence[int]) -> None:
        self._path, self._widths = path, widths
        self._is_begun = [False] * len(widths)
        self._room = torch.empty(ROWS * max(widths), dtype=torch.float32)
        path.write_bytes(b"")

    def add(self, layer: int, x: Tensor) -> None:
        """Add xᵀ x of some tokens, (tokens, units), to a layer's: one reading and one writing.

        The layers come in their order the first time.
        """
        width = self._widths[layer]
        place = _FLOAT * n_stored(self._widths[:layer])
        with self._path.open("r+b") as file:
            for rows in blocks_of_rows(width):
                shape = rows.stop - rows.start, width - rows.start
                stored = self._room[: shape[0] * shape[1]].view(shape)
                if self._is_begun[layer]:
                    file.seek(place)
                    file.readinto(stored.numpy().data)
                else:
                    stored.zero_()
                sums = stored.to(x.device)
                for part in torch.split(x, SHORT):  # sums that no number of threads splits
                    torch.addmm(sums, part[:, rows].T, part[:, rows.start :], out=sums)
                file.seek(place)
                place += file.write(sums.cpu().numpy().data)
        self._is_begun[layer] = True


class GramFile:
    """The file as it is read.

    Parameters
    ----------
    path : Path
    manifest : dict
        Of the recording that it belongs to.
    widths : sequence of int
    """

    def __init__(self, path: Path, manifest: dict[str, Any], widths: Sequence[int]) -> None:
        self._widths = widths
        self._blocks = Blocks(path, manifest)
        self._values = open_array(path, np.float32, (n_stored(widths),))

    def blocks(self, layer: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield the rows of each block of a layer's matrix, and its values: (rows, columns).

        Columns begin with the first of the rows. Memory: the block that is looked at.
        """
        width = self._widths[layer]
        start = n_stored(self._widths[:layer])
        self._blocks.check(_FLOAT * start, _FLOAT * (start + n_stored([width])))
        for rows in blocks_of_rows(width):
            shape = rows.stop - rows.start, width - rows.start
            here = slice(start, start + shape[0] * shape[1])
            yield rows, self._values[here].reshape(shape)
            release_pages(self._values, here)
            start = here.stop
