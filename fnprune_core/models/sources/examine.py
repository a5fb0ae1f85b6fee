"""A checkpoint before its weights are read: what it is, what memory it takes, whether it fits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers  # its parts when they are used: they take seconds

from fnprune_core.errors import (
    FnpruneError,
    ModelNotFoundError,
    SettingsError,
    UnsupportedArchitectureError,
)
from fnprune_core.inputs.files import path_of
from fnprune_core.models.architectures import known_architecture
from fnprune_core.models.checkpoint_checks import (
    CONFIG,
    LIMITS,
    blank_model,
    check_folder,
    check_gguf,
    check_sizes,
)
from fnprune_core.models.embedded import embedded_model_folder
from fnprune_core.models.sources.hub import HubFiles, cached_folder, fetch, files_of, is_reachable
from fnprune_core.models.sources.kinds import refuse_kind
from fnprune_core.models.sources.locate import EMBEDDED, Place, locate, pickle_error
from fnprune_core.models.sources.quantised import INSTEAD, method_of
from fnprune_core.models.structure.proposals import propose
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

_PER_LAYER_TYPE = "fnprune_"  # the model type of configs of `modeling_per_layer` begins so


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model that is no longer than its config in memory.

    Parameters
    ----------
    source, name : str
    folder : Path
    gguf : str
        Name of the file, if it is one.
    config : PretrainedConfig
    blank : PreTrainedModel
        The model without weights.
    n_stored : int or None
        Numbers in its files, where that is known.
    files : HubFiles or None
        Of a model of the hub, which may not be fetched yet.
    """

    source: str
    name: str
    folder: Path
    gguf: str
    config: "PretrainedConfig"
    blank: "PreTrainedModel"
    n_stored: int | None
    files: HubFiles | None

    @property
    def extra(self) -> dict[str, Any]:
        """Arguments of `from_pretrained` beside the folder."""
        return {"gguf_file": self.gguf} if self.gguf else {}

    @property
    def quantisation(self) -> str:
        """How the weights stay quantised; empty where they are plain, or become so."""
        return "" if self.gguf else method_of(self.config)

    @property
    def n_values(self) -> int:
        """Numbers in the model's weights."""
        return sum(parameter.numel() for parameter in self.blank.parameters())

    @property
    def has_chat_template(self) -> bool:
        """Whether a chat template lies beside the weights."""
        path = self.folder / "tokenizer_config.json"
        return (self.folder / "chat_template.jinja").is_file() or (
            path.is_file() and '"chat_template"' in path.read_text(encoding="utf-8")
        )

    def bytes_in(self, dtype: torch.dtype) -> int:
        """Return the bytes of memory that the weights take in a dtype."""
        if self.quantisation and self.files is not None:
            return sum(self.files.weights.values())
        if self.quantisation:
            return sum(path.stat().st_size for path in self.folder.glob("*.safetensors"))
        buffers = sum(each.numel() * each.element_size() for each in self.blank.buffers())
        return self.n_values * dtype.itemsize + buffers


def examine(source: str, *, progress: Progress = ignore, cancel: CancelToken = NEVER) -> Checkpoint:
    """Return what a model is, without its weights; of one of the hub its config is fetched.

    Raises
    ------
    ModelNotFoundError
        If nothing is there, or it is gated or damaged.
    UnsupportedArchitectureError
        If its config tells that no units can be cut.
    """
    place = locate(source)
    files = None
    if place.hub is None:
        folder = place.folder or embedded_model_folder(progress=progress)
    elif is_reachable():
        files = files_of(place.hub)
        folder = fetch(files, list(files.small), progress=progress, cancel=cancel)
    else:
        found = cached_folder(place.hub)
        if found is None:
            raise ModelNotFoundError(
                f"The model {source!r} is not in the cache of this machine, and the Hugging Face "
                "hub cannot be reached.",
                hint="No network? Give a local folder or a GGUF file, or use `embedded`.",
            )
        folder = found
    config, n_stored = _read_config(source, folder, place)
    refuse_kind(source, config)
    with loading_errors(source):
        blank = blank_model(config)
    checkpoint = Checkpoint(
        source=source,
        name=place.name,
        folder=folder,
        gguf=place.gguf,
        config=config,
        blank=blank,
        n_stored=n_stored,
        files=files,
    )
    if known_architecture(config) is None:
        next(propose(blank))  # what is refused by its shapes is refused before a weight is read
        if checkpoint.quantisation:
            raise UnsupportedArchitectureError(
                f"The model {source!r} is quantised ({checkpoint.quantisation}), and what its "
                "units are can only be proven on plain weights.",
                hint=INSTEAD,
            )
    return checkpoint


def _read_config(source: str, folder: Path, place: Place) -> "tuple[PretrainedConfig, int | None]":
    """Return the config, checked before it is built, and how many weights the files hold."""
    n_stored = None
    extra = {"gguf_file": place.gguf} if place.gguf else {}
    if place.gguf:
        check_gguf(source, folder / place.gguf)
    else:
        n_stored = check_folder(source, folder, is_whole=place.hub is None)
    with loading_errors(source):
        if not place.gguf:
            values = transformers.PretrainedConfig.get_config_dict(str(folder))[0]
            _refuse_per_layer(source, values)
            check_sizes(source, values, LIMITS, CONFIG)
        config: PretrainedConfig = transformers.AutoConfig.from_pretrained(
            str(folder), trust_remote_code=False, **extra
        )
        check_sizes(source, vars(config), LIMITS, CONFIG)
    return config, n_stored


def _refuse_per_layer(source: str, config: object) -> None:
    """Refuse a per-layer export of fnprune, which only its own code can load."""
    if isinstance(config, dict) and str(config.get("model_type")).startswith(_PER_LAYER_TYPE):
        raise UnsupportedArchitectureError(
            f"{source!r} is a per-layer export of fnprune: its layers differ in width, and code "
            "from a checkpoint is never run.",
            hint="Load the model that it was made from and apply its plan.json (`--plan FOLDER`), "
            "or export in the masked or uniform form, which load like any model.",
        )


@contextmanager
def loading_errors(source: str) -> Iterator[None]:
    """Turn the errors of the readers of checkpoints into one that says what to do."""
    try:
        yield
    except FnpruneError:
        raise
    except Exception as error:  # on a damaged checkpoint, readers raise errors of every kind
        raise _explained_error(source, error) from error


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
    if "trust_remote_code" in text or "does not recognize this architecture" in text:
        return UnsupportedArchitectureError(
            f"The model {source!r} needs code of its own, or a newer transformers.",
            hint="Code from a checkpoint is never run. What this transformers "
            f"({transformers.__version__}) knows by itself works.",
        )
    if "UnpicklingError" in kinds or "cannot be loaded with `safetensors`" in text:
        return pickle_error(source, "pytorch_model.bin or alike")
    reason = (text.splitlines() or [type(error).__name__])[0].rstrip(" .:")
    is_local = source != EMBEDDED and path_of(source).exists()
    return ModelNotFoundError(
        f"The model {source!r} could not be loaded: {reason}.",
        hint="Is a file missing or damaged? Fetch the model again."
        if is_local
        else "No network? Give a local folder or a GGUF file, or use `embedded`.",
    )
