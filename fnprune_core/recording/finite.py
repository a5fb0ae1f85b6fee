"""Activations that are not numbers, and how they are told."""

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.errors import NonFiniteError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.sources.finite import not_finite_hint


def check_finite(
    signals: NDArray[np.float32],
    layout: UnitLayout,
    session: int,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Raise `NonFiniteError` if a session's signals (tokens, units) hold NaN or infinity.

    Parameters
    ----------
    dtype : torch.dtype, optional
        In which the model computed them, where it is known.
    """
    if np.isfinite(signals.sum(dtype=np.float64)):  # far cheaper than a look at each value
        return
    is_broken = np.any(~np.isfinite(signals), axis=0)
    raise not_finite(is_broken, layout, session, dtype=dtype)


def not_finite(
    is_broken: NDArray[np.bool_],
    layout: UnitLayout,
    session: int,
    *,
    dtype: torch.dtype | None = None,
) -> NonFiniteError:
    """Return the error that names the layers of units that are broken in a session."""
    layers = sorted(set(layout.layer_of_unit[is_broken].tolist()))
    return NonFiniteError(
        f"Session {session}: activations of {int(is_broken.sum())} units are not finite "
        f"(layers {', '.join(map(str, layers[:5]))}).",
        hint=not_finite_hint(dtype),
    )
