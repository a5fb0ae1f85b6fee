"""Activations that are not numbers, and how they are told."""

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import NonFiniteError
from fnprune_core.models.layout import UnitLayout

HINT = "Load the model in float32 or bfloat16 (--dtype) and record again."


def check_finite(signals: NDArray[np.float32], layout: UnitLayout, session: int) -> None:
    """Raise `NonFiniteError` if a session's signals (tokens, units) hold NaN or infinity."""
    if np.isfinite(signals.sum(dtype=np.float64)):  # far cheaper than a look at each value
        return
    raise not_finite(np.any(~np.isfinite(signals), axis=0, keepdims=True)[0], layout, session)


def not_finite(is_broken: NDArray[np.bool_], layout: UnitLayout, session: int) -> NonFiniteError:
    """Return the error that names the layers of units that are broken in a session."""
    layers = sorted(set(layout.layer_of_unit[is_broken].tolist()))
    return NonFiniteError(
        f"Session {session}: activations of {int(is_broken.sum())} units are not finite "
        f"(layers {', '.join(map(str, layers[:5]))}).",
        hint=HINT,
    )
