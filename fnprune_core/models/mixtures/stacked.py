"""A projection whose rows or columns lie in several modules."""

from torch import Tensor, nn


class Stacked(nn.Module):
    """A projection without parameters of its own: its weight is put together when asked for."""

    bias: Tensor | None

    def stacked_weight(self) -> Tensor:
        """Return a copy of the weight, (outputs, inputs)."""
        raise NotImplementedError

    @property
    def sample(self) -> Tensor:
        """A parameter that holds a part of it: for dtype and device, without a copy."""
        raise NotImplementedError

    @property
    def n_values(self) -> int:
        """Number of the weight's entries."""
        raise NotImplementedError
