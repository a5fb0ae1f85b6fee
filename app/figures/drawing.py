"""matplotlib, held by one thread at a time and in the page's colours. Pure."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap

from app.figures.theme import Palette

# Settings and font caches of matplotlib are the process's own, and no two threads may use them at
# once; whoever draws with it, for itself or by another library, does so under this lock.
_LOCK = threading.Lock()


@contextmanager
def drawing(palette: Palette) -> Iterator[None]:
    """Hold matplotlib in the page's colours; not to be entered twice."""
    colours: Any = {
        "figure.facecolor": palette.canvas,
        "savefig.facecolor": palette.canvas,
        "axes.facecolor": palette.canvas,
        "axes.edgecolor": palette.line,
        "axes.labelcolor": palette.quiet,
        "text.color": palette.text,
        "xtick.color": palette.quiet,
        "ytick.color": palette.quiet,
        "font.size": 11,
    }
    with _LOCK, warnings.catch_warnings(), mpl.rc_context(colours):
        warnings.simplefilter("ignore")  # about empty contours and fonts: nothing to act on
        yield


def cold_hot(palette: Palette) -> LinearSegmentedColormap:
    """Return the colours of values with a sign: the silhouette is 0, what is no number is clear."""
    colours = [*reversed(palette.cold), palette.silhouette, *palette.hot]
    return LinearSegmentedColormap.from_list("cold-hot", colours)
