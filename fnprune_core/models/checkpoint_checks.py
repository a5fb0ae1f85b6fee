"""What a checkpoint says of itself, checked before a model is built of it.

A config of a few bytes can ask for any number of layers, and a header for any number of bytes:
both are refused here, with the numbers, while they are still text.
"""

import copy
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import torch
import transformers

from fnprune_core.errors import FnpruneError, ModelNotFoundError
from fnprune_core.inputs.files import check_size, read_bytes
from fnprune_core.inputs.json_values import parse_json, whole
from fnprune_core.inputs.tensor_files import gguf_header, stored_tensors

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
MOST_CONFIG_BYTES = 16_000_000
#: Other JSON of a checkpoint: tokenizers of 262,144 tokens have 34 MB.
MOST_JSON_BYTES = 256_000_000
MOST_LAYERS = 512
#: transformers takes a time that grows with the square of a GGUF file's layers: 30 s for 32.
MOST_GGUF_LAYERS = 160
_MOST_WIDTH = 1 << 20
_MOST_HEADS = 1 << 13
_MOST_TOKENS = 1 << 22
_MOST_POSITIONS = 1 << 27

#: Largest values of what sizes a model, by the names that configs have for them.
LIMITS: dict[str, int] = {
    **dict.fromkeys(("num_hidden_layers", "n_layer"), MOST_LAYERS),
    **dict.fromkeys(("hidden_size", "n_embd", "word_embed_proj_dim"), _MOST_WIDTH),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim"), _MOST_WIDTH),
    **dict.fromkeys(("num_attention_heads", "n_head", "num_key_value_heads"), _MOST_HEADS),
    "head_dim": _MOST_HEADS,
    "vocab_size": _MOST_TOKENS,
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx"), _MOST_POSITIONS),
}
#: The same in a GGUF file, after the name of the architecture.
_GGUF_LIMITS: dict[str, int] = {
    "block_count": MOST_GGUF_LAYERS,
    "embedding_length": _MOST_WIDTH,
    "feed_forward_length": _MOST_WIDTH,
    "attention.head_count": _MOST_HEADS,
    "attention.head_count_kv": _MOST_HEADS,
    "attention.key_length": _MOST_HEADS,
    "vocab_size": _MOST_TOKENS,
    "context_length": _MOST_POSITIONS,
}
#: Times as many layers as there are, with one more, that a config may ask for before it is refused
#: here; smaller gaps are told by name, later.
_MOST_MORE = 2
_NUMBER_IN_NAME = re.compile(r"\.(\d{1,6})\.")


def check_folder(source: str, folder: Path, *, is_whole: bool = True) -> int | None:
    """Check the config and the headers of a checkpoint's folder; return its numbers of weights.

    Parameters
    ----------
    is_whole : bool
        Whether all weights should be there; of a model of the hub they may come later.

    Returns
    -------
    int or None
        None where not all weights are in safetensors.

    Raises
    ------
    ModelNotFoundError
        Naming the file and what in it makes no sense.
    """
    content = read_bytes(folder / CONFIG, most=MOST_CONFIG_BYTES, error=ModelNotFoundError)
    try:
        config = parse_json(content)
    except ValueError as error:
        raise _damaged(source, CONFIG, f"it is not a valid JSON file: {error}") from error
    if not isinstance(config, dict):
        raise _damaged(source, CONFIG, "it is not a valid JSON file of an object")
    check_sizes(source, config, LIMITS, CONFIG)
    for path in folder.glob("*.json"):
        if path.is_file():
            check_size(path, most=MOST_JSON_BYTES, error=ModelNotFoundError)
    if not is_whole:
        return None
    _check_index(source, folder)
    return _check_weights(source, folder, config)


def _check_index(source: str, folder: Path) -> None:
    """Refuse an index of shards that names files elsewhere than in the folder, or missing ones."""
    path = folder / INDEX
    if not path.is_file():
        return
    try:
        shards = parse_json(path.read_bytes())["weight_map"].values()
        names = sorted({name for name in shards if isinstance(name, str)})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(source, INDEX, "it is not a valid JSON file with a weight_map") from error
    for name in names:
        place = PurePosixPath(name.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or PureWindowsPath(name).drive:
            raise _damaged(source, INDEX, f"it names the file {name!r}, which is out of the folder")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise _damaged(
            source,
            INDEX,
            f"it names {len(names):,} files of weights, of which {len(missing):,} are missing, "
            f"{missing[0]!r} among them",
        )


def _check_weights(source: str, folder: Path, config: Mapping[str, Any]) -> int | None:
    n_values = n_layers = 0
    paths = [path for path in sorted(folder.glob("*.safetensors")) if path.is_file()]
    for path in paths:
        try:
            tensors = stored_tensors(path)
            n_values += sum(math.prod(tensor.shape) for tensor in tensors.values())
            n_layers = max(n_layers, n_layers_in(tensors))
        except (OSError, ValueError) as error:
            raise _damaged(source, path.name, str(error)) from error
    n_asked = config.get("num_hidden_layers", config.get("n_layer"))
    if paths and isinstance(n_asked, int) and n_asked > _MOST_MORE * (n_layers + 1):
        raise _damaged(
            source, CONFIG, f"it asks for {n_asked:,} layers, the weights are of {n_layers:,}"
        )
    return n_values if paths else None


def n_layers_in(names: Iterable[str]) -> int:
    """Return the number of layers that names of tensors count: one more than the largest number."""
    numbers = (int(found[1]) for name in names if (found := _NUMBER_IN_NAME.search(name)))
    return max(numbers, default=-1) + 1


def check_gguf(source: str, path: Path) -> None:
    """Raise `ModelNotFoundError` if the header of a GGUF file makes no sense, naming what."""
    try:
        header = gguf_header(path)
    except (OSError, ValueError) as error:
        raise _damaged(source, path.name, str(error)) from error
    family = header.facts.get("general.architecture")
    if not isinstance(family, str):
        raise _damaged(source, path.name, "it does not say general.architecture")
    limits = {f"{family}.{name}": most for name, most in _GGUF_LIMITS.items()}
    check_sizes(source, header.facts, limits, path.name)
    n_asked, n_layers = header.facts.get(f"{family}.block_count"), n_layers_in(header.shapes)
    if n_asked != n_layers:
        raise _damaged(
            source,
            path.name,
            f"it says {family}.block_count {str(n_asked)[:40]}, its tensors are of {n_layers:,} "
            "layers",
        )


def check_sizes(
    source: str, values: Mapping[str, Any], limits: Mapping[str, int], file: str
) -> None:
    """Raise `ModelNotFoundError` if a size of a model is no whole number, or far above any model.

    A size that is a list, or null, is left to the family's own config.
    """
    for name, most in limits.items():
        value = values.get(name)
        if value is None or isinstance(value, list):
            continue
        try:
            whole(value, what=name, low=1, high=most)
        except ValueError as error:
            raise _damaged(source, file, str(error)) from error


def blank_model(config: "PretrainedConfig") -> "PreTrainedModel":
    """Return the model of a config without any weights: on the device ``meta``, in milliseconds."""
    with torch.device("meta"):
        model: PreTrainedModel = transformers.AutoModelForCausalLM.from_config(
            copy.deepcopy(config), trust_remote_code=False
        )
    return model


def _damaged(source: str, file: str, reason: str) -> FnpruneError:
    return ModelNotFoundError(
        f"The model {source!r} could not be loaded: {file} is damaged: {reason}.",
        hint="Is a file missing or damaged? Fetch the model again.",
    )
