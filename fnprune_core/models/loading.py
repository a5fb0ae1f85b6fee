"""Loading language models: hub ids, folders, GGUF files; devices, dtypes and errors."""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import torch
import transformers  # its parts when they are used: they take seconds
from huggingface_hub import constants

from fnprune_core.errors import (
    FnpruneError,
    ModelNotFoundError,
    SettingsError,
    UnsupportedArchitectureError,
)
from fnprune_core.inputs.files import path_of
from fnprune_core.models.architectures import known_architecture, weight_of
from fnprune_core.models.checkpoint_checks import (
    CONFIG,
    LIMITS,
    blank_model,
    check_folder,
    check_gguf,
    check_memory,
    check_sizes,
)
from fnprune_core.models.embedded import embedded_model_folder
from fnprune_core.models.language_model import LanguageModel, wrap_model
from fnprune_core.models.structure.proposals import propose
from fnprune_core.progress import Progress, ignore

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = "embedded"
#: Endings of pickles, whose reading can run code that lies in them.
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".msgpack")
#: A weight or a bias of a projection in a numbered layer; buffers that old files keep are none.
_LAYER_NAME = re.compile(r"\.\d+\..*(proj|fc|dense|attn|mlp|norm)\w*\.(weight|bias)$")
_PER_LAYER_TYPE = "fnprune_"  # the model type of configs of `modeling_per_layer` begins so
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


def _hub_is_reachable() -> bool:
    """Whether the hub answers; without this, an offline machine waits for a minute of retries."""
    if constants.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        return True  # behind a proxy a direct connection says nothing
    address = urlsplit(constants.ENDPOINT)
    try:
        socket.create_connection((address.hostname, address.port or 443), timeout=3).close()
    except OSError:
        return False
    return True


def _locate(source: str) -> tuple[str, dict[str, Any], str]:
    """Return (location for `from_pretrained`, its other arguments, a name for people)."""
    if source == EMBEDDED:
        return "", {}, "SmolLM2-135M-Instruct (embedded)"
    if not source or "\0" in source:
        raise ModelNotFoundError(
            f"{source!r} names no model.",
            hint="Give `embedded`, a Hugging Face id, a folder or a GGUF file.",
        )
    path = path_of(source)
    if path.is_file():
        if path.suffix.lower() in _PICKLES:
            raise _pickle_error(source, path.name)
        if path.suffix.lower() != ".gguf":
            raise ModelNotFoundError(
                f"{path} is a file, but not a GGUF file.",
                hint="Give a .gguf file, or the folder that holds config.json.",
            )
        return str(path.parent), {"gguf_file": path.name}, path.stem
    if path.is_dir():
        if (path / "config.json").is_file():
            _refuse_pickles(source, path)
            return str(path), {}, path.resolve().name
        files = sorted(path.glob("*.gguf"))
        if len(files) == 1:
            return str(path), {"gguf_file": files[0].name}, files[0].stem
        content = f"{len(files)} GGUF files" if files else "neither config.json nor a GGUF file"
        raise ModelNotFoundError(
            f"The folder {path} holds {content}.",
            hint="Give a Hugging Face model folder, or one GGUF file by its full path.",
        )
    if source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise ModelNotFoundError(
            f"There is no model folder or file at {source!r}.",
            hint="Check the path, or give a Hugging Face id such as HuggingFaceTB/SmolLM2-135M.",
        )
    offline = {} if _hub_is_reachable() else {"local_files_only": True}
    return source, offline, source.split("/")[-1]


