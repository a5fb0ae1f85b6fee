"""All units of a layer's mixture behind one projection, so that they are read as those of an MLP.

`attach` gives the module of a mixture a child without parameters: the output projection of all of
its experts together. While nobody watches it, the module runs as transformers wrote it. While
somebody does, its experts only say what their units do; one call of the projection, with its hooks,
makes the layer's output of that. How the module weighs routed and shared experts is read from
outputs that mark their columns, in the same call.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as trees

from fnprune_core.models.mixtures.experts import Experts, RoutedExperts, SharedExpert, is_sorted
from fnprune_core.models.mixtures.places import UNITS, Mixture
from fnprune_core.models.projections import Stacked, bias_of

_ALIGNED = 8  # bfloat16 values in 16 bytes


@dataclass(slots=True)
class _Reading:
    """What the experts of a mixture said in one call of it."""

    found: dict[int, tuple[Tensor, Tensor | None]] = field(default_factory=dict)


#: The reading of the call that this thread is in.
_READING: ContextVar[_Reading | None] = ContextVar("reading", default=None)


class ExpertUnits(Stacked):
    """The output projection of all units of a mixture: routed experts, then shared ones.

    Its input is all units' activations, (tokens, units).

    Parameters
    ----------
    groups : sequence of Experts
        The routed experts of one module, and each shared expert.
    n_fused : int
        How many parts of a unit a feeding module of the model's dense layers holds.
    n_parts : int
        Matrices that feed a unit: 2 with a gate.
    n_chosen : int
        Routed experts that a token sees.
    """

    def __init__(
        self, groups: Sequence[Experts], *, n_fused: int, n_parts: int, n_chosen: int
    ) -> None:
        super().__init__()
        self.n_chosen = n_chosen
        self.groups = tuple(groups)  # in a tuple, modules are not registered a second time
        self.register_parameter("bias", None)
        self._fed = tuple(
            FeedingRows(self, tuple(range(first, first + n_fused)))
            for first in range(0, n_parts, n_fused)
        )

    @property
    def expert_sizes(self) -> tuple[int, ...]:
        """Units of each expert, in their order."""
        return tuple(size for group in self.groups for size in group.sizes)

    @property
    def n_routed(self) -> int:
        """Number of experts that the router chooses from."""
        return len(self.groups[0].sizes)

    @property
    def n_units_seen(self) -> int:
        """Units that a token passes: of the experts that are chosen for it, and of shared ones."""
        routed, *shared = self.groups
        return routed.sizes[0] * self.n_chosen + sum(sum(each.sizes) for each in shared)

    @property
    def n_units(self) -> int:
        """Units of all experts."""
        return sum(self.expert_sizes)

    @property
    def feeding(self) -> tuple["FeedingRows", ...]:
        """What feeds the units, laid out as in the model's dense layers."""
        return self._fed

    @property
    def sample(self) -> Tensor:
        """A parameter that holds a part of it."""
        routed = self.groups[0]
        assert isinstance(routed, RoutedExperts)
        down: Tensor = routed.module.down_proj
        return down

    @property
    def n_values(self) -> int:
        """Number of the weight's entries."""
        routed = self.groups[0]
        assert isinstance(routed, RoutedExperts)
        return self.n_units * routed.down().shape[1]

    def stacked_weight(self) -> Tensor:
        """Return a copy of the output columns of all units: (hidden, units)."""
        return torch.cat([group.columns() for group in self.groups], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return what activations (tokens, units) put out: (tokens, hidden)."""
        sizes = [sum(group.sizes) for group in self.groups]
        parts = zip(self.groups, x.split(sizes, dim=-1), strict=True)
        result = sum(group.outputs(part) for group, part in parts)
        assert isinstance(result, Tensor)
        return result if self.bias is None else result + self.bias.to(result)

    @property
    def is_watched(self) -> bool:
        """Whether the layer's output must pass through here."""
        return bool(self._forward_pre_hooks or self._forward_hooks) or self.bias is not None

    def output_of(self, result: Any, reading: _Reading) -> Any:
        """Return a mixture's result with what its units put out in place of the marks.

        Parameters
        ----------
        result : Any
            As the mixture gave it: a tensor (…, hidden), or one first among others.
        """
        leaves, shape = trees.tree_flatten(result)
        marks = leaves[0].reshape(-1, leaves[0].shape[-1])
        activations, added = [], []
        for index in range(len(self.groups)):
            x, bias = reading.found[index]
            scale = marks[:, index, None]
            activations.append(x.reshape(len(marks), -1) * scale.to(x.dtype))
            if bias is not None:
                added.append(bias.reshape(len(marks), -1) * scale.to(bias.dtype))
        output = self(torch.cat(activations, dim=-1))
        output = sum(added, output).to(leaves[0].dtype).reshape(leaves[0].shape)
        return trees.tree_unflatten([output, *leaves[1:]], shape)

    def cut(
        self,
        kept: Tensor,
        *,
        columns: Tensor | None = None,
        masks: bool = False,
        widths: Sequence[int] | None = None,
    ) -> None:
        """Keep some units of the layer.

        Parameters
        ----------
        kept : Tensor (n,)
            Sorted indices within the layer.
        columns : Tensor (hidden, n), optional
            New output columns for them.
        masks : bool
            Whether shapes stay, and zeros stand where something goes.
        widths : sequence of int, optional
            Units of an expert afterwards, for each of `groups`; as many as the widest keeps,
            `aligned`, if not given. Experts that keep fewer end in zeros.
        """
        bounds = [0]
        for size in self.expert_sizes:
            bounds.append(bounds[-1] + size)
        of_expert = [kept[(kept >= a) & (kept < b)] - a for a, b in pairwise(bounds)]
        first, column = 0, 0
        for index, group in enumerate(self.groups):
            own = of_expert[first : first + len(group.sizes)]
            first += len(group.sizes)
            n_kept = sum(map(len, own))
            width = aligned(max(map(len, own))) if widths is None else widths[index]
            group.cut(
                own,
                width=width,
                columns=None if columns is None else columns[:, column : column + n_kept],
                masks=masks,
            )
            column += n_kept


def aligned(width: int) -> int:
    """Return a width of experts that kernels of grouped products take: rows of whole 16 bytes."""
    return max(1, -(-width // _ALIGNED)) * _ALIGNED


class FeedingRows(Stacked):
    """The rows that feed all units of a mixture, some parts of them (gate 0, up 1) stacked."""

    def __init__(self, units: ExpertUnits, parts: tuple[int, ...]) -> None:
        super().__init__()
        self._held = (units,)
        self._parts = parts

    @property
    def bias(self) -> Tensor | None:  # type: ignore[override]
        """The rows' biases, or None; zeros where only some have one."""
        biases = []
        for part in self._parts:
            for group in self._held[0].groups:
                own = group.biases(part)
                biases.append(own if own is not None else None)
        if all(bias is None for bias in biases):
            return None
        sizes = [sum(g.sizes) for _ in self._parts for g in self._held[0].groups]
        filled = [
            self.sample.new_zeros(size) if bias is None else bias
            for size, bias in zip(sizes, biases, strict=True)
        ]
        return torch.cat(filled)

    @property
    def sample(self) -> Tensor:
        """A parameter that holds a part of it."""
        return self._held[0].sample

    @property
    def n_values(self) -> int:
        """Number of the weight's entries."""
        return len(self._parts) * self._held[0].n_values

    def stacked_weight(self) -> Tensor:
        """Return a copy of the rows: (parts · units, hidden)."""
        groups = self._held[0].groups
        return torch.cat([group.rows(part) for part in self._parts for group in groups])


def attach(layer: nn.Module, mixture: Mixture, n_fused: int) -> None:
    """Give a layer's mixture, if it has one, its `ExpertUnits`; nothing that it computes changes.

    Parameters
    ----------
    n_fused : int
        How many parts of a unit a feeding module of the model's dense layers holds.
    """
    block = mixture.block_of(layer)
    if block is None or hasattr(block, UNITS):
        return
    routed = RoutedExperts(block.get_submodule(mixture.experts))
    shared = [
        SharedExpert(
            block.get_submodule(each.output),
            tuple(block.get_submodule(path) for path in each.feeding),
            each.n_fused,
        )
        for each in mixture.shared
    ]
    numbers = [getattr(module, "top_k", None) for module in block.modules()]
    units = ExpertUnits(
        [routed, *shared],
        n_fused=n_fused,
        n_parts=routed.n_parts,
        n_chosen=next((n for n in numbers if type(n) is int), len(routed.sizes)),
    )
    block.add_module(UNITS, units)
    _become(block, _block_class)
    _become(routed.module, _experts_class)
    for index, each in enumerate(shared, start=1):
        each.output.unit_group = index  # type: ignore[assignment]
        _become(each.output, _output_class)


def _become(module: nn.Module, made: Any) -> None:
    module.__class__ = made(type(module))


@cache
def _block_class(stock: Any) -> Any:
    """Return the class of a mixture whose output is made of its units where these are watched."""

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        units: ExpertUnits = getattr(self, UNITS)
        if not units.is_watched:
            return stock.forward(self, *args, **kwargs)
        reading = _Reading()
        token = _READING.set(reading)
        try:
            result = stock.forward(self, *args, **kwargs)
        finally:
            _READING.reset(token)
        return units.output_of(result, reading)

    return _derived(stock, forward)


@cache
def _experts_class(stock: Any) -> Any:
    """Return the class of routed experts that say what their units do where it is asked."""

    def forward(self: Any, hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        reading = _READING.get()
        if reading is None:
            return stock.forward(self, hidden, *args, **kwargs)
        experts = RoutedExperts(self)
        if is_sorted(self):
            n_experts = len(experts.sizes)
            n_tokens = len(hidden) // n_experts
            reading.found[0] = (_sorted_activations(experts, hidden), None)
            return torch.cat([_mark(hidden[:n_tokens], 0), torch.zeros_like(hidden[n_tokens:])])
        chosen, weights = (*args, *kwargs.values())[:2]
        reading.found[0] = experts.activations(hidden, chosen, weights)
        return _mark(hidden, 0)

    return _derived(stock, forward)


@cache
def _output_class(stock: Any) -> Any:
    """Return the class of a shared expert's output projection that hands on what it is given."""

    def forward(self: Any, x: Tensor) -> Tensor:
        reading = _READING.get()
        if reading is None:
            result: Tensor = stock.forward(self, x)
            return result
        bias = bias_of(self)
        hidden = self.out_features
        added = None if bias is None else bias.expand(*x.shape[:-1], hidden)
        reading.found[self.unit_group] = (x, added)
        return _mark(x.new_empty(*x.shape[:-1], hidden), self.unit_group)

    return _derived(stock, forward)


def _derived(stock: Any, forward: Any) -> Any:
    members = {"forward": forward, "__module__": stock.__module__}
    return type(stock.__name__, (stock,), members)


def _sorted_activations(experts: RoutedExperts, hidden: Tensor) -> Tensor:
    """Return activations, (tokens, units), of experts that read all tokens, most of them as 0."""
    by_expert = hidden.view(len(experts.sizes), -1, hidden.shape[-1])
    gate, up = torch.bmm(by_expert, experts.feeding().mT).chunk(2, dim=-1)
    activations: Tensor = up * experts.module.act_fn(gate)
    return activations.transpose(0, 1).flatten(1)


def _mark(like: Tensor, column: int) -> Tensor:
    """Return an output whose one column says by what the module multiplies it."""
    marked = torch.zeros_like(like)
    marked[..., column] = 1
    return marked
