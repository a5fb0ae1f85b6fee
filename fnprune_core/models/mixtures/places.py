"""Where a model's layers keep their experts."""

from dataclasses import dataclass

from torch import nn

#: Name of the child that a mixture of experts is given: all of its units.
UNITS = "units_of_experts"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedMLP:
    """An expert beside the routed ones that reads every token.

    Parameters
    ----------
    output : str
        Path from the mixture to its output projection.
    feeding : tuple of str
        Paths to what feeds its units, gate first.
    n_fused : int
        Parts that each of these holds of a unit.
    """

    output: str
    feeding: tuple[str, ...]
    n_fused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Where a layer keeps its experts; a layer without them has an MLP as the architecture says.

    Parameters
    ----------
    block : str
        Path from a layer to the module that routes tokens to experts and adds up their outputs.
    experts : str
        Path from there to the module that holds all routed experts.
    shared : tuple of SharedMLP
    """

    block: str
    experts: str
    shared: tuple[SharedMLP, ...] = ()

    def block_of(self, layer: nn.Module) -> nn.Module | None:
        """Return a layer's mixture, or None in a layer that has an MLP."""
        block = _child(layer, self.block)
        if block is None or _child(block, self.experts) is None:
            return None
        return block


def _child(module: nn.Module, path: str) -> nn.Module | None:
    """Return the module at a path, or None where there is none."""
    try:
        return module.get_submodule(path)
    except AttributeError:
        return None