def _refuse_pickles(source: str, folder: Path) -> None:
    """Refuse a folder whose weights are a pickle, by the file's name."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    if any(name.endswith(".safetensors") for name in names):
        return  # what else lies there is not read
    pickles = [name for name in names if Path(name).suffix.lower() in _PICKLES]
    # What a Trainer leaves beside weights is a pickle too, and not what is missing.
    weights = [name for name in pickles if name != "training_args.bin"]
    if weights:
        raise _pickle_error(source, weights[0])


def _pickle_error(source: str, name: str) -> UnsupportedArchitectureError:
    return UnsupportedArchitectureError(
        f"The weights of {source!r} are a pickle, {name}: reading one can run code that lies in "
        "it, so none is read.",
        hint="Convert it where you trust it, and give the new folder: "
        "`AutoModelForCausalLM.from_pretrained(OLD).save_pretrained(NEW)` writes safetensors; "
        "copy the tokenizer's files along.",
    )


def _explained_error(source: str, error: Exception) -> FnpruneError:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    cause = error.__cause__ or error.__context__
    if cause is not None:
        kinds |= {kind.__name__ for kind in type(cause).__mro__}
    text = str(error)
    if {"OutOfMemoryError", "MemoryError"} & kinds:
        return SettingsError(
            f"The model {source!r} does not fit into the device's memory.",
            hint="Use a smaller dtype (bfloat16), another device, or `sharded` over several.",
        )
    if "GatedRepoError" in kinds or "gated repo" in text:
        return ModelNotFoundError(
            f"The model {source!r} is gated: its owner asks you to accept terms first.",
            hint="Accept them on its Hugging Face page, run `hf auth login`, then try again.",
        )
    if "trust_remote_code" in text or "does not recognize this architecture" in text:
        return UnsupportedArchitectureError(
            f"The model {source!r} needs code of its own, or a newer transformers.",
            hint="Code from a checkpoint is never run. What this transformers "
            f"({transformers.__version__}) knows by itself works.",
        )
    if "UnpicklingError" in kinds or "cannot be loaded with `safetensors`" in text:
        return _pickle_error(source, "pytorch_model.bin or alike")
    if {"RepositoryNotFoundError", "HFValidationError"} & kinds:
        return ModelNotFoundError(
            f"There is no model {source!r} on the Hugging Face hub, or it is private.",
            hint="Check the id (owner/name), or give a local folder or GGUF file.",
        )
    reason = (text.splitlines() or [type(error).__name__])[0].rstrip(" .:")
    return ModelNotFoundError(
        f"The model {source!r} could not be loaded: {reason}.",
        hint="Is a file missing or damaged? Fetch the model again."
        if path_of(source).exists()
        else "No network? Give a local folder or a GGUF file, or use `embedded`.",
    )


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


@contextmanager
def _loading_errors(source: str) -> Iterator[None]:
    """Turn the errors of the readers of checkpoints into one that says what to do."""
    try:
        yield
    except FnpruneError:
        raise
    except Exception as error:  # on a damaged checkpoint, readers raise errors of every kind
        raise _explained_error(source, error) from error


def _refuse_per_layer(source: str, config: object) -> None:
    """Refuse a per-layer export of fnprune, which only its own code can load."""
    if isinstance(config, dict) and str(config.get("model_type")).startswith(_PER_LAYER_TYPE):
        raise UnsupportedArchitectureError(
            f"{source!r} is a per-layer export of fnprune: its layers differ in width, and code "
            "from a checkpoint is never run.",
            hint="Load the model that it was made from and apply its plan.json (`--plan FOLDER`), "
            "or export in the masked or uniform form, which load like any model.",
        )


def _read_config(
    source: str, location: str, extra: dict[str, Any]
) -> "tuple[PretrainedConfig, int | None]":
    """Return the config, checked before it is built, and how many weights the files hold."""
    n_stored = None
    if "gguf_file" in extra:
        check_gguf(source, Path(location) / extra["gguf_file"])
    elif Path(location).is_dir():
        n_stored = check_folder(source, Path(location))
    with _loading_errors(source):
        if "gguf_file" not in extra:
            values = transformers.PretrainedConfig.get_config_dict(location, **extra)[0]
            _refuse_per_layer(source, values)
            check_sizes(source, values, LIMITS, CONFIG)
        config: PretrainedConfig = transformers.AutoConfig.from_pretrained(
            location, trust_remote_code=False, **extra
        )
        check_sizes(source, vars(config), LIMITS, CONFIG)
    return config, n_stored


def _read_model(
    source: str, location: str, arguments: dict[str, Any], device: torch.device
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return weights, on `device` unless they are sharded, and tokenizer."""
    loaded: Any
    safe = {} if "gguf_file" in arguments else {"use_safetensors": True}
    with _loading_errors(source):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            location,
            trust_remote_code=False,
            **{k: v for k, v in arguments.items() if k not in ("dtype", "device_map")},
        )
        loaded = transformers.AutoModelForCausalLM.from_pretrained(
            location, output_loading_info=True, trust_remote_code=False, **arguments, **safe
        )
        if "device_map" not in arguments:
            torch.nn.Module.to(loaded[0], device)
    model: PreTrainedModel = loaded[0]
    _check_complete(source, loaded[1], tokenizer)
    _check_vocabulary(source, model, tokenizer)
    return model, tokenizer


def load_model(
    source: str = EMBEDDED,
    *,
    device: str = "auto",
    dtype: str = "auto",
    progress: Progress = ignore,
) -> LanguageModel:
    """Load a causal language model for recording.

    Parameters
    ----------
    source : str
        ``"embedded"``, a Hugging Face id, a local folder, or a GGUF file.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"sharded"`` to spread a large model
        over all devices with accelerate.
    dtype : str
        ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    progress : callable, optional
        Called during the one-time preparation of the embedded model.

    Returns
    -------
    LanguageModel
        In evaluation mode. Code that comes with a checkpoint is never run.

    Raises
    ------
    ModelNotFoundError
        If nothing is there, or it is gated or damaged.
    UnsupportedArchitectureError
        If no units are found that can be cut, or the checkpoint is quantised.
    """
    location, extra, name = _locate(source)
    if source == EMBEDDED:
        location = str(embedded_model_folder(progress=progress))
    config, n_stored = _read_config(source, location, extra)
    quantisation = getattr(config, "quantization_config", None)
    if quantisation and "gguf_file" not in extra:
        is_mapping = isinstance(quantisation, Mapping)
        method = quantisation.get("quant_method", "unknown") if is_mapping else "unknown"
        raise UnsupportedArchitectureError(
            f"The model {source!r} is quantised ({method}); units are cut from plain weights.",
            hint="Give the checkpoint it was made from, or a GGUF file, which is dequantised.",
        )
    if config.is_encoder_decoder:
        raise UnsupportedArchitectureError(
            f"The model {source!r} reads with an encoder and writes with a decoder.",
            hint="fnprune works on models that only decode: Llama, Qwen, Mistral, GPT and alike.",
        )
    with _loading_errors(source):
        blank = blank_model(config)
    if known_architecture(config) is None:
        next(propose(blank))  # what is refused by its shapes is refused before a weight is read
    torch_device = choose_device("auto" if device == "sharded" else device)
    arguments: dict[str, Any] = {"dtype": choose_dtype(dtype, torch_device)}
    if device == "sharded":
        arguments["device_map"] = "auto"
    else:
        check_memory(
            source, blank, dtype=arguments["dtype"], device=torch_device, n_stored=n_stored
        )
    model, tokenizer = _read_model(source, location, {**extra, **arguments}, torch_device)
    if "gguf_file" in extra and hasattr(model.config, "quantization_config"):
        # A dequantised GGUF still says it is quantised, and then refuses to be saved.
        del model.config.quantization_config
    return wrap_model(model, tokenizer, name=name, source=source)
