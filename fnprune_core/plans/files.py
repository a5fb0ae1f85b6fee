"""A plan in a folder: ``plan.json``, and the tensors of its compensation beside it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fnprune_core.errors import CorruptArtifactError
from fnprune_core.models.silencing import AttentionCut, Refit
from fnprune_core.plans.plan import PLAN_FILE, PruningPlan
from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace

REFITS_FILE = "refits.safetensors"


def write_plan(
    folder: Path,
    plan: PruningPlan,
    refits: Sequence[Refit] | None,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write ``plan.json`` and the refits' tensors into a folder.

    Parameters
    ----------
    refits : sequence of Refit, optional
        None for ``plan.json`` alone.
    dtype : torch.dtype
        Of the weights; biases, which are added before they are rounded, stay as they are.
    """
    write_json(folder / PLAN_FILE, plan.to_json())
    if refits is None:
        return
    tensors = {
        name: (tensor.to(dtype) if tensor.ndim > 1 else tensor).contiguous()
        for name, tensor in named_tensors(refits)
    }
    save_file(tensors, folder / REFITS_FILE)


def named_tensors(refits: Sequence[Refit]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of all layers' refits with their names in the file."""
    for layer, refit in enumerate(refits):
        for prefix, source in (("", refit), ("attention.", refit.attention)):
            for name in ("columns", "bias"):
                tensor = None if source is None else getattr(source, name)
                if tensor is not None:
                    yield f"{layer}.{prefix}{name}", tensor
        for index, tensor in enumerate(refit.feeding):
            yield f"{layer}.feeding.{index}", tensor


def read_refits(
    path: Path, n_layers: int, *, removed_groups: Sequence[NDArray[np.int64]] = ()
) -> list[Refit]:
    """Return the refits that `write_plan` wrote, one a layer.

    Parameters
    ----------
    removed_groups : sequence of ndarray, optional
        The plan's KV groups that go, which the file does not hold.
    """
    try:
        tensors: Mapping[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CorruptArtifactError(
            f"{path} is missing or damaged.", hint="Make the plan again."
        ) from error
    return [
        Refit(
            columns=tensors.get(f"{layer}.columns"),
            bias=tensors.get(f"{layer}.bias"),
            feeding=_feeding(tensors, layer),
            attention=AttentionCut(
                removed=removed_groups[layer],
                columns=tensors.get(f"{layer}.attention.columns"),
                bias=tensors.get(f"{layer}.attention.bias"),
            )
            if removed_groups
            else None,
        )
        for layer in range(n_layers)
    ]


def _feeding(tensors: Mapping[str, Tensor], layer: int) -> tuple[Tensor, ...]:
    names = sorted(name for name in tensors if name.startswith(f"{layer}.feeding."))
    return tuple(tensors[name] for name in names)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredPlan:
    """A plan of a workspace, read once.

    Parameters
    ----------
    id : str
        Whole.
    cut_key : str
        Hash of what goes and what replaces it (`cut_key`): equal keys give equal models.
    folder : Path
    manifest : mapping
    """

    id: str
    plan: PruningPlan
    cut_key: str
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def refit_bytes(self) -> int:
        """Size of the refits' file."""
        return (self.folder / REFITS_FILE).stat().st_size

    def refits(self) -> list[Refit]:
        """Return the refits, one a layer; read at each call, for they are large."""
        return read_refits(
            checked(self.folder, self.manifest, REFITS_FILE),
            self.plan.layout.n_layers,
            removed_groups=self.plan.removed_groups,
        )


def stored_plan(workspace: Workspace, plan_id: str) -> StoredPlan:
    """Return a plan of the workspace; `plan_id` may be an unambiguous beginning, or ``latest``."""
    folder = workspace.existing("plans", plan_id)
    manifest = read_manifest(folder)
    return StoredPlan(
        id=folder.name,
        plan=_plan_in(folder, manifest),
        cut_key=str(manifest["cut_key"]),
        folder=folder,
        manifest=manifest,
    )


def _plan_in(folder: Path, manifest: Mapping[str, Any]) -> PruningPlan:
    with damage_told(folder, "Delete it and make the plan again."):
        return PruningPlan.read(checked(folder, manifest, PLAN_FILE))


def open_plan(workspace: Workspace, plan_id: str) -> PruningPlan:
    """Return the pruning plan of a workspace's plan; `plan_id` as for `stored_plan`."""
    folder = workspace.existing("plans", plan_id)
    return _plan_in(folder, read_manifest(folder))


def store_plan(
    workspace: Workspace,
    plan_id: str,
    plan: PruningPlan,
    refits: Sequence[Refit],
    *,
    inputs: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> None:
    """Store a plan with its refits in the workspace; `facts` stand beside those of every plan."""
    every = {
        "model_name": plan.model_name,
        "achieved_ratio": plan.achieved_ratio,
        "share_of_parameters": plan.share_of_parameters,
        "cut_key": cut_key(plan, refits),
    }
    with new_folder(workspace.folder("plans", plan_id)) as folder:
        write_plan(folder, plan, refits)
        write_json(folder / MANIFEST, manifest_of("plans", inputs, {**every, **facts}))


def cut_key(plan: PruningPlan, refits: Sequence[Refit]) -> str:
    """Return a hash of the removed units and of the refits: equal keys give equal models."""
    digest = hashlib.sha256(plan.removal_key().encode())
    for name, tensor in named_tensors(refits):
        digest.update(name.encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
