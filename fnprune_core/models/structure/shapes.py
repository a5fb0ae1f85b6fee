"""Shapes of a layer's projections, and which of them may feed which."""

from torch import nn

from fnprune_core.models.projections import weight_of

_MOST_SEPARATE = 2


def is_projection(module: nn.Module) -> bool:
    """Whether a module multiplies by a matrix that units can be cut from."""
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, nn.Linear | Conv1D)


def projections(layer: nn.Module) -> dict[str, dict[str, tuple[int, int]]]:
    """Return (outputs, inputs) of a layer's projections by the path of their parent, and name."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for path, module in layer.named_modules():
        if is_projection(module):
            parent, _, name = path.rpartition(".")
            outputs, inputs = weight_of(module).shape
            found.setdefault(parent, {})[name] = (outputs, inputs)
    return found


def feeding_names(
    shapes: dict[str, tuple[int, int]], output: str, hidden: int
) -> tuple[tuple[str, ...], int] | None:
    """Return the names of what feeds an output projection, gate first, and how many are fused."""
    if output not in shapes:
        return None
    width = shapes[output][1]
    readers = {name: outputs for name, (outputs, inputs) in shapes.items() if inputs == hidden}
    if width == hidden:
        readers.pop(output, None)
    if list(readers.values()) == [2 * width]:
        return tuple(readers), 2
    if readers and len(readers) <= _MOST_SEPARATE and set(readers.values()) == {width}:
        return tuple(sorted(readers, key=lambda name: not _is_gate(name))), 1
    return None


def _is_gate(name: str) -> bool:
    return "gate" in name or name in ("w1", "linear_1", "fc1", "c_fc_0")
