"""What a workspace holds, by id: recordings, atlases, plans with their refits, evaluations."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

from fnprune_core.atlas.cortex import Cortex, Refinement
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.group_ica import Decomposition
from fnprune_core.evaluation.perplexity import Perplexity
from fnprune_core.models.silencing import Refit
from fnprune_core.plans.files import REFITS_FILE, named_tensors, read_refits
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.recording.recording import Recording
from fnprune_core.storage import Workspace, artifact_id


def open_recording(workspace: Workspace, recording_id: str) -> Recording:
    """Return a recording of the workspace; `recording_id` may be an unambiguous beginning."""
    return Recording(workspace.existing("recordings", recording_id))


def open_atlas(workspace: Workspace, decomposition_id: str) -> NetworkAtlas:
    """Return the networks of a decomposition with their recording's tokens."""
    decomposition = Decomposition.load(workspace.existing("decompositions", decomposition_id))
    return NetworkAtlas(decomposition, open_recording(workspace, decomposition.recording_id).tokens)


def cortex_id(decomposition_id: str) -> str:
    """Return the id of the cortex that belongs to a decomposition."""
    return artifact_id("layouts", {"decomposition_id": decomposition_id, **asdict(Refinement())})


def has_cortex(workspace: Workspace, decomposition_id: str) -> bool:
    """Whether a decomposition's units were laid out."""
    return workspace.has("layouts", cortex_id(decomposition_id))


def open_cortex(workspace: Workspace, decomposition_id: str) -> Cortex | None:
    """Return where a decomposition's units sit, or None if they were not laid out yet."""
    if not has_cortex(workspace, decomposition_id):
        return None
    return Cortex.load(workspace.folder("layouts", cortex_id(decomposition_id)))


def open_plan(workspace: Workspace, plan_id: str) -> PruningPlan:
    """Return a plan of the workspace; `plan_id` may be an unambiguous beginning."""
    return PruningPlan.read(workspace.existing("plans", plan_id))


def open_refits(workspace: Workspace, plan_id: str) -> list[Refit]:
    """Return the compensation of a plan, one refit a layer."""
    folder = workspace.existing("plans", plan_id)
    made = PruningPlan.read(folder)
    return read_refits(
        folder / REFITS_FILE, made.layout.n_layers, removed_groups=made.removed_groups
    )


def open_evaluation(workspace: Workspace, evaluation_id: str) -> Perplexity:
    """Return a result of the workspace."""
    return Perplexity.load(workspace.existing("evaluations", evaluation_id))


def cut_key(made: PruningPlan, refits: Sequence[Refit]) -> str:
    """Return a hash of what goes and what replaces it: equal keys give equal models."""
    digest = hashlib.sha256(made.removal_key().encode())
    for name, tensor in named_tensors(refits):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
