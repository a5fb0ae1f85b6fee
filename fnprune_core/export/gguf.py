"""Write a pruned model as one GGUF file for llama.cpp: weights by its names, tokenizer, facts.

Only what was tried: families whose layers llama.cpp builds as transformers does, and byte-level
BPE tokenizers that split text by a rule that llama.cpp knows by name. All else is refused in
words, before anything is written.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, pre_tokenizers

from fnprune_core.errors import PlanError
from fnprune_core.inputs.tables import row_named
from fnprune_core.models.language_model import LanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Read by both tokenizers when they are compared: digits, contractions, spaces, other scripts.
PROBE = (
    "The quick brown fox didn't pay 1,234.50 in 2024;  she'LL see.\n\n\tdef f(x): return x**2\n"
    "L’été à Zürich — 東京 на 7 🙂 !?"
)
_BLOCK = 32  # weights in a block of Q8_0


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFamily:
    """A family as llama.cpp names it.

    Parameters
    ----------
    name : str
        Of the architecture.
    is_permuted : bool
        Whether the rows of queries and keys are stored pairwise, as Llama's first release did.
    head_size : int or None
        The one that transformers' reader takes for granted, if it does.
    """

    name: str
    is_permuted: bool = False
    head_size: int | None = None


FAMILIES: dict[str, GgufFamily] = {
    "Llama": GgufFamily(name="llama", is_permuted=True),
    "Qwen2": GgufFamily(name="qwen2"),
    "Qwen3": GgufFamily(name="qwen3", head_size=128),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightType:
    """A way of storing weights; vectors are always float32, as llama.cpp wants them.

    Parameters
    ----------
    bytes_each : float
        Of a weight, about.
    tolerance : float
        How much of the logits' size the file may change, by rounding alone.
    """

    quantisation: gguf.GGMLQuantizationType
    file_type: gguf.LlamaFileType
    description: str
    bytes_each: float
    tolerance: float


WEIGHT_TYPES: dict[str, WeightType] = {
    "F16": WeightType(
        quantisation=gguf.GGMLQuantizationType.F16,
        file_type=gguf.LlamaFileType.MOSTLY_F16,
        description="half precision, 2 bytes a weight",
        bytes_each=2.0,
        tolerance=0.01,
    ),
    "F32": WeightType(
        quantisation=gguf.GGMLQuantizationType.F32,
        file_type=gguf.LlamaFileType.ALL_F32,
        description="single precision, 4 bytes a weight",
        bytes_each=4.0,
        tolerance=1e-4,
    ),
    "Q8_0": WeightType(
        quantisation=gguf.GGMLQuantizationType.Q8_0,
        file_type=gguf.LlamaFileType.MOSTLY_Q8_0,
        description="8 bits and a scale for 32 weights, 1.06 bytes a weight",
        bytes_each=34 / 32,
        tolerance=0.1,
    ),
}


def weight_type(name: str) -> WeightType:
    """Return the weight type with this name; the error lists those there are."""
    also = "; llama-quantize makes all others from F16"
    return row_named(WEIGHT_TYPES, name, "weight type", also=also)


def gguf_name(weights: str) -> str:
    """Return the name of the file in an export of the form gguf."""
    return f"model-{weights}.gguf"


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


def _split_rule(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
#: llama.cpp's name of a rule by which text is cut before merging, and the rule.
PRE_TOKENIZERS: dict[str, Callable[[], pre_tokenizers.PreTokenizer]] = {
    "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
    "smollm": lambda: pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    ),
    "llama-bpe": lambda: _split_rule(_WORDS + r"|\p{N}{1,3}" + _REST),
    "qwen2": lambda: _split_rule(_WORDS + r"|\p{N}" + _REST),
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
    return _why_no_tokenizer(language_model.tokenizer, int(config.vocab_size))


def head_size(config: Any) -> int:
    """Return the dimensions of an attention head."""
    configured = getattr(config, "head_dim", None)
    return int(configured or config.hidden_size // config.num_attention_heads)


def is_gguf_file(source: str) -> bool:
    """Whether a model came from a GGUF file, whose tokenizer then is copied as it stands."""
    path = Path(source).expanduser()
    return path.suffix.lower() == ".gguf" and path.is_file()


def _why_no_tokenizer(tokenizer: "PreTrainedTokenizerBase", vocabulary: int) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return "Its tokenizer has no fast form (tokenizer.json), from which GGUF's is written."
    tokenizer_json = json.loads(backend.to_str())
    if tokenizer_json["model"].get("type") != "BPE" or tokenizer_json["model"].get("byte_fallback"):
        return (
            "Its tokenizer is not a byte-level BPE, the one kind that is written as GGUF here; "
            "llama.cpp's own converter may take the uniform export."
        )
    if not pre_tokenizer_name(tokenizer):
        return (
            f"Its tokenizer cuts text by a rule that is none of {', '.join(PRE_TOKENIZERS)}, so "
            "llama.cpp would read texts otherwise."
        )
    if len(tokenizer) > vocabulary:
        return f"Its tokenizer has {len(tokenizer)} tokens, the model {vocabulary}."
    return ""


def pre_tokenizer_name(tokenizer: Any) -> str:
    """Return llama.cpp's name of a tokenizer's rule, found by trying, or an empty string."""
    pre_tokenizer = tokenizer.backend_tokenizer.pre_tokenizer
    if pre_tokenizer is None:
        return ""

    def pieces(rule: pre_tokenizers.PreTokenizer) -> list[str]:
        return [piece for piece, _ in rule.pre_tokenize_str(PROBE)]

    expected = pieces(pre_tokenizer)
    return next(
        (name for name, make_rule in PRE_TOKENIZERS.items() if pieces(make_rule()) == expected), ""
    )


def write_gguf(
    language_model: LanguageModel, model: "PreTrainedModel", path: Path, *, weights: str = "F16"
) -> None:
    """Write a model as a GGUF file; `language_model` is where it and its tokenizer come from.

    Memory: the weights once more, in the type in which they are stored.

    Raises
    ------
    PlanError
        If llama.cpp, or transformers when it reads the file back, has no place for a part of it.
    """
    target_type, reason = weight_type(weights), why_no_gguf(language_model)
    if reason:
        raise PlanError(reason, hint="Export the uniform form; it loads anywhere.")
    family = FAMILIES[language_model.architecture.family]
    tensors = _tensors_by_name(model, family)
    writer = gguf.GGUFWriter(path, family.name)
    try:
        _add_metadata(writer, model.config, language_model.name)
        writer.add_file_type(target_type.file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        if is_gguf_file(language_model.source):
            _copy_tokenizer(writer, Path(language_model.source).expanduser())
        else:
            _add_tokenizer(writer, language_model.tokenizer, int(model.config.vocab_size))
        for name, values in tensors.items():
            tensor_type = _quantisation_of(values, target_type.quantisation)
            quantised = gguf.quants.quantize(values, tensor_type)
            writer.add_tensor(name, quantised, raw_dtype=tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _quantisation_of(
    values: NDArray[np.float32], default_type: gguf.GGMLQuantizationType
) -> gguf.GGMLQuantizationType:
    if values.ndim == 1:
        return gguf.GGMLQuantizationType.F32
    if default_type == gguf.GGMLQuantizationType.Q8_0 and values.shape[-1] % _BLOCK:
        return gguf.GGMLQuantizationType.F16  # as llama.cpp's converter does
    return default_type


def _tensors_by_name(
    model: "PreTrainedModel", family: GgufFamily
) -> dict[str, NDArray[np.float32]]:
    """Return all weights by llama.cpp's names, float32."""
    config = model.config
    [architecture] = [
        candidate for candidate, name in gguf.MODEL_ARCH_NAMES.items() if name == family.name
    ]
    names = gguf.get_tensor_name_map(architecture, int(config.num_hidden_layers))
    tensors = {}
    for source_name, tensor in model.state_dict().items():
        if source_name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        name = names.get_name(source_name, try_suffixes=(".weight", ".bias"))
        # Where queries and keys are permuted, no bias is read back.
        is_odd_bias = family.is_permuted and source_name.endswith(".bias")
        if name is None or is_odd_bias or source_name.endswith("down_proj.bias"):
            raise PlanError(
                f"GGUF has no place that is read back for {source_name} of this model.",
                hint="Make the plan with compensation none, or least-squares without intercept."
                if source_name.endswith(".bias")
                else "Export the uniform form.",
            )
        values = tensor.detach().cpu().float().numpy()
        if family.is_permuted and source_name.endswith(("q_proj.weight", "k_proj.weight")):
            is_query = source_name.endswith("q_proj.weight")
            n_heads = config.num_attention_heads if is_query else config.num_key_value_heads
            values = permuted(values, int(n_heads))
        tensors[name] = np.ascontiguousarray(values)
    return tensors


