"""Loading language models: devices, dtypes, weights, and what is checked of them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import transformers  # its parts when they are used: they take seconds

from fnprune_core.errors import ModelNotFoundError, SettingsError
from fnprune_core.models.checkpoint_checks import check_folder
from fnprune_core.models.language_model import LanguageModel, wrap_model
from fnprune_core.models.projections import weight_of
from fnprune_core.models.sources.examine import Checkpoint, examine, loading_errors
from fnprune_core.models.sources.finite import check_finite_model
from fnprune_core.models.sources.fits import Requirement, check_memory, check_stored, requirement
from fnprune_core.models.sources.hub import fetch
from fnprune_core.models.sources.locate import EMBEDDED, with_options
from fnprune_core.models.sources.quantised import check_kernels, is_quantised
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: A weight or a bias of a projection in a numbered layer; buffers that old files keep are none.
_LAYER_NAME = re.compile(r"\.\d+\..*(proj|fc|dense|attn|mlp|norm)\w*\.(weight|bias)$")
DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices in hardware."""
    return torch.backends.mkldnn.is_available() and any(
        bool(check())
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if (check := getattr(torch.cpu, name, None)) is not None
    )


def choose_device(device: str = "auto") -> torch.device:
    """Return the device asked for; ``"auto"`` takes CUDA, then MPS, then the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch_device = torch.device(device)
        torch.empty(1, dtype=torch.float32, device=torch_device)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(
            f"The device {device!r} is not to be had on this machine.",
            hint="Use auto, cpu, or, where there is one, cuda or mps.",
        ) from error
    return torch_device


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """Return the dtype asked for; ``"auto"`` takes bfloat16 where it is fast, else float32."""
    if dtype != "auto":
        if dtype not in DTYPES:
            raise SettingsError(
                f"{dtype!r} is no dtype for a model.", hint=f"Use auto, {', '.join(DTYPES)}."
            )
        return DTYPES[dtype]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu" and has_fast_bfloat16():
        return torch.bfloat16
    return torch.float32


def _check_complete(
    source: str, found: Mapping[str, Any], tokenizer: "PreTrainedTokenizerBase"
) -> None:
    """Refuse missing weights, which transformers would draw at random, and an empty vocabulary.

    Parameters
    ----------
    found : mapping
        What transformers says of loading: ``missing_keys`` and ``unexpected_keys``.
    """
    missing = sorted(found["missing_keys"])
    layers = [name for name in sorted(found["unexpected_keys"]) if _LAYER_NAME.search(name)]
    if layers:
        raise ModelNotFoundError(
            f"The weights of {source!r} hold {len(layers)} tensors of layers that its config does "
            f"not ask for, {layers[0]} among them: the model would be another one.",
            hint="Fetch the model again, or check that config.json belongs to these weights.",
        )
    if missing:
        raise ModelNotFoundError(
            f"The weights of {source!r} lack {len(missing)} parameters that its config asks for, "
            f"{missing[0]} among them.",
            hint="Fetch the model again, or check that config.json belongs to these weights.",
        )
    if not tokenizer("a b", add_special_tokens=False)["input_ids"]:
        raise ModelNotFoundError(
            f"The tokenizer of {source!r} turns text into nothing: its files are missing or "
            "damaged.",
            hint="Put tokenizer.json and tokenizer_config.json beside config.json.",
        )


def _check_vocabulary(
    source: str, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase"
) -> None:
    """Refuse a tokenizer that gives ids for which the model has no embedding."""
    n_rows = weight_of(model.get_input_embeddings()).shape[0]
    # A token that was added, for padding as a rule, need never be read.
    added = tokenizer.get_added_vocab()
    ids = [id for token, id in tokenizer.get_vocab().items() if token not in added]
    highest = max(ids, default=0)
    if highest >= n_rows:
        raise ModelNotFoundError(
            f"The tokenizer of {source!r} has ids up to {highest:,}, the model embeds {n_rows:,}.",
            hint="Put the tokenizer's files of this very model beside config.json.",
        )


def _read_model(
    checkpoint: Checkpoint, arguments: dict[str, Any], device: torch.device
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return weights, on `device` unless they are sharded, and tokenizer."""
    loaded: Any
    source, location = checkpoint.source, str(checkpoint.folder)
    safe = {} if checkpoint.gguf else {"use_safetensors": True}
    with loading_errors(source):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            location, trust_remote_code=False, **checkpoint.extra
        )
        loaded = transformers.AutoModelForCausalLM.from_pretrained(
            location,
            output_loading_info=True,
            trust_remote_code=False,
            **checkpoint.extra,
            **arguments,
            **safe,
        )
        if "device_map" not in arguments:
            torch.nn.Module.to(loaded[0], device)
    model: PreTrainedModel = loaded[0]
    _check_complete(source, loaded[1], tokenizer)
    _check_vocabulary(source, model, tokenizer)
    return model, tokenizer


