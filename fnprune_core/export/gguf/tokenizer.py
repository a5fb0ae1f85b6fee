"""Tokenizers in GGUF files: byte-level BPE whose rule of cutting text llama.cpp knows by name."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
from tokenizers import Regex, pre_tokenizers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Read by both tokenizers when they are compared: digits, contractions, spaces, other scripts.
PROBE = (
    "The quick brown fox didn't pay 1,234.50 in 2024;  she'LL see.\n\n\tdef f(x): return x**2\n"
    "L’été à Zürich — 東京 на 7 🙂 !?"
)


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


def why_no_tokenizer(tokenizer: "PreTrainedTokenizerBase", vocabulary: int) -> str:
    """Return why a tokenizer cannot be written as GGUF, or an empty string."""
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


def copy_tokenizer(writer: Any, source: Path) -> None:
    """Copy all tokenizer fields from the file that the model came from."""
    for key, field in gguf.GGUFReader(source).fields.items():
        if key.startswith("tokenizer."):
            value_type, *item_types = field.types
            writer.add_key_value(
                key, field.contents(), value_type, sub_type=item_types[-1] if item_types else None
            )


def add_tokenizer(writer: Any, tokenizer: Any, vocabulary: int) -> None:
    """Write a tokenizer's tokens, merges, rule and special tokens into a file."""
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
