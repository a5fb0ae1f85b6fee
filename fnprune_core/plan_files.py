"""A plan in a folder: ``plan.json``, and the tensors of its compensation beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fnprune_core.errors import CorruptArtifactError
from fnprune_core.plans import PLAN_FILE, PruningPlan
from fnprune_core.silencing import Refit
from fnprune_core.storage import write_json

REFITS_FILE = "refits.safetensors"


def write_plan(folder: Path, made: PruningPlan, refits: Sequence[Refit]) -> None:
    """Write ``plan.json`` and the refits' tensors into a folder."""
    write_json(folder / PLAN_FILE, made.to_json())
    tensors = {
        f"{layer}.{name}": tensor.contiguous()
        for layer, refit in enumerate(refits)
        for name, tensor in (("columns", refit.columns), ("bias", refit.bias))
        if tensor is not None
    }
    save_file(tensors, folder / REFITS_FILE)


def read_refits(path: Path, n_layers: int) -> list[Refit]:
    """Return the refits that `write_plan` wrote, one a layer."""
    try:
        tensors: Mapping[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CorruptArtifactError(
            f"{path} is missing or damaged.", hint="Make the plan again."
        ) from error
    return [
        Refit(columns=tensors.get(f"{layer}.columns"), bias=tensors.get(f"{layer}.bias"))
        for layer in range(n_layers)
    ]
