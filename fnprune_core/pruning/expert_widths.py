"""Widths of experts that a plain config can say, and how a model is cut to them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fnprune_core.errors import PlanError
from fnprune_core.models.architectures import (
    Architecture,
    attach_experts,
    experts_of,
    feeding_of,
    layers_of,
    output_of,
)
from fnprune_core.models.mixtures.experts import Experts, SharedExpert
from fnprune_core.models.mixtures.units import aligned
from fnprune_core.models.structure.proposals import config_paths, rebuilt, set_in_config
from fnprune_core.plans.plan import PruningPlan

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

Kind = str  # "MLP" of layers without experts, "routed", or "shared" with a number


def groups_of(layer: "nn.Module", architecture: Architecture) -> dict[Kind, Experts]:
    """Return a layer's experts by kind; an MLP is one that reads every token."""
    experts = experts_of(layer, architecture)
    if experts is None:
        output, feeding = output_of(layer, architecture), feeding_of(layer, architecture)
        return {"MLP": SharedExpert(output, tuple(feeding), architecture.n_fused)}
    names = ["routed", *(f"shared {i}" for i in range(1, len(experts.groups)))]
    return dict(zip(names, experts.groups, strict=True))


def _widths(model: "PreTrainedModel", architecture: Architecture) -> dict[Kind, int]:
    """Return how wide an expert of each kind is; 0 where layers differ."""
    found: dict[Kind, set[int]] = {}
    for layer in layers_of(model, architecture):
        for kind, group in groups_of(layer, architecture).items():
            found.setdefault(kind, set()).update(group.sizes)
    return {kind: widths.pop() if len(widths) == 1 else 0 for kind, widths in found.items()}


def _needed(
    model: "PreTrainedModel", architecture: Architecture, plan: PruningPlan
) -> dict[Kind, int]:
    """Return the most units that any expert of a kind keeps."""
    needed: dict[Kind, int] = {}
    for layer, kept in zip(layers_of(model, architecture), plan.kept, strict=True):
        start = 0
        for kind, group in groups_of(layer, architecture).items():
            bounds = np.cumsum([start, *group.sizes])
            counts = np.histogram(kept, bounds)[0] if len(kept) else np.zeros(1)
            # A histogram's last bin holds its right edge, which is the next group's first unit.
            counts[-1] -= int((kept == bounds[-1]).sum())
            needed[kind] = max(needed.get(kind, 0), int(counts.max()))
            start = int(bounds[-1])
    return needed


def plain_widths(
    model: "PreTrainedModel", architecture: Architecture, plan: PruningPlan
) -> tuple[dict[Kind, int], dict[str, int]]:
    """Return how wide each kind of expert is in the smallest plain model that holds a plan.

    Returns
    -------
    widths : dict of str to int
    values : dict of str to int
        What the config says then, by dotted path.
    """
    old = _widths(model, architecture)
    needed = _needed(model, architecture, plan)
    widths, values = dict(old), {}
    left = {kind for kind, width in old.items() if width}
    sizes = {old[kind] for kind in left}
    for path, value in config_paths(
        model, lambda _, v: type(v) is int and v >= 2 and any(size % v == 0 for size in sizes)
    ).items():
        followers = _followers(model, architecture, path, value, old) & left
        if not followers:
            continue
        new = max(aligned(-(-needed[kind] * value // old[kind])) for kind in followers)
        if new < value:
            values[path] = new
            widths |= {kind: new * old[kind] // value for kind in followers}
        left -= followers
    return widths, values


def _followers(
    model: "PreTrainedModel",
    architecture: Architecture,
    path: str,
    value: int,
    old: Mapping[Kind, int],
) -> set[Kind]:
    """Return the kinds of experts that are half as wide where a value of the config is half."""
    other = rebuilt(model, {path: value // 2})
    if other is None or sum(1 for _ in other.parameters()) != sum(1 for _ in model.parameters()):
        return set()
    attach_experts(other, architecture)
    try:
        new = _widths(other, architecture)
    except AttributeError:  # another kind of layer stands there
        return set()
    return {kind for kind, width in old.items() if new.get(kind) == width // value * (value // 2)}


def say_widths(model: "PreTrainedModel", values: Mapping[str, int]) -> None:
    """Write widths into a cut model's config, and check that it describes the model.

    Raises
    ------
    PlanError
        If a model of this config has other shapes.
    """
    for path, value in values.items():
        set_in_config(model.config, path, value)
    plain = rebuilt(model, {})
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    if plain is None or shapes != {name: tuple(p.shape) for name, p in plain.named_parameters()}:
        raise PlanError(
            "No plain config describes experts of these widths.",
            hint="Export in the per-layer or masked form.",
        )
