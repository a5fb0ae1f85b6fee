"""A session's distances from the units' means, and their squares."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deviations:
    """How far a session's signals are from the recording's means.

    Parameters
    ----------
    values : Tensor (tokens, n_units)
    beyond : Tensor (n_units,) or None
        Variance of the session's usable tokens that `values` do not hold; None if they hold all.
    is_usable : ndarray (tokens,) or None
        Which tokens `beyond` belongs to.
    """

    values: Tensor
    beyond: Tensor | None = None
    is_usable: NDArray[np.bool_] | None = None

    def square_(self) -> Tensor:
        """Square the values in place, and return them with what is beyond them: (tokens, units)."""
        squares = self.values.square_()
        if self.beyond is not None and self.is_usable is not None:
            squares[torch.from_numpy(self.is_usable)] += self.beyond
        return squares
