"""KV groups of a model: how many there are, and which rows and columns belong to each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fnprune_core.errors import UnsupportedArchitectureError
from fnprune_core.models.architectures import Architecture, layers_of, text_config, value_of
from fnprune_core.models.attention_modules import UNPROVEN, AttentionModules, Feeding
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.projections import weight_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Groups = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionLayout:
    """The KV groups of a model.

    Parameters
    ----------
    groups : UnitLayout
        How many there are in each layer.
    head_size : int
        Dimensions of one head.
    heads_per_group : int
        Query heads that read one key and value head.
    """

    groups: UnitLayout
    head_size: int
    heads_per_group: int

    @property
    def group_size(self) -> int:
        """Inputs of the output projection that one group fills."""
        return self.head_size * self.heads_per_group

    def dimensions(self, groups: Groups) -> Groups:
        """Return the inputs of the output projection that groups of one layer fill, in order."""
        starts = np.asarray(groups, dtype=np.int64)[:, None] * self.group_size
        return (starts + np.arange(self.group_size)).reshape(-1)

    def rows_per_group(self, letters: str) -> int:
        """Return how many output rows of a feeding module one group has in a block."""
        return sum(self.group_size if letter == "q" else self.head_size for letter in letters)

    def rows(self, feeding: Feeding, groups: Groups, n_groups: int, *, only: str = "qkv") -> Groups:
        """Return the output rows of a feeding module that belong to groups of one layer.

        Parameters
        ----------
        n_groups : int
            Groups of the layer.
        only : str
            Letters of the rows that are wanted: of ``q``, ``k`` and ``v``.
        """
        module_rows, start = [], 0
        for letters in feeding.parts:
            size, offset = self.rows_per_group(letters), 0
            row_offsets: list[int] = []
            for letter in letters:
                n_rows = self.rows_per_group(letter)
                row_offsets += range(offset, offset + n_rows) if letter in only else ()
                offset += n_rows
            starts = start + np.asarray(groups, dtype=np.int64)[:, None] * size
            module_rows.append((starts + np.array(row_offsets, dtype=np.int64)).reshape(-1))
            start += n_groups * size
        return np.concatenate(module_rows)

    def counts(self, modules: AttentionModules) -> list[tuple[str, str, int]]:
        """Return the attributes that count heads: module, attribute, how many a group adds."""
        per_group = {"groups": 1, "heads": self.heads_per_group, "dimensions": self.group_size}
        return [(each.module, each.attribute, per_group[each.counts]) for each in modules.counts]

    def sum_by_group(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums over each group's dimensions, given one value per dimension of all layers."""
        return np.asarray(values.reshape(-1, self.group_size).sum(axis=1))


def attention_outputs(model: "PreTrainedModel", architecture: Architecture) -> list[nn.Module]:
    """Return the output projection of each layer's attention."""
    return [
        layer.get_submodule(architecture.attention.output)
        for layer in layers_of(model, architecture)
    ]


def attention_layout(model: "PreTrainedModel", architecture: Architecture) -> AttentionLayout:
    """Return a model's KV groups, after checking that the modules fit together.

    Raises
    ------
    UnsupportedArchitectureError
        If a module is missing, or its sizes are not those of the config's heads.
    """
    config: Any = text_config(model)
    n_heads = int(config.num_attention_heads)
    n_groups = int(value_of(config, "num_key_value_heads") or n_heads)
    modules = architecture.attention
    if modules is UNPROVEN:
        raise UnsupportedArchitectureError(
            f"No way to cut heads of {architecture.family} models is proven: queries, keys and "
            "values lie otherwise, or share what a cut would break.",
            hint="Its MLP units can still be pruned: set the attention ratio to 0.",
        )
    layers = layers_of(model, architecture)
    try:
        inputs = {weight_of(output).shape[1] for output in attention_outputs(model, architecture)}
        head_size = min(inputs) // n_heads
        layout = AttentionLayout(
            groups=UnitLayout((n_groups,) * len(layers)),
            head_size=head_size,
            heads_per_group=n_heads // n_groups,
        )
        fits = inputs == {n_groups * layout.group_size} and all(
            weight_of(layer.get_submodule(feeding.path)).shape[0]
            == sum(n_groups * layout.rows_per_group(letters) for letters in feeding.parts)
            for layer in layers
            for feeding in modules.feeding
        )
    except AttributeError as error:
        raise UnsupportedArchitectureError(
            f"A layer lacks an attention module that {architecture.family} models have: {error}.",
            hint="Its MLP units can still be pruned: set the attention ratio to 0.",
        ) from error
    if not fits:
        raise UnsupportedArchitectureError(
            f"The attention of this {architecture.family} model does not have the {n_heads} heads "
            f"in {n_groups} KV groups that its config says.",
            hint="Its MLP units can still be pruned: set the attention ratio to 0.",
        )
    return layout


def kept_groups(layout: AttentionLayout, removed: Sequence[Groups]) -> list[Groups]:
    """Return the groups of each layer that stay."""
    keep = layout.groups.split(layout.groups.keep_of(removed))
    return [np.flatnonzero(layer_keep) for layer_keep in keep]


def group_parameters(
    model: "PreTrainedModel", architecture: Architecture, layout: AttentionLayout, layer: int
) -> int:
    """Return how many parameters go with one KV group of a layer."""
    module = layers_of(model, architecture)[layer]
    output = module.get_submodule(architecture.attention.output)
    total = output.get_parameter("weight").numel()
    for feeding in architecture.attention.feeding:
        total += sum(p.numel() for p in module.get_submodule(feeding.path).parameters())
    return total // layout.groups.widths[layer]


def plain_heads_refusal(
    model: "PreTrainedModel", architecture: Architecture, layout: AttentionLayout, n_groups: int
) -> str:
    """Return why no plain config can say that each layer has `n_groups` groups, else ""."""
    config: Any = text_config(model)
    if n_groups == layout.groups.widths[0]:
        return ""
    if not architecture.attention.has_head_size:
        return (
            f"{architecture.family} models take the size of a head from hidden size over heads, "
            "so their plain form cannot have fewer heads"
        )
    values = {**config.to_dict(), **plain_heads(layout, n_groups)}
    try:
        type(config)(**{k: v for k, v in values.items() if k != "model_type"})
    except Exception as error:  # noqa: BLE001 -- configs refuse with errors of many libraries
        reason = str(error).strip().splitlines()[-1].strip().rstrip(".")
        return f"the plain config refuses {n_groups * layout.heads_per_group} heads: {reason}"
    return ""


def plain_heads(layout: AttentionLayout, n_groups: int) -> dict[str, int]:
    """Return the config's values for `n_groups` groups in every layer."""
    return {
        "num_attention_heads": n_groups * layout.heads_per_group,
        "num_key_value_heads": n_groups,
        "head_dim": layout.head_size,
    }
