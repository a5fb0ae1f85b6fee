"""Export of a plan of the workspace, with all that was measured of it."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from fnprune_core.evaluation import elsewhere
from fnprune_core.evaluation.expectation import expected_of
from fnprune_core.evaluation.results import open_evaluation
from fnprune_core.evaluation.rivals import evaluations_of, unreadable_evaluations
from fnprune_core.evaluation.verdict import verdict_of
from fnprune_core.export.export import bytes_of, export_model, is_free
from fnprune_core.export.forms import form_named
from fnprune_core.export.gguf.files import takes_uneven, why_no_gguf
from fnprune_core.export.model_card import CardFacts, MeasuredPerplexity
from fnprune_core.export.speed import open_speed, speeds_of_cut
from fnprune_core.models.attention import plain_heads_refusal
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.decision_log import decisions_of
from fnprune_core.plans.files import StoredPlan, stored_plan
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.progress import Progress, ignore
from fnprune_core.pruning.compensation import uses_bias
from fnprune_core.pruning.slicing import NO_WIDTH
from fnprune_core.scores.units import shown_label
from fnprune_core.storage.checksums import readable, reasons
from fnprune_core.storage.workspace import Workspace

_THIS = "this plan"


def export(  # noqa: PLR0913 - what is written, where, and in which way
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    target: Path,
    *,
    form: str = "masked",
    weights: str = "F16",
    with_refits: bool = False,
    progress: Progress = ignore,
) -> Path:
    """Write a pruned model with its measurements; return its folder.

    The model card has the perplexities of this very plan and of the dense model on the same
    texts, and the plan's newest measured speed; the log of decisions lies beside it. A plan that
    was not read on the text that no choice saw is read on it first.

    Parameters
    ----------
    weights : str
        How the form gguf stores weights.
    with_refits : bool
        Write the plan's refits too, by which it is made again without its recording.
    """
    stored = stored_plan(workspace, plan_id)
    language_model.check_fingerprint(stored.plan.fingerprint, "plan")
    if is_free(target):  # else it is this very export, or it is refused
        elsewhere.measure(workspace, language_model, plan_id)
    return export_model(
        language_model,
        stored.plan,
        target,
        form=form,
        refits=stored.refits(),
        facts=replace(_card_facts(workspace, stored, weights), with_refits=with_refits),
        progress=progress,
    )


def export_bytes(
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    *,
    form: str,
    weights: str = "F16",
    with_refits: bool = False,
) -> int:
    """Return the expected bytes of an export on disk."""
    stored = stored_plan(workspace, plan_id)
    n_bytes = bytes_of(language_model, stored.plan, form=form, weights=weights)
    return n_bytes + (refit_bytes(stored, language_model.dtype) if with_refits else 0)


def refit_bytes(stored: StoredPlan, dtype: torch.dtype) -> int:
    """Return the bytes that a plan's refits take beside an export of this dtype."""
    return stored.refit_bytes * dtype.itemsize // torch.float32.itemsize


def why_no_form(language_model: LanguageModel, plan: PruningPlan, form: str) -> str:
    """Return why a model's family has no place for a plan in a form, or an empty string.

    That layers must be alike, and widths rounded, is no reason: the plan can be made again.
    """
    export_form, architecture = form_named(form), language_model.architecture
    if export_form.brings_code:
        return ""
    has_bias = uses_bias(plan.settings.compensation, intercept=plan.settings.intercept)
    bias_homes = [architecture.bias_home]
    if plan.n_removed_groups:
        bias_homes.append(architecture.attention.bias_home)
    if has_bias and "none" in bias_homes:
        return (
            f"{architecture.family} models have no place for the bias of this plan's compensation. "
            "Plan with none, or with least squares without intercept."
        )
    if export_form.is_alike and not architecture.width_attribute:
        return f"{NO_WIDTH}. Export in the masked or per-layer form."
    if export_form.is_alike and plan.n_removed_groups:
        refusal = plain_heads_refusal(
            language_model.model,
            architecture,
            language_model.attention,
            max(plan.kept_group_counts),
        )
        if refusal:
            return f"{refusal[0].upper()}{refusal[1:]}. Plan without pruning attention."
    return _why_no_gguf(language_model, plan, has_bias=has_bias) if export_form.is_gguf else ""


def _why_no_gguf(language_model: LanguageModel, plan: PruningPlan, *, has_bias: bool) -> str:
    architecture = language_model.architecture
    if not takes_uneven(architecture.family):
        if has_bias:
            return "llama.cpp has no place for the bias of this plan's compensation."
        if not plan.is_uniform and not why_no_gguf(language_model):
            return (
                f"llama.cpp wants layers of {architecture.family} models that are alike. Plan "
                "again with the uniform allocation; the form Uniform offers it."
            )
    return why_no_gguf(language_model)


def smaller_form(language_model: LanguageModel | None, plan: PruningPlan) -> str:
    """Return the form that really makes a model smaller and takes a plan as it stands.

    Uniform, which loads anywhere, where layers are alike and the family has a place for all of the
    plan; else per layer, which keeps every ratio. Without a model the family is not asked.
    """
    is_refused = language_model is not None and why_no_form(language_model, plan, "uniform")
    return "uniform" if plan.is_uniform and not is_refused else "per-layer"


def _card_facts(workspace: Workspace, stored: StoredPlan, weights: str) -> CardFacts:
    figures = []
    for label, id in evaluations_of(workspace, stored.id).items():
        result = open_evaluation(workspace, id)
        figures.append(
            MeasuredPerplexity(
                label=label,
                perplexity=result.perplexity,
                standard_error=result.standard_error,
                sample=result.sample,
                protocol=asdict(result.protocol),
            )
        )
    speeds, unreadable_speeds = readable(
        speeds_of_cut(workspace, stored.cut_key), partial(open_speed, workspace)
    )
    speed = next(iter(speeds.values()), None)
    logs, unreadable_logs = readable([stored.id], partial(decisions_of, workspace))
    decisions = logs.get(stored.id, {"decisions": [], "name": ""})
    unreadable = [*unreadable_evaluations(workspace, stored.id), *unreadable_speeds]
    outside = elsewhere.stored(workspace, stored.id)
    verdict = verdict_of(workspace, stored.id, label=_THIS)
    return CardFacts(
        expectation=expected_of(workspace, stored.id),
        figures=figures,
        unreadable=reasons([*unreadable, *unreadable_logs], workspace.root),
        verdict=() if verdict is None else verdict.sentences(shown_label),
        elsewhere="" if outside is None else outside.sentence(),
        speeds=() if speed is None else speed.rows(),
        speed_protocol="" if speed is None else speed.sentence(),
        weights=weights,
        decisions=decisions if decisions["decisions"] or decisions["name"] else None,
    )
