"""The experts of a layer's mixture: what each of their units does, and how units are cut.

`transformers` keeps the routed experts of a layer in one module with three-dimensional parameters
(`integrations/moe.py` says how they may lie); an expert that reads every token is an MLP beside.
A routed unit's activation is what it adds to the layer's output, over its column: its own
activation times the weight that the router gives its expert, and 0 for tokens that are not routed
there. So a layer's output is linear in its units, whichever of them a token sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from fnprune_core.models.projections import bias_of, cut_rows, kept_part, replace_weight, weight_of

#: Attributes in which modules of experts note how wide each is.
_WIDTH_NAMES = ("intermediate_dim", "intermediate_size", "expert_dim")


class Experts(Protocol):
    """Some experts of a layer, whose units follow one another."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each expert."""
        ...

    def columns(self) -> Tensor:
        """Return a copy of the output columns of all units: (hidden, units)."""
        ...

    def rows(self, part: int) -> Tensor:
        """Return a copy of the rows that feed the units: gate 0, up 1; (units, hidden)."""
        ...

    def biases(self, part: int) -> Tensor | None:
        """Return the biases of such rows, (units,), or None."""
        ...

    def outputs(self, x: Tensor) -> Tensor:
        """Return what activations (tokens, units) add to the layer's output, biases aside."""
        ...

    def cut(
        self, kept: Sequence[Tensor], *, width: int, columns: Tensor | None, masks: bool
    ) -> None:
        """Keep some units of each expert; experts that keep fewer than `width` end in zeros."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class RoutedExperts:
    """Experts in one module, each of which reads the tokens that are routed to it.

    Parameters
    ----------
    module : Module
        With `gate_up_proj` or `up_proj` and `down_proj`, one matrix for each expert.
    """

    module: Any

    @property
    def is_transposed(self) -> bool:
        """Whether matrices are stored as (inputs, outputs)."""
        return bool(getattr(self.module, "is_transposed", is_sorted(self.module)))

    @property
    def n_parts(self) -> int:
        """Matrices that feed a unit: 2 with a gate."""
        return 2 if getattr(self.module, "has_gate", True) else 1

    @property
    def feeding_name(self) -> str:
        """Name of the parameter that feeds the units."""
        return "gate_up_proj" if self.n_parts == 2 else "up_proj"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each expert."""
        n_experts, _, width = self.down().shape
        return (width,) * n_experts

    def feeding(self) -> Tensor:
        """Return a view of what feeds the units: (experts, rows, hidden)."""
        feeding: Tensor = getattr(self.module, self.feeding_name)
        return feeding.mT if self.is_transposed else feeding

    def down(self) -> Tensor:
        """Return a view of the output matrices: (experts, hidden, units of each)."""
        down: Tensor = self.module.down_proj
        return down.mT if self.is_transposed else down

    def _bias(self, name: str) -> Tensor | None:
        return getattr(self.module, f"{name}_bias", None)

    def _places(self, part: int, units: Tensor, width: int) -> Tensor:
        """Return the rows of an expert of `width` units that are a part of some units."""
        if getattr(self.module, "is_concatenated", True):
            return units + part * width
        return units * self.n_parts + part

    def columns(self) -> Tensor:
        """Return a copy of the output columns of all units: (hidden, units)."""
        return torch.cat(list(self.down()), dim=1)

    def rows(self, part: int) -> Tensor:
        """Return a copy of the rows that feed the units: (units, hidden)."""
        places = self._own_places(part)
        return torch.cat([each[places] for each in self.feeding()])

    def biases(self, part: int) -> Tensor | None:
        """Return the biases of such rows, (units,), or None."""
        bias = self._bias(self.feeding_name)
        return None if bias is None else bias[:, self._own_places(part)].reshape(-1)

    def _own_places(self, part: int) -> Tensor:
        width = self.sizes[0]
        return self._places(part, torch.arange(width, dtype=torch.int64), width)

    def activations(
        self, hidden: Tensor, experts: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return all units' activations, (tokens, units), and what biases add, (tokens, hidden).

        Parameters
        ----------
        hidden : Tensor (tokens, hidden)
        experts, weights : Tensor (tokens, chosen)
            The experts of each token and what their outputs are multiplied by.
        """
        width = self.sizes[0]
        n_tokens, n_units = len(hidden), sum(self.sizes)
        x = torch.zeros(n_tokens, n_units, dtype=hidden.dtype, device=hidden.device)
        feeding_bias, down_bias = self._bias(self.feeding_name), self._bias("down_proj")
        added = None if down_bias is None else torch.zeros_like(hidden)
        feeding = self.feeding()
        for expert in range(len(self.sizes)):
            is_chosen = experts == expert  # by some routers twice
            tokens = torch.where(is_chosen.any(dim=1))[0]
            if not len(tokens):
                continue
            bias = None if feeding_bias is None else feeding_bias[expert]
            fed = functional.linear(hidden[tokens], feeding[expert].to(hidden.dtype), bias)
            activation = (
                self.module._apply_gate(fed) if self.n_parts == 2 else self.module.act_fn(fed)
            )
            weight = (weights * is_chosen).sum(dim=1)[tokens, None]
            x[tokens, expert * width : (expert + 1) * width] = (activation * weight).to(x.dtype)
            if added is not None and down_bias is not None:
                added.index_add_(0, tokens, (down_bias[expert] * weight).to(added.dtype))
        return x, added

    def outputs(self, x: Tensor) -> Tensor:
        """Return what activations (tokens, units) add to the layer's output, biases aside."""
        down = self.down()
        width = self.sizes[0]
        result = torch.zeros(len(x), down.shape[1], dtype=x.dtype, device=x.device)
        for expert in range(len(self.sizes)):
            own = x[:, expert * width : (expert + 1) * width]
            tokens = torch.where(own.detach().any(dim=1))[0]  # the others add nothing
            if len(tokens):
                result = result.index_add(0, tokens, functional.linear(own[tokens], down[expert]))
        return result

    def cut(
        self, kept: Sequence[Tensor], *, width: int, columns: Tensor | None, masks: bool
    ) -> None:
        """Keep some units of each expert; experts that keep fewer than `width` end in zeros."""
        old, new_width = self.sizes[0], self.sizes[0] if masks else width
        feeding, down = self.feeding(), self.down()
        bias = self._bias(self.feeding_name)
        n_experts, hidden = down.shape[:2]
        new_feeding = feeding.new_zeros(n_experts, self.n_parts * new_width, hidden)
        new_down = down.new_zeros(n_experts, hidden, new_width)
        new_bias = None if bias is None else bias.new_zeros(n_experts, new_feeding.shape[1])
        start = 0
        for expert, units in enumerate(kept):
            units = units.to(down.device)
            places = (
                units if masks else torch.arange(len(units), dtype=torch.long, device=down.device)
            )
            for part in range(self.n_parts):
                old_rows = self._places(part, units, old)
                new_rows = self._places(part, places, new_width)
                new_feeding[expert, new_rows] = feeding[expert, old_rows]
                if bias is not None and new_bias is not None:
                    new_bias[expert, new_rows] = bias[expert, old_rows]
            stay = slice(start, start + len(units))
            new_down[expert][:, places] = (
                down[expert][:, units] if columns is None else columns[:, stay].to(down)
            )
            start = stay.stop
        if self.is_transposed:
            new_feeding, new_down = new_feeding.mT, new_down.mT
        self._set(self.feeding_name, new_feeding)
        self._set("down_proj", new_down)
        if new_bias is not None:
            self._set(f"{self.feeding_name}_bias", new_bias)
        for name in _WIDTH_NAMES:
            if getattr(self.module, name, None) == old:
                setattr(self.module, name, new_width)

    def _set(self, name: str, values: Tensor) -> None:
        requires_grad = self.module.get_parameter(name).requires_grad
        parameter = nn.Parameter(values.contiguous(), requires_grad=requires_grad)
        self.module.register_parameter(name, parameter)


def is_sorted(module: nn.Module) -> bool:
    """Whether a module is handed the tokens of all experts one after the other, as in Llama 4."""
    return not hasattr(module, "has_gate")


@dataclass(frozen=True, slots=True, eq=False)
class SharedExpert:
    """An expert that reads every token: an MLP like those of dense layers.

    Parameters
    ----------
    output : Module
    feeding : tuple of Module
    n_fused : int
        How many parts of a unit each of `feeding` holds.
    """

    output: nn.Module
    feeding: tuple[nn.Module, ...]
    n_fused: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Its units: one expert."""
        return (weight_of(self.output).shape[1],)

    def columns(self) -> Tensor:
        """Return its output columns: (hidden, units)."""
        return weight_of(self.output)

    def _part(self, part: int) -> tuple[nn.Module, slice]:
        width = self.sizes[0]
        module, within = self.feeding[part // self.n_fused], part % self.n_fused
        return module, slice(within * width, (within + 1) * width)

    def rows(self, part: int) -> Tensor:
        """Return the rows that feed its units: (units, hidden)."""
        module, rows = self._part(part)
        return weight_of(module)[rows]

    def biases(self, part: int) -> Tensor | None:
        """Return the biases of such rows, (units,), or None."""
        module, rows = self._part(part)
        bias = bias_of(module)
        return None if bias is None else bias[rows]

    def outputs(self, x: Tensor) -> Tensor:
        """Return what activations (tokens, units) add to the layer's output, its bias aside."""
        return functional.linear(x, weight_of(self.output))

    def cut(
        self, kept: Sequence[Tensor], *, width: int, columns: Tensor | None, masks: bool
    ) -> None:
        """Keep some of its units; where they are fewer than `width`, zeros follow."""
        (units,) = kept
        old = self.sizes[0]
        rows = torch.cat([units + part * old for part in range(self.n_fused)])
        for module in self.feeding:
            cut_rows(module, rows, masks=masks)
            if not masks and width > len(units):
                bias = bias_of(module)
                weight = _lengthened(weight_of(module), self.n_fused, width)
                replace_weight(
                    module, weight, None if bias is None else _lengthened(bias, self.n_fused, width)
                )
        weight = kept_part(weight_of(self.output), units, new=columns, masks=masks, dim=1)
        if not masks and width > len(units):
            weight = functional.pad(weight, (0, width - len(units)))
        replace_weight(self.output, weight, bias_of(self.output))


def _lengthened(values: Tensor, n_parts: int, width: int) -> Tensor:
    """Return rows with zeros behind each of their equal parts, so that it has `width`."""
    parts = values.reshape(n_parts, -1, *values.shape[1:])
    room = values.new_zeros(n_parts, width - parts.shape[1], *values.shape[1:])
    return torch.cat([parts, room], dim=1).flatten(0, 1)
