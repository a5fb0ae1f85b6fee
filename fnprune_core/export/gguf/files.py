"""Write a pruned model as one GGUF file for llama.cpp, and read its weights back.

Only what was tried: families whose layers llama.cpp builds as transformers does, and byte-level
BPE tokenizers that split text by a rule that llama.cpp knows by name. All else is refused in
words, before anything is written. Layers that differ, and biases, need the architecture `deci`,
in which llama.cpp reads Llama-like models from architecture search.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.errors import PlanError
from fnprune_core.export.gguf.tokenizer import (
    add_tokenizer,
    copy_tokenizer,
    pre_tokenizer_name,
    why_no_tokenizer,
)
from fnprune_core.export.gguf.weights import gguf_name, quantised, stored_type, weight_type
from fnprune_core.models.language_model import LanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFamily:
    """A family as llama.cpp names it.

    Parameters
    ----------
    name : str
        Of the architecture whose layers are alike.
    uneven : str
        Of the one whose layers differ in width or heads, and whose projections may have biases;
        empty where llama.cpp has none.
    is_permuted : bool
        Whether the rows of queries and keys are stored pairwise, as Llama's first release did.
    biases : tuple of str
        Projections that have a bias in the plain architecture.
    head_size : int or None
        The one that transformers' reader takes for granted, if it does.
    """

    name: str
    uneven: str = ""
    is_permuted: bool = False
    biases: tuple[str, ...] = ()
    head_size: int | None = None


FAMILIES: dict[str, GgufFamily] = {
    "Llama": GgufFamily(name="llama", uneven="deci", is_permuted=True),
    "Qwen2": GgufFamily(name="qwen2", biases=("q_proj", "k_proj", "v_proj")),
    "Qwen3": GgufFamily(name="qwen3", head_size=128),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSizes:
    """Sizes of each layer of a pruned copy, as its own weights have them."""

    widths: tuple[int, ...]
    heads: tuple[int, ...]
    groups: tuple[int, ...]

    @property
    def are_alike(self) -> bool:
        """Whether all layers have the same."""
        return all(len(set(sizes)) == 1 for sizes in (self.widths, self.heads, self.groups))

    @classmethod
    def of(cls, model: "PreTrainedModel") -> "LayerSizes":
        """Return the sizes of a model with Llama's names of modules."""
        size, layers = head_size(model.config), model.get_submodule("model.layers").children()
        weights = [dict(layer.named_parameters()) for layer in layers]
        return cls(
            widths=tuple(each["mlp.down_proj.weight"].shape[1] for each in weights),
            heads=tuple(each["self_attn.q_proj.weight"].shape[0] // size for each in weights),
            groups=tuple(each["self_attn.k_proj.weight"].shape[0] // size for each in weights),
        )


def reading_back(language_model: LanguageModel, *, weights: str) -> dict[str, Any]:
    """Return the arguments by which `reload_elsewhere` reads a file of this model.

    transformers' reader leaves out the rule of SmolLM's files that digits stand apart, which
    llama.cpp knows: where the file says so, it is put back before texts are compared.
    """
    is_own = not is_gguf_file(language_model.source)
    return {
        "gguf_file": gguf_name(weights),
        "digits_apart": is_own and pre_tokenizer_name(language_model.tokenizer) == "smollm",
    }


def why_no_gguf(language_model: LanguageModel) -> str:
    """Return why a model cannot be written as GGUF, or an empty string."""
    family, config = language_model.architecture.family, language_model.model.config
    if family not in FAMILIES:
        return (
            f"{family} models are not written as GGUF here: {', '.join(FAMILIES)} are. "
            "llama.cpp's own converter may take the uniform export."
        )
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default":
        return (
            f"Its positions are scaled ({rope['rope_type']}), which is not written as GGUF here; "
            "llama.cpp's own converter may take the uniform export."
        )
    assumed_head_size = FAMILIES[family].head_size
    if assumed_head_size is not None and head_size(config) != assumed_head_size:
        return (
            f"A {family} file is read back as if its heads had {assumed_head_size} dimensions; "
            f"these have {head_size(config)}, so it could not be checked."
        )
    if getattr(config, "use_sliding_window", False):
        return "Its sliding window of attention is not written as GGUF here."
    if is_gguf_file(language_model.source):
        return ""
    return why_no_tokenizer(language_model.tokenizer, int(config.vocab_size))


def head_size(config: Any) -> int:
    """Return the dimensions of an attention head."""
    configured = getattr(config, "head_dim", None)
    return int(configured or config.hidden_size // config.num_attention_heads)


def is_gguf_file(source: str) -> bool:
    """Whether a model came from a GGUF file, whose tokenizer then is copied as it stands."""
    path = Path(source).expanduser()
    return path.suffix.lower() == ".gguf" and path.is_file()


def takes_uneven(family: str) -> bool:
    """Whether llama.cpp has a place for layers of this family that differ, and for biases."""
    return family in FAMILIES and bool(FAMILIES[family].uneven)


def architecture_of(family: GgufFamily, model: "PreTrainedModel") -> str:
    """Return llama.cpp's architecture for a pruned copy: the plain one wherever it does.

    Raises
    ------
    PlanError
        If it needs one for uneven layers or biases, and the family has none.
    """
    odd = [
        name
        for name, values in model.state_dict().items()
        if name.endswith(".bias") and values.any() and name.split(".")[-2] not in family.biases
    ]
    if not odd and LayerSizes.of(model).are_alike:
        return family.name
    if not family.uneven:
        raise PlanError(
            f"GGUF has no place for {odd[0] if odd else 'layers that differ'} in a {family.name} "
            "model.",
            hint="Make the plan with the uniform allocation, and with compensation none, or "
            "least-squares without intercept.",
        )
    return family.uneven


def write_gguf(
    language_model: LanguageModel, model: "PreTrainedModel", path: Path, *, weights: str = "F16"
) -> str:
    """Write a model as a GGUF file, and return the architecture that it is written as.

    Memory: the weights once more, in the type in which they are stored.

    Parameters
    ----------
    language_model : LanguageModel
        Where the model and its tokenizer come from.
    model : PreTrainedModel
        The pruned copy.

    Raises
    ------
    PlanError
        If llama.cpp has no place for a part of it.
    SettingsError
        If the weight type needs llama.cpp itself, and it is not installed.
    """
    target_type, reason = weight_type(weights), why_no_gguf(language_model)
    if reason:
        raise PlanError(reason, hint="Export the uniform form; it loads anywhere.")
    family = FAMILIES[language_model.architecture.family]
    architecture = architecture_of(family, model)
    tensors = {name: values for name, _, values in _tensors(model, family)}
    writer = gguf.GGUFWriter(path, architecture)
    try:
        _add_metadata(writer, model, language_model.name)
        writer.add_file_type(target_type.file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        if is_gguf_file(language_model.source):
            copy_tokenizer(writer, Path(language_model.source).expanduser())
        else:
            add_tokenizer(writer, language_model.tokenizer, int(model.config.vocab_size))
        for name, values in tensors.items():
            kind = stored_type(
                weights, name, values.shape,
                n_layers=int(model.config.num_hidden_layers), has_output="output.weight" in tensors,
            )  # fmt: skip
            writer.add_tensor(name, quantised(values, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    return architecture


def read_weights(path: Path, model: "PreTrainedModel", family: GgufFamily) -> None:
    """Give a pruned copy the weights that a file of it holds, as the file's types round them."""
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, source_name, values in _tensors(model, family):
            tensor = stored[name]
            back = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(values.shape)
            if _is_permuted(source_name, family):
                back = permuted(back, _n_heads(back, model), inverse=True)
            parameters[source_name].copy_(torch.tensor(back, dtype=torch.float32))


def _tensors(
    model: "PreTrainedModel", family: GgufFamily
) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """Yield llama.cpp's name, the model's own, and the values, float32, of each weight.

    Biases that are all zero are left out: the model's config switches them on together.
    """
    config = model.config
    [architecture] = [
        candidate for candidate, name in gguf.MODEL_ARCH_NAMES.items() if name == family.name
    ]
    names = gguf.get_tensor_name_map(architecture, int(config.num_hidden_layers))
    for source_name, tensor in model.state_dict().items():
        is_bias = source_name.endswith(".bias")
        if (source_name == "lm_head.weight" and config.tie_word_embeddings) or (
            is_bias and not tensor.any()
        ):
            continue
        name = names.get_name(source_name, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise PlanError(
                f"GGUF has no place for {source_name} of this model.",
                hint="Export the uniform form.",
            )
        values = tensor.detach().cpu().float().numpy()
        if _is_permuted(source_name, family):
            values = permuted(values, _n_heads(values, model))
        yield name, source_name, np.ascontiguousarray(values)


def _is_permuted(source_name: str, family: GgufFamily) -> bool:
    return family.is_permuted and source_name.rpartition(".")[0].endswith(("q_proj", "k_proj"))


def _n_heads(rows: NDArray[np.float32], model: "PreTrainedModel") -> int:
    return len(rows) // head_size(model.config)


def permuted(
    rows: NDArray[np.float32], n_heads: int, *, inverse: bool = False
) -> NDArray[np.float32]:
    """Return a projection's rows with the two halves of each head interleaved, or apart again.

    Llama's rotation turns neighbouring rows there, and rows half a head apart in transformers.
    """
    half = rows.shape[0] // n_heads // 2
    parts = (n_heads, half, 2) if inverse else (n_heads, 2, half)
    return rows.reshape(*parts, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def _add_metadata(writer: Any, model: "PreTrainedModel", name: str) -> None:
    config, sizes = model.config, LayerSizes.of(model)
    size = head_size(config)
    rope = getattr(config, "rope_parameters", None) or {}

    def one_or_all(counts: tuple[int, ...]) -> int | list[int]:
        return list(counts) if not sizes.are_alike else counts[0]

    writer.add_type("model")
    writer.add_name(f"{name}, pruned by fnprune")
    writer.add_block_count(int(config.num_hidden_layers))
    writer.add_context_length(int(config.max_position_embeddings))
    writer.add_embedding_length(int(config.hidden_size))
    writer.add_feed_forward_length(one_or_all(sizes.widths))
    writer.add_head_count(one_or_all(sizes.heads))
    writer.add_head_count_kv(one_or_all(sizes.groups))
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.rope_theta))
    writer.add_layer_norm_rms_eps(float(config.rms_norm_eps))
    writer.add_vocab_size(int(config.vocab_size))
