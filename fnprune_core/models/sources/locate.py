"""What a text names as a model: the embedded one, an id of the hub, a folder, a GGUF file."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from fnprune_core.errors import ModelNotFoundError, SettingsError, UnsupportedArchitectureError
from fnprune_core.inputs.files import path_of
from fnprune_core.models.sources.hub_ids import HubId

EMBEDDED = "embedded"
#: Endings of pickles, whose reading can run code that lies in them.
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".msgpack")
OPTIONS = ("device", "dtype")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a model is.

    Parameters
    ----------
    name : str
        For people.
    folder : Path or None
        None for the embedded model and for one of the hub.
    gguf : str
        Name of the file in it, if it is one.
    hub : HubId or None
    """

    name: str
    folder: Path | None = None
    gguf: str = ""
    hub: HubId | None = None


def with_options(source: str, **options: str) -> tuple[str, dict[str, str]]:
    """Return a source without what follows its ``?``, and the options with what stands there.

    ``owner/name?dtype=bfloat16&device=sharded`` asks for a dtype and a device beside the model,
    where there is one text for all of it; else the options that are given hold.
    """
    plain, mark, asked = source.rpartition("?")
    if not mark or path_of(source).exists():
        return source, options
    found = dict(parse_qsl(asked, keep_blank_values=True))
    if not found or not found.keys() <= set(OPTIONS):
        raise SettingsError(
            f"{asked!r} after the ? of a model is no option of it.",
            hint="Write owner/name?dtype=bfloat16, or ?device=sharded.",
        )
    return plain, options | found


def locate(source: str) -> Place:
    """Return where a model is, by its source without options.

    Raises
    ------
    ModelNotFoundError
        If it names nothing that can be a model.
    UnsupportedArchitectureError
        If its weights are a pickle.
    """
    if source == EMBEDDED:
        return Place(name="SmolLM2-135M-Instruct (embedded)")
    if not source or "\0" in source:
        raise ModelNotFoundError(
            f"{source!r} names no model.",
            hint="Give `embedded`, a Hugging Face id, a folder or a GGUF file.",
        )
    path = path_of(source)
    if path.is_file():
        return _file(source, path)
    if path.is_dir():
        return _folder(source, path)
    id = HubId.of(source)
    if id is None or source.startswith((".", "/", "~")):
        raise ModelNotFoundError(
            f"There is no model folder or file at {source!r}.",
            hint="Check the path, or give a Hugging Face id such as HuggingFaceTB/SmolLM2-135M, "
            "with @REVISION behind it if you like.",
        )
    return Place(name=id.repository.rpartition("/")[2], hub=id)


def _file(source: str, path: Path) -> Place:
    if path.suffix.lower() in _PICKLES:
        raise pickle_error(source, path.name)
    if path.suffix.lower() != ".gguf":
        raise ModelNotFoundError(
            f"{path} is a file, but not a GGUF file.",
            hint="Give a .gguf file, or the folder that holds config.json.",
        )
    return Place(name=path.stem, folder=path.parent, gguf=path.name)


def _folder(source: str, path: Path) -> Place:
    if (path / "config.json").is_file():
        _refuse_pickles(source, path)
        return Place(name=path.resolve().name, folder=path)
    files = sorted(path.glob("*.gguf"))
    if len(files) == 1:
        return Place(name=files[0].stem, folder=path, gguf=files[0].name)
    content = f"{len(files)} GGUF files" if files else "neither config.json nor a GGUF file"
    raise ModelNotFoundError(
        f"The folder {path} holds {content}.",
        hint="Give a Hugging Face model folder, or one GGUF file by its full path.",
    )


def _refuse_pickles(source: str, folder: Path) -> None:
    """Refuse a folder whose weights are a pickle, by the file's name."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    if any(name.endswith(".safetensors") for name in names):
        return  # what else lies there is not read
    pickles = [name for name in names if Path(name).suffix.lower() in _PICKLES]
    # What a Trainer leaves beside weights is a pickle too, and not what is missing.
    weights = [name for name in pickles if name != "training_args.bin"]
    if weights:
        raise pickle_error(source, weights[0])


def pickle_error(source: str, name: str) -> UnsupportedArchitectureError:
    """Return the error of a model whose weights are a pickle."""
    return UnsupportedArchitectureError(
        f"The weights of {source!r} are a pickle, {name}: reading one can run code that lies in "
        "it, so none is read.",
        hint="Convert it where you trust it, and give the new folder: "
        "`AutoModelForCausalLM.from_pretrained(OLD).save_pretrained(NEW)` writes safetensors; "
        "copy the tokenizer's files along.",
    )