def permuted(rows: NDArray[np.float32], n_heads: int) -> NDArray[np.float32]:
    """Return a projection's rows with the two halves of each head interleaved.

    Llama's rotation turns neighbouring rows there, and rows half a head apart in transformers.
    """
    halves = rows.reshape(n_heads, 2, rows.shape[0] // n_heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _add_metadata(writer: Any, config: Any, name: str) -> None:
    head_dimensions = int(
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    rope = getattr(config, "rope_parameters", None) or {}
    writer.add_type("model")
    writer.add_name(f"{name}, pruned by fnprune")
    writer.add_block_count(int(config.num_hidden_layers))
    writer.add_context_length(int(config.max_position_embeddings))
    writer.add_embedding_length(int(config.hidden_size))
    writer.add_feed_forward_length(int(config.intermediate_size))
    writer.add_head_count(int(config.num_attention_heads))
    writer.add_head_count_kv(int(config.num_key_value_heads))
    writer.add_key_length(head_dimensions)
    writer.add_value_length(head_dimensions)
    writer.add_rope_dimension_count(head_dimensions)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.rope_theta))
    writer.add_layer_norm_rms_eps(float(config.rms_norm_eps))
    writer.add_vocab_size(int(config.vocab_size))


def _copy_tokenizer(writer: Any, source: Path) -> None:
    """Copy all tokenizer fields from the file that the model came from."""
    for key, field in gguf.GGUFReader(source).fields.items():
        if key.startswith("tokenizer."):
            value_type, *item_types = field.types
            writer.add_key_value(
                key, field.contents(), value_type, sub_type=item_types[-1] if item_types else None
            )


