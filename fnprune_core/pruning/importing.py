"""Plans from elsewhere, taken into a workspace with their compensation."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch.nn import Module

from fnprune_core.decomposition.numbering import fingerprint_at, moved_error, renumbering_here
from fnprune_core.errors import CorruptArtifactError, PlanError
from fnprune_core.inputs.safetensors_header import stored_tensors
from fnprune_core.models.architectures import (
    feeding_modules,
    layers_of,
    output_projections,
    weight_of,
)
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import Refit, without_refit
from fnprune_core.plans.files import REFITS_FILE, cut_key, read_refits, store_plan
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
    language_model.check_fingerprint(plan.fingerprint, "plan")
    if plan.layout != language_model.layout:
        raise PlanError(
            f"The plan is for layers of {_numbers(plan.layout.widths)} units, "
            f"{language_model.name} has {_numbers(language_model.layout.widths)}.",
            hint="Give a plan.json as `fnprune plan` wrote it.",
        )
    _check_groups(language_model, plan)
    plan = _with_numbers_here(workspace, plan, networks)
    refits_path = (path if path.is_dir() else path.parent) / REFITS_FILE
    if refits_path.is_file():
        _check_names(language_model, plan, refits_path)
        refits = read_refits(refits_path, plan.layout.n_layers, removed_groups=plan.removed_groups)
        _check_refits(language_model, plan, refits)
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


def _check_groups(language_model: LanguageModel, plan: PruningPlan) -> None:
    if plan.group_counts and plan.group_counts != language_model.attention.groups.widths:
        raise PlanError(
            f"The plan is for layers of {_numbers(plan.group_counts)} KV groups, "
            f"{language_model.name} has {_numbers(language_model.attention.groups.widths)}.",
            hint="Give a plan.json as `fnprune plan` wrote it.",
        )


def _check_names(language_model: LanguageModel, plan: PruningPlan, path: Path) -> None:
    """Refuse refits that are damaged, too large, or under names that would be passed over."""
    try:
        stored = stored_tensors(path)
    except (OSError, ValueError) as error:
        raise CorruptArtifactError(f"{path} is damaged: {error}.", hint=_COMPUTE) from error
    n_feeding = len(language_model.architecture.feeding)
    names = ["columns", "bias", *(f"feeding.{i}" for i in range(n_feeding))]
    if plan.removed_groups:
        names += ["attention.columns", "attention.bias"]
    n_layers = plan.layout.n_layers
    known = {f"{layer}.{name}" for layer in range(n_layers) for name in names}
    unknown = sorted(stored.keys() - known)
    if unknown:
        raise PlanError(
            f"{path} holds {unknown[0][:80]!r}, which is nothing of this plan.", hint=_COMPUTE
        )
    wrong = [name for name, tensor in stored.items() if tensor.dtype not in _REFIT_DTYPES]
    if wrong:
        raise PlanError(
            f"{path} holds {wrong[0]!r} in {stored[wrong[0]].dtype}, numbers with a fraction were "
            "expected.",
            hint=_COMPUTE,
        )
    largest = max((weight_of(m).numel() for m in _all_modules(language_model)), default=0)
    large = [name for name, tensor in stored.items() if tensor.n_values > largest]
    if large:
        raise PlanError(
            f"{path} holds {large[0]!r} of shape {stored[large[0]].shape}, larger than any matrix "
            "of the model.",
            hint=_COMPUTE,
        )
    if compensation_named(plan.settings.compensation).needs_moments:
        for layer, removed in enumerate(plan.removed):
            if len(removed) and not {f"{layer}.columns", f"{layer}.bias"} & stored.keys():
                raise PlanError(
                    f"{path} has nothing for layer {layer}, where {len(removed)} units go.",
                    hint=_COMPUTE,
                )


def _all_modules(language_model: LanguageModel) -> Iterator[Module]:
    model, architecture = language_model.model, language_model.architecture
    for layer, module in enumerate(output_projections(model, architecture)):
        yield from (module, *feeding_modules(model, architecture, layer))
        yield layers_of(model, architecture)[layer].get_submodule(architecture.attention.output)


def _check_refits(
    language_model: LanguageModel, plan: PruningPlan, refits: Sequence[Refit]
) -> None:
    projections = output_projections(language_model.model, language_model.architecture)
    for layer, (module, width, refit) in enumerate(
        zip(projections, plan.kept_widths, refits, strict=True)
    ):
        hidden = weight_of(module).shape[0]
        expected_tensors = [
            ("columns", refit.columns, (hidden, width)),
            ("bias", refit.bias, (hidden,)),
        ]
        feeding = feeding_modules(language_model.model, language_model.architecture, layer)
        if refit.feeding and len(refit.feeding) != len(feeding):
            raise PlanError(
                f"Layer {layer} has {len(feeding)} modules that feed its units, the refits have "
                f"rows for {len(refit.feeding)}.",
                hint=_COMPUTE,
            )
        n_rows = language_model.architecture.n_fused * width
        expected_tensors += [
            ("rows of feeding modules", rows, (n_rows, weight_of(feeding_module).shape[1]))
            for rows, feeding_module in zip(refit.feeding, feeding, strict=False)
        ]
        if refit.attention is not None:
            size = language_model.attention.group_size * plan.kept_group_counts[layer]
            expected_tensors += [
                ("columns of attention", refit.attention.columns, (hidden, size)),
                ("bias of attention", refit.attention.bias, (hidden,)),
            ]
        for name, tensor, expected in expected_tensors:
            if tensor is not None and not bool(torch.isfinite(tensor).all()):
                raise PlanError(
                    f"In layer {layer} the refitted {name} hold what is no number.", hint=_COMPUTE
                )
            if tensor is not None and tuple(tensor.shape) != expected:
                raise PlanError(
                    f"In layer {layer} the refitted {name} are of shape {tuple(tensor.shape)}, "
                    f"the plan needs {expected}.",
                    hint=_COMPUTE,
                )


def _numbers(widths: Sequence[int]) -> str:
    return ", ".join(map(str, widths))
