"""Cut units out of a copy of a model: irreversible, really smaller."""

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from fnprune_core.errors import PlanError
from fnprune_core.models import modeling_per_layer
from fnprune_core.models.architectures import (
    Architecture,
    cut_units,
    layers_of,
    output_of,
    output_projections,
    text_config,
)
from fnprune_core.models.attention import plain_heads, plain_heads_refusal
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import add_bias, bias_of, replace_weight, weight_of
from fnprune_core.models.silencing import AttentionCut, Refit
from fnprune_core.models.structure.proposals import set_in_config
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.pruning.expert_widths import Kind, groups_of, plain_widths, say_widths
from fnprune_core.pruning.head_slicing import (
    attention_has_bias,
    cut_heads,
    give_biases,
    per_layer_attention,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel


#: Why some families have no uniform form.
NO_WIDTH = "This model's config has no number of its own for the width of an MLP"


def prune(
    language_model: LanguageModel,
    plan: PruningPlan,
    *,
    refits: Sequence[Refit] | None = None,
) -> "PreTrainedModel":
    """Return a copy of the model without the units that `plan` removes; the model is untouched.

    Logits equal those under ``silenced`` with the same refits, up to rounding of the dtype.
    The copy's config has the new width and heads when they are the same in every layer and the
    family can say so. Peak memory: the model plus one copy.

    Raises
    ------
    FingerprintMismatchError
        If the plan is for another model.
    PlanError
        If a layer would be empty, or the plan's widths are not the model's.

    Notes
    -----
    In a family without a home for a bias, a refit's bias works in the copy but is lost when the
    copy is saved and loaded: `mask` and `slice_uniformly` refuse that.
    """
    model = _cut_copy(language_model, plan, refits, masks=False)
    architecture = language_model.architecture
    if plan.is_uniform and architecture.width_attribute:
        set_in_config(model.config, architecture.width_attribute, plan.kept_widths[0])
        if plan.n_removed_groups and not _heads_refusal(language_model, plan):
            for name, value in plain_heads(
                language_model.attention, plan.kept_group_counts[0]
            ).items():
                setattr(text_config(model), name, value)
    return model


def mask(
    language_model: LanguageModel,
    plan: PruningPlan,
    *,
    refits: Sequence[Refit] | None = None,
) -> "PreTrainedModel":
    """Return a copy of the same shape in which the removed units' weights are zero.

    Raises
    ------
    PlanError
        If the refits add a bias and the family's config cannot say so: it would not load.
    """
    _check_bias_home(language_model, refits)
    return _cut_copy(language_model, plan, refits, masks=True)


def _cut_copy(
    language_model: LanguageModel,
    plan: PruningPlan,
    refits: Sequence[Refit] | None,
    *,
    masks: bool,
    widths: Mapping[Kind, int] | None = None,
) -> "PreTrainedModel":
    """Return a copy without the plan's units, or with zeros for their weights.

    Parameters
    ----------
    widths : mapping, optional
        Of experts of each kind, where zeros are to fill those that keep fewer units.
    """
    plan.check_for(language_model)
    with language_model.lock:
        model = copy.deepcopy(language_model.model)
    architecture = language_model.architecture
    with torch.no_grad():
        for index, layer in enumerate(layers_of(model, architecture)):
            refit = refits[index] if refits is not None else Refit()
            kept = torch.from_numpy(plan.kept[index])
            groups = {} if widths is None else groups_of(layer, architecture)
            if widths is not None and "MLP" in groups:
                groups["MLP"].cut([kept], width=widths["MLP"], columns=refit.columns, masks=masks)
            else:
                cut_units(
                    layer,
                    architecture,
                    kept,
                    columns=refit.columns,
                    feeding=refit.feeding,
                    masks=masks,
                    widths=None if widths is None else [widths[kind] for kind in groups],
                )
            if refit.bias is not None:
                add_bias(output_of(layer, architecture), refit.bias)
    if plan.n_removed_groups:
        cuts = _attention_cuts(plan, refits)
        cut_heads(model, architecture, language_model.attention, cuts, masks=masks)
    _switch_biases_on(model, architecture)
    return model


def slice_uniformly(
    language_model: LanguageModel,
    plan: PruningPlan,
    *,
    refits: Sequence[Refit] | None = None,
) -> "PreTrainedModel":
    """Return a smaller copy that a plain config describes: the same width in every layer.

    Raises
    ------
    PlanError
        If the plan keeps different numbers of units or KV groups, the refits' bias has no home,
        or a plain config of the family cannot say that there are fewer heads.
    """
    _check_bias_home(language_model, refits)
    if language_model.architecture.mixture is not None:
        return _slice_experts(language_model, plan, refits)
    if not language_model.architecture.width_attribute:
        raise PlanError(f"{NO_WIDTH}.", hint="Export in the masked or per-layer form.")
    if not plan.is_uniform:
        noun, counts = "units", plan.kept_widths
        if len(set(counts)) == 1:
            noun, counts = "KV groups", plan.kept_group_counts
        raise PlanError(
            f"The uniform form needs the same number of {noun} in every layer; this plan keeps "
            f"{min(counts)} to {max(counts)}.",
            hint="Plan with the uniform allocation and a multiple (fnprune plan RECORDING "
            "--allocation uniform --multiple 64), or export it as per-layer or masked.",
        )
    refusal = _heads_refusal(language_model, plan)
    if refusal:
        raise PlanError(
            f"The uniform form cannot hold this plan's attention: {refusal}.",
            hint="Export it in the per-layer or masked form, or plan with an attention ratio of 0.",
        )
    return prune(language_model, plan, refits=refits)


def _slice_experts(
    language_model: LanguageModel, plan: PruningPlan, refits: Sequence[Refit] | None
) -> "PreTrainedModel":
    """Return a smaller copy whose experts are as wide as the widest of their kind must be.

    Zeros fill those that keep fewer units; none has to where the plan's allocation is uniform.
    """
    if plan.n_removed_groups:
        raise PlanError(
            "The uniform form of a mixture of experts holds no cut of attention.",
            hint="Export it in the masked form, or plan with an attention ratio of 0.",
        )
    plan.check_for(language_model)
    widths, values = plain_widths(language_model.model, language_model.architecture, plan)
    model = _cut_copy(language_model, plan, refits, masks=False, widths=widths)
    say_widths(model, values)
    return model


def slice_per_layer(
    language_model: LanguageModel,
    plan: PruningPlan,
    *,
    refits: Sequence[Refit] | None = None,
) -> "PreTrainedModel":
    """Return a smaller copy of our own class, whose config says the width of each layer.

    Its config says how many KV groups each layer has, too. It has a home for a bias in every
    family.
    """
    architecture = language_model.architecture
    if architecture.mixture is not None:
        _check_bias_home(language_model, refits)
    model = prune(language_model, plan, refits=refits)
    has_experts = architecture.mixture is not None
    has_bias = not has_experts and give_biases(output_projections(model, architecture))
    model_class = getattr(modeling_per_layer, modeling_per_layer.PREFIX + type(model).__name__)
    values = {name: value for name, value in model.config.to_dict().items() if name != "model_type"}
    config = model_class.config_class(**values)
    config.layer_widths = list(plan.kept_widths)
    if has_experts:
        dense = {name: p.shape for name, p in language_model.model.named_parameters()}
        shapes = {name: p.shape for name, p in model.named_parameters()}
        config.parameter_shapes = {
            name: list(shape) for name, shape in shapes.items() if shape != dense[name]
        }
    config.mlp_modules = {
        "layers": architecture.layers,
        "feeding": list(architecture.feeding),
        "n_fused": architecture.n_fused,
        "output": architecture.output_projection,
        "output_bias": has_bias,
    }
    if plan.n_removed_groups:
        config.attention_modules = per_layer_attention(
            model, architecture, language_model.attention, plan.kept_group_counts
        )
    module_name = modeling_per_layer.__name__.rpartition(".")[2]
    config.auto_map = {
        "AutoConfig": f"{module_name}.{model_class.config_class.__name__}",
        "AutoModelForCausalLM": f"{module_name}.{model_class.__name__}",
    }
    base_name = modeling_per_layer.PREFIX + type(model.base_model).__name__
    if model.base_model is not model and hasattr(modeling_per_layer, base_name):
        config.auto_map["AutoModel"] = f"{module_name}.{base_name}"  # vLLM's own head goes on it
    # The copy already is what the class builds from its config; only its name is missing.
    model.__class__ = model_class
    model.config = config
    # transformers renames tensors of some types as it saves, and never as it loads own code.
    setattr(model, "_weight_conversions", [])  # noqa: B010 -- not in its type
    return model


def _attention_cuts(plan: PruningPlan, refits: Sequence[Refit] | None) -> list[AttentionCut]:
    """Return the cut of each layer's attention, with the refits where they have one.

    Raises
    ------
    PlanError
        If the refits are of other groups.
    """
    cuts = []
    for layer, removed in enumerate(plan.removed_groups):
        cut = refits[layer].attention if refits is not None else None
        if cut is not None and not np.array_equal(cut.removed, removed):
            raise PlanError(
                f"The compensation of layer {layer} is for KV groups {cut.removed.tolist()}, the "
                f"plan removes {removed.tolist()}.",
                hint="Make the plan again.",
            )
        cuts.append(cut or AttentionCut(removed=removed))
    return cuts


def _heads_refusal(language_model: LanguageModel, plan: PruningPlan) -> str:
    if not plan.n_removed_groups:
        return ""
    return plain_heads_refusal(
        language_model.model,
        language_model.architecture,
        language_model.attention,
        plan.kept_group_counts[0],
    )


def _check_bias_home(language_model: LanguageModel, refits: Sequence[Refit] | None) -> None:
    architecture = language_model.architecture
    lacking = []
    if architecture.bias_home == "none" and any(refit.bias is not None for refit in refits or ()):
        lacking.append("MLP")
    if architecture.attention.bias_home == "none" and any(
        refit.attention is not None and refit.attention.bias is not None for refit in refits or ()
    ):
        lacking.append("attention's output")
    if lacking:
        raise PlanError(
            f"{architecture.family} models have no bias in their {' and '.join(lacking)}, so this "
            "plan's bias would be lost when the export is loaded.",
            hint="Make the plan with compensation none, or least-squares without intercept; or "
            "export it in the per-layer form, which brings its own code.",
        )


def _switch_biases_on(model: "PreTrainedModel", architecture: Architecture) -> None:
    """Switch the config's biases on where a projection got one; all others become zero."""
    switches = []
    if architecture.bias_home == "switch" and any(
        bias_of(projection) is not None for projection in output_projections(model, architecture)
    ):
        switches.append(architecture.bias_switch)
    if architecture.attention.bias_home == "switch" and attention_has_bias(model, architecture):
        switches.append(architecture.attention.bias_switch)
    if not switches:
        return
    for name in switches:
        set_in_config(model.config, name, True)
    with torch.device("meta"):
        rebuilt = type(model)(model.config)
    for name, expected in rebuilt.named_modules():
        module = model.get_submodule(name)
        if bias_of(expected) is not None and bias_of(module) is None:
            weight = weight_of(module)
            replace_weight(module, weight, weight.new_zeros(weight.shape[0]))
