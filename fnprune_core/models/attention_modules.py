"""Where a family's attention heads live, as plain data for the table of architectures.

A KV group is one key head, its value head, the query heads that read it, and the columns of the
attention's output projection that these fill. With plain multi-head attention it is one head.
"""

from dataclasses import dataclass, replace
from typing import Literal

AttentionBiasHome = Literal["always", "switch", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """One module that makes queries, keys or values.

    Parameters
    ----------
    path : str
        From a layer to the module.
    parts : tuple of str
        What its output rows hold, block after block, in letters ``q``, ``k``, ``v``. Each block
        is ordered by group: ``("q", "k", "v")`` has all queries before all keys, ``("qkv",)``
        the query, key and value of each head together (GPT-NeoX).
    """

    path: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadCount:
    """An attribute of a layer's modules that counts heads and has to follow a cut.

    Parameters
    ----------
    module, attribute : str
        Path from a layer to the module, and the attribute's name. One that begins with
        ``config.`` is set on a copy of the config that this module alone holds.
    counts : {"groups", "heads", "dimensions"}
        KV groups, query heads, or the inputs of the output projection.
    """

    module: str
    attribute: str
    counts: Literal["groups", "heads", "dimensions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionModules:
    """One family's attention: where it is, and what follows a cut.

    Parameters
    ----------
    output : str
        Path from a layer to the output projection, whose inputs are the heads' dimensions.
    feeding : tuple of Feeding
    bias_home : {"always", "switch", "none"}
        Whether the output projection has a bias, gets one by a config switch, or can't have one.
    bias_switch : str
        That switch; the other projections that it gives a bias get zeros.
    has_head_size : bool
        Whether the stock code takes the size of a head from the config's ``head_dim``. Without,
        it is hidden size over heads, and no plain config can say that there are fewer heads.
    counts : tuple of HeadCount
        Attributes beside the weights' shapes.
    """

    output: str
    feeding: tuple[Feeding, ...]
    bias_home: AttentionBiasHome = "none"
    bias_switch: str = ""
    has_head_size: bool = True
    counts: tuple[HeadCount, ...] = ()


def _separate(prefix: str) -> tuple[Feeding, ...]:
    return tuple(Feeding(path=f"{prefix}.{letter}_proj", parts=(letter,)) for letter in "qkv")


#: A model whose heads no cut has proven: its MLP units are pruned, its attention is not.
UNPROVEN = AttentionModules(output="", feeding=())
#: Qwen2, Mistral: three projections, none has a home for a bias of the output.
SEPARATE = AttentionModules(output="self_attn.o_proj", feeding=_separate("self_attn"))
#: Llama, Qwen3, Gemma: the same with a switch.
SWITCHED = replace(SEPARATE, bias_home="switch", bias_switch="attention_bias")
PHI_3 = AttentionModules(
    output="self_attn.o_proj",
    feeding=(Feeding(path="self_attn.qkv_proj", parts=("q", "k", "v")),),
    counts=(
        HeadCount(module="self_attn", attribute="num_key_value_heads", counts="groups"),
        HeadCount(module="self_attn", attribute="config.num_attention_heads", counts="heads"),
    ),
)
GPT_2 = AttentionModules(
    output="attn.c_proj",
    feeding=(Feeding(path="attn.c_attn", parts=("q", "k", "v")),),
    bias_home="always",
    has_head_size=False,
    counts=(
        HeadCount(module="attn", attribute="num_heads", counts="heads"),
        HeadCount(module="attn", attribute="split_size", counts="dimensions"),
    ),
)
GPT_NEOX = AttentionModules(
    output="attention.dense",
    feeding=(Feeding(path="attention.query_key_value", parts=("qkv",)),),
    bias_home="switch",  # on, as a rule
    bias_switch="attention_bias",
    has_head_size=False,
)
OPT = AttentionModules(
    output="self_attn.out_proj",
    feeding=_separate("self_attn"),
    bias_home="switch",  # on, but for Galactica
    bias_switch="enable_bias",
    has_head_size=False,
    counts=(HeadCount(module="self_attn", attribute="num_heads", counts="heads"),),
)
