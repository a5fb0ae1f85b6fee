"""Plans from elsewhere, taken into a workspace with their compensation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from fnprune_core.decomposition.numbering import fingerprint_at, moved_error, renumbering_here
from fnprune_core.errors import CorruptArtifactError, PlanError
from fnprune_core.inputs.tensor_files import stored_tensors
from fnprune_core.models.architectures import feeding_modules, output_projections
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import weight_of
from fnprune_core.models.silencing import Refit, without_refit
from fnprune_core.plans.files import REFITS_FILE, cut_key, named_tensors, read_refits, store_plan
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.pruning.compensation import compensation_named
from fnprune_core.pruning.planner import recomputed_refits
from fnprune_core.storage.manifests import artifact_id
from fnprune_core.storage.workspace import Workspace

Networks = Literal["check", "match", "keep"]

_REFIT_DTYPES = ("F16", "BF16", "F32", "F64")
_COMPUTE = f"Take {REFITS_FILE} away, and it is computed again."


def import_plan(
    workspace: Workspace,
    language_model: LanguageModel,
    path: Path,
    *,
    networks: Networks = "check",
) -> str:
    """Take a ``plan.json`` (or its folder) from anywhere into the workspace; return its id.

    The compensation is read beside it, or computed again from the plan's recording, for the
    units that the file names.

    Parameters
    ----------
    networks : {"check", "match", "keep"}
        What becomes of the plan's networks where the atlas that is here numbers them otherwise:
        an error, the numbers here by the likeness of maps, or the numbers as they are.

    Raises
    ------
    FingerprintMismatchError
        If the plan is for another model.
    PlanError
        If the compensation does not fit, or is neither beside the file nor can be computed here.
    NetworksMovedError
        If the plan's networks have other numbers here, and neither a match nor they are asked for.
    """
    plan = PruningPlan.read(path)
    plan.check_for(language_model)
    plan = _with_numbers_here(workspace, plan, networks)
    refits_path = (path if path.is_dir() else path.parent) / REFITS_FILE
    if refits_path.is_file():
        _check_file(language_model, plan, refits_path)
        refits = read_refits(refits_path, plan.layout.n_layers, removed_groups=plan.removed_groups)
        _check_finite(refits)
    elif not compensation_named(plan.settings.compensation).needs_moments:
        refits = without_refit(plan.layout.n_layers, plan.removed_groups)
    elif workspace.has("recordings", plan.recording_id):
        refits = recomputed_refits(workspace, language_model, plan)
    else:
        raise PlanError(
            f"{path} asks for compensation {plan.settings.compensation!r}, but there is no "
            f"{REFITS_FILE} beside it and its recording {plan.recording_id} is not here.",
            hint="Give the plan's whole folder, or record the calibration text again.",
        )
    key = cut_key(plan, refits)
    id = artifact_id("plans", {"imported": plan.to_json(), "cut_key": key})
    if not workspace.has("plans", id):
        store_plan(workspace, id, plan, refits, inputs={"imported": True}, facts={})
    return id


def _with_numbers_here(workspace: Workspace, plan: PruningPlan, networks: Networks) -> PruningPlan:
    """Return the plan, its networks numbered as in the atlas that is here."""
    if networks == "keep":
        return plan
    atlas_id = plan.decomposition_id
    renumbering = renumbering_here(plan.maps_fingerprint, workspace, atlas_id)
    if renumbering is None or renumbering.is_in_place:
        return plan
    if networks == "check":
        raise moved_error(
            "The plan", atlas_id, renumbering,
            hint="`fnprune import PLAN --match` takes it over with the numbers here, --keep with "
            "its own; then give the id that it prints.",
            can_match=not renumbering.lost,
        )  # fmt: skip
    return plan.renumbered(renumbering, fingerprint_at(workspace, atlas_id))


def _check_file(language_model: LanguageModel, plan: PruningPlan, path: Path) -> None:
    """Refuse refits that are damaged, or not of the names and shapes that the plan needs.

    The file's header says all of this, so no tensor of a stranger's file is read before.
    """
    try:
        stored = stored_tensors(path)
    except (OSError, ValueError) as error:
        raise CorruptArtifactError(f"{path} is damaged: {error}.", hint=_COMPUTE) from error
    expected = _expected_shapes(language_model, plan)
    for name, tensor in stored.items():
        place, _, what = name.partition(".")
        if name not in expected:
            reason = f"{path} holds {name[:80]!r}, which is nothing of this plan."
        elif tensor.dtype not in _REFIT_DTYPES:
            reason = (
                f"{path} holds {name!r} in {tensor.dtype}, numbers with a fraction were expected."
            )
        elif tensor.shape != expected[name]:
            reason = (
                f"In layer {place} the refitted {what} are of shape {tensor.shape}, the plan needs "
                f"{expected[name]}."
            )
        else:
            continue
        raise PlanError(reason, hint=_COMPUTE)
    needs_refits = compensation_named(plan.settings.compensation).needs_moments
    n_feeding = len(language_model.architecture.feeding)
    for layer, removed in enumerate(plan.removed):
        if needs_refits and len(removed) and not {f"{layer}.columns", f"{layer}.bias"} & {*stored}:
            raise PlanError(
                f"{path} has nothing for layer {layer}, where {len(removed)} units go.",
                hint=_COMPUTE,
            )
        n_rows = sum(f"{layer}.feeding.{i}" in stored for i in range(n_feeding))
        if n_rows not in (0, n_feeding):
            raise PlanError(
                f"Layer {layer} has {n_feeding} modules that feed its units, the refits have "
                f"rows for {n_rows}.",
                hint=_COMPUTE,
            )


def _expected_shapes(
    language_model: LanguageModel, plan: PruningPlan
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor that the refits of a plan may hold."""
    model, architecture = language_model.model, language_model.architecture
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (module, width) in enumerate(
        zip(output_projections(model, architecture), plan.kept_widths, strict=True)
    ):
        hidden = weight_of(module).shape[0]
        shapes |= {f"{layer}.columns": (hidden, width), f"{layer}.bias": (hidden,)}
        for i, feeding in enumerate(feeding_modules(model, architecture, layer)):
            n_rows = architecture.n_fused * width
            shapes[f"{layer}.feeding.{i}"] = (n_rows, weight_of(feeding).shape[1])
        if plan.removed_groups:
            size = language_model.attention.group_size * plan.kept_group_counts[layer]
            shapes[f"{layer}.attention.columns"] = (hidden, size)
            shapes[f"{layer}.attention.bias"] = (hidden,)
    return shapes


def _check_finite(refits: Sequence[Refit]) -> None:
    for name, tensor in named_tensors(refits):
        if not bool(torch.isfinite(tensor).all()):
            layer, _, what = name.partition(".")
            raise PlanError(
                f"In layer {layer} the refitted {what} hold what is no number.", hint=_COMPUTE
            )
