"""Whether memory holds a model, before its weights are fetched and read."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from fnprune_core.errors import ModelNotFoundError, SettingsError
from fnprune_core.models.architectures import known_architecture
from fnprune_core.models.sources.examine import Checkpoint
from fnprune_core.models.sources.hub import missing_bytes

#: Bytes that weights in float32 may lack before it is told; smaller gaps are told by name, later.
_SMALL_GAP_BYTES = 256_000_000
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a model takes, before its weights are fetched and read.

    Parameters
    ----------
    source, model_type : str
    is_known : bool
        Whether its family is a row of the table; of others the units are found by structure.
    n_parameters : int
    dtype, device : str
        In which and where it would be loaded.
    memory_bytes : int
    free_bytes : int or None
        None where the device does not tell.
    download_bytes : int
        Weights that are fetched first.
    quantisation : str
        How its weights stay quantised; empty where they are plain.
    has_chat_template, fits : bool
    way_out : str
        What to do where it does not fit.
    """

    source: str
    model_type: str
    is_known: bool
    n_parameters: int
    dtype: str
    device: str
    memory_bytes: int
    free_bytes: int | None
    download_bytes: int
    quantisation: str
    has_chat_template: bool
    fits: bool
    way_out: str


def requirement(checkpoint: Checkpoint, *, dtype: torch.dtype, device: torch.device) -> Requirement:
    """Return what a model takes in a dtype on a device."""
    n_bytes, free = checkpoint.bytes_in(dtype), free_bytes(device)
    fits = free is None or n_bytes <= free
    files = checkpoint.files
    return Requirement(
        source=checkpoint.source,
        model_type=str(checkpoint.config.model_type),
        is_known=known_architecture(checkpoint.config) is not None,
        n_parameters=checkpoint.n_values,
        dtype=str(dtype).removeprefix("torch."),
        device=str(device),
        memory_bytes=n_bytes,
        free_bytes=free,
        download_bytes=0 if files is None else missing_bytes(files),
        quantisation=checkpoint.quantisation,
        has_chat_template=checkpoint.has_chat_template,
        fits=fits,
        way_out="" if fits or free is None else _way_out(checkpoint, free, dtype),
    )


def check_memory(checkpoint: Checkpoint, *, dtype: torch.dtype, device: torch.device) -> None:
    """Raise `SettingsError` if free memory does not hold a model, with what would fit."""
    needed = requirement(checkpoint, dtype=dtype, device=device)
    if needed.fits:
        return
    raise SettingsError(
        f"The model {checkpoint.source!r} needs {needed.memory_bytes / 1e9:.1f} GB in {dtype}, "
        f"{needed.device!r} has {(needed.free_bytes or 0) / 1e9:.1f} GB free: it does not fit.",
        hint=needed.way_out,
    )


def _way_out(checkpoint: Checkpoint, free: int, dtype: torch.dtype) -> str:
    """Return what to do where a model does not fit in a dtype."""
    half = checkpoint.bytes_in(torch.bfloat16)
    n_devices = torch.cuda.device_count()
    if dtype.itemsize > torch.bfloat16.itemsize and half <= free:
        return f"In bfloat16 it needs {half / 1e9:.1f} GB, and fits (--dtype bfloat16)."
    if n_devices > 1:
        return f"Spread it over the {n_devices} GPUs (--device sharded), or take a smaller model."
    return (
        "Take a smaller model of its family, or a machine with more memory; `sharded` spreads one "
        "over several devices."
    )


def check_stored(checkpoint: Checkpoint) -> None:
    """Refuse a config that asks for far more weights than the files hold."""
    n_stored, n_values = checkpoint.n_stored, checkpoint.n_values
    if n_stored is None or checkpoint.quantisation:
        return
    if (n_values - n_stored) * 4 > _SMALL_GAP_BYTES:
        raise ModelNotFoundError(
            f"The config of {checkpoint.source!r} asks for {n_values:,} weights, its files hold "
            f"{n_stored:,}.",
            hint="Fetch the model again, or check that config.json belongs to these weights.",
        )


def free_bytes(device: torch.device) -> int | None:
    """Return the free memory of a device, or None where it does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    free = int(psutil.virtual_memory().available + psutil.swap_memory().free)
    with suppress(OSError, ValueError):  # in a container, what it may use of it
        most = int((_CGROUP / "memory.max").read_text())
        free = min(free, most - int((_CGROUP / "memory.current").read_text()))
    return free