def look_at(
    source: str = EMBEDDED,
    *,
    device: str = "auto",
    dtype: str = "auto",
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Requirement:
    """Return what a model takes, before its weights are fetched; arguments as `load_model`'s."""
    plain, options = with_options(source, device=device, dtype=dtype)
    is_sharded = options["device"] == "sharded"
    torch_device = choose_device("auto" if is_sharded else options["device"])
    checkpoint = examine(plain, progress=progress, cancel=cancel)
    return requirement(
        checkpoint, dtype=choose_dtype(options["dtype"], torch_device), device=torch_device
    )


def load_model(
    source: str = EMBEDDED,
    *,
    device: str = "auto",
    dtype: str = "auto",
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> LanguageModel:
    """Load a causal language model for recording.

    Parameters
    ----------
    source : str
        ``"embedded"``, a Hugging Face id with ``@revision`` behind it if one is meant, a local
        folder, or a GGUF file. ``?dtype=bfloat16`` and ``?device=sharded`` behind it take the
        place of the arguments.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"sharded"`` to spread a large model
        over all devices with accelerate.
    dtype : str
        ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    progress : callable, optional
        Called while files are fetched, and once the embedded model is prepared.
    cancel : CancelToken, optional
        Stops the download, of which nothing is left then.

    Returns
    -------
    LanguageModel
        In evaluation mode. Code that comes with a checkpoint is never run.

    Raises
    ------
    ModelNotFoundError
        If nothing is there, or it is gated or damaged.
    UnsupportedArchitectureError
        If no units are found that can be cut, or the kernels of a quantised checkpoint are missing.
    SettingsError
        If memory does not hold it.
    NonFiniteError
        If the model predicts NaN on a few tokens.
    """
    plain, options = with_options(source, device=device, dtype=dtype)
    is_sharded = options["device"] == "sharded"
    torch_device = choose_device("auto" if is_sharded else options["device"])
    arguments: dict[str, Any] = {"dtype": choose_dtype(options["dtype"], torch_device)}
    checkpoint = examine(plain, progress=progress, cancel=cancel)
    if checkpoint.quantisation:
        check_kernels(plain, checkpoint.config, torch_device)
    if is_sharded:
        arguments["device_map"] = "auto"
    elif checkpoint.quantisation:
        arguments["device_map"] = {"": torch_device}
    if not is_sharded:
        check_memory(checkpoint, dtype=arguments["dtype"], device=torch_device)
    if checkpoint.files is not None:
        fetch(checkpoint.files, list(checkpoint.files.weights), progress=progress, cancel=cancel)
        n_stored = check_folder(plain, checkpoint.folder)
        checkpoint = replace(checkpoint, n_stored=n_stored)
    check_stored(checkpoint)
    model, tokenizer = _read_model(checkpoint, arguments, torch_device)
    is_plain = not any(map(is_quantised, model.modules()))
    if is_plain and hasattr(model.config, "quantization_config"):
        # A dequantised model still says it is quantised, and then refuses to be saved.
        del model.config.quantization_config
    language_model = wrap_model(model, tokenizer, name=checkpoint.name, source=plain)
    with loading_errors(plain):
        check_finite_model(plain, model)
    return language_model