def _add_tokenizer(writer: Any, tokenizer: Any, vocabulary: int) -> None:
    tokenizer_json = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens, token_types = _vocabulary(tokenizer_json, vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer_name(tokenizer))
    writer.add_token_list(tokens)
    writer.add_token_types(token_types)
    merges = tokenizer_json["model"]["merges"]
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]
    )
    for name, add in (
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("unk", writer.add_unk_token_id),
        ("pad", writer.add_pad_token_id),
    ):
        id = getattr(tokenizer, f"{name}_token_id")
        if id is not None:
            add(int(id))
    without_special, with_special = (
        tokenizer("a", add_special_tokens=is_special)["input_ids"] for is_special in (False, True)
    )
    writer.add_add_bos_token(
        len(with_special) > len(without_special) and with_special[0] == tokenizer.bos_token_id
    )
    writer.add_add_eos_token(
        len(with_special) > len(without_special) and with_special[-1] == tokenizer.eos_token_id
    )
    writer.add_add_space_prefix(False)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _vocabulary(tokenizer_json: Mapping[str, Any], size: int) -> tuple[list[str], list[int]]:
    """Return each token's text and type; ids that the tokenizer leaves out are unused."""
    tokens = [f"[PAD{id}]" for id in range(size)]
    token_types = [int(gguf.TokenType.UNUSED)] * size
    for text, id in tokenizer_json["model"]["vocab"].items():
        tokens[id], token_types[id] = text, int(gguf.TokenType.NORMAL)
    for added in tokenizer_json["added_tokens"]:
        token_type = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        tokens[added["id"]], token_types[added["id"]] = added["content"], int(token_type)
    return tokens, token_types
