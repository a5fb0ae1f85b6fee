"""Find a mixture of experts by structure: a module of three-dimensional weights, and its parent."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from fnprune_core.models.architectures import Architecture
from fnprune_core.models.mixtures.experts import RoutedExperts, is_sorted
from fnprune_core.models.mixtures.places import Mixture, SharedMLP
from fnprune_core.models.structure.shapes import feeding_names, projections

#: What an MLP's output projection is called.
_OUTPUT_NAMES = ("down_proj", "w2", "fc2", "c_proj", "wo")


def is_mixture(layer: nn.Module) -> bool:
    """Whether something in a layer is named after experts."""
    return any("expert" in name.rpartition(".")[2] for name, _ in layer.named_modules())


def propose_mixtures(
    path: str, layers: Sequence[nn.Module], hidden: int, dense: Sequence[Architecture]
) -> list[Architecture]:
    """Return what the units of layers with experts may be.

    Parameters
    ----------
    path : str
        From the model to its layers.
    dense : sequence of Architecture
        What the units of the layers without experts may be; empty where there are none.

    Returns
    -------
    list of Architecture
        Empty where the layers' experts are not in one place, or not in a form that can be cut.
    """
    mixtures = {_mixture(layer, hidden) for layer in layers if is_mixture(layer)}
    if len(mixtures) != 1:
        return []
    (mixture,) = mixtures
    if mixture is None:
        return []
    experts = f"{mixture.block}.{mixture.experts}"
    first = next(layer for layer in layers if is_mixture(layer))
    routed = RoutedExperts(first.get_submodule(experts))
    if any(not is_mixture(layer) for layer in layers):
        return [
            replace(each, mixture=mixture)
            for each in dense
            if len(each.feeding) * each.n_fused == routed.n_parts
        ]
    return [
        Architecture(
            family="",
            model_types=(),
            layers=path,
            output_projection=f"{experts}.down_proj",
            feeding=(f"{experts}.{routed.feeding_name}",),
            final_norm="",
            width_attribute="",
            bias_home="none",
            n_fused=routed.n_parts,
            mixture=mixture,
        )
    ]


def _mixture(layer: nn.Module, hidden: int) -> Mixture | None:
    """Return where a layer has its experts, or None if not in one module that can be read."""
    found = [
        (name, module) for name, module in layer.named_modules() if _holds_experts(module, hidden)
    ]
    if len(found) != 1:
        return None
    block, _, experts = found[0][0].rpartition(".")
    if not block:  # then what adds up their outputs does more than that
        return None
    shared = []
    for parent, shapes in projections(layer.get_submodule(block)).items():
        fitting = [
            name
            for name, (outputs, _) in shapes.items()
            if outputs == hidden and feeding_names(shapes, name, hidden) is not None
        ]
        if not fitting:
            continue
        # Where matrices are square each fits, and the name says which one it is, or its place.
        output = next((name for name in fitting if name in _OUTPUT_NAMES), fitting[-1])
        feeding = feeding_names(shapes, output, hidden)
        assert feeding is not None  # it fits
        start = f"{parent}." if parent else ""
        names, n_fused = feeding
        shared.append(
            SharedMLP(
                output=start + output,
                feeding=tuple(start + name for name in names),
                n_fused=n_fused,
            )
        )
    return Mixture(block=block, experts=experts, shared=tuple(shared))


def _holds_experts(module: Any, hidden: int) -> bool:
    """Whether a module holds experts as transformers lays them out, and does nothing else."""
    own = dict(module.named_parameters(recurse=False))
    down = own.get("down_proj")
    if down is None or down.ndim != 3 or getattr(module, "has_post_expert_norm", False):
        return False
    routed = RoutedExperts(module)
    feeding = own.get(routed.feeding_name)
    if feeding is None or feeding.ndim != 3 or (is_sorted(module) and "act_fn" not in dir(module)):
        return False
    width = routed.sizes[0]
    return tuple(routed.down().shape[1:]) == (hidden, width) and tuple(
        routed.feeding().shape[1:]
    ) == (routed.n_parts * width, hidden)
