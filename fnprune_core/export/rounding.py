"""Plans as export forms take them: rounded to widths that hardware likes."""

from contextlib import suppress
from dataclasses import dataclass

from fnprune_core.errors import CorruptArtifactError, PlanError, SettingsError
from fnprune_core.export.forms import form_named
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import default_multiple
from fnprune_core.plans.decision_log import add_decisions, read_notes
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.pruning.planner import plan
from fnprune_core.storage.workspace import Workspace

#: Who wants widths that are a multiple, smallest first.
MULTIPLES = {64: "tensor cores", 128: "GPTQ and AWQ in groups of 128", 256: "llama.cpp's K-quants"}


def widths_sentence(pruning_plan: PruningPlan) -> str:
    """Return which hardware and quantisers the widths of a plan's layers fit, and which not."""
    fit: list[str] = []
    unfit: list[str] = []
    for multiple, who in MULTIPLES.items():
        fits = all(width % multiple == 0 for width in pruning_plan.kept_widths)
        (fit if fits else unfit).append(f"{who} ({multiple})")
    fitting = f"Widths fit {', '.join(fit)}" if fit else "Widths are no multiples of 64"
    return fitting + (f"; not {', '.join(unfit)}." if unfit else ".")


def settings_for(settings: PlanSettings, *, form: str | None, layout: UnitLayout) -> PlanSettings:
    """Return a plan's settings as an export form takes them: alike layers and round widths."""
    if form is None or not form_named(form).is_alike:
        return settings
    multiple = settings.multiple or default_multiple(min(layout.widths))
    return settings.with_(allocation="uniform", multiple=multiple)


def plan_for_form(
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    *,
    form: str,
    multiple: int | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Return the id of the plan to export in a form: the same, or one made again with rounding.

    Rounding keeps more units, the highest scored of those that would go, and refits anew; so the
    result is a plan of its own, with its own ratio, to be evaluated and quoted.

    Parameters
    ----------
    multiple : int, optional
        Each layer's units become a multiple of it. For the uniform form 64 by default, less for
        small layers; the per-layer form does not round unless asked to.

    Raises
    ------
    PlanError
        If the uniform form is asked of another allocation, nothing would be left to remove, or
        the recording from which to plan again is gone.
    """
    export_form, old_plan = form_named(form), open_plan(workspace, plan_id)
    if multiple is not None and not export_form.is_smaller:
        raise SettingsError(
            f"The {form} form keeps all shapes: there is no width to round.",
            hint="Leave the multiple out, or choose the form uniform or per-layer.",
        )
    if export_form.is_alike and multiple is None:
        multiple = default_multiple(min(old_plan.layout.widths))
    old_plan.settings.with_(multiple=multiple)  # refuses what is no multiple
    if multiple is None or (
        _fits(old_plan, multiple) and (old_plan.is_uniform or not export_form.is_alike)
    ):
        return workspace.existing("plans", plan_id).name
    if export_form.is_alike:
        _check_uniform(old_plan)
    return plan_again(
        workspace, language_model, plan_id, multiple=multiple, progress=progress, cancel=cancel
    )


def plan_again(  # noqa: PLR0913 - a plan, and what is to differ
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    *,
    multiple: int | None,
    allocation: str | None = None,
    ratio: float | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Return the id of a plan made again from its recording with rounding; all else is kept.

    The log of decisions goes along.

    Parameters
    ----------
    allocation, ratio : optional
        In place of the plan's own.

    Raises
    ------
    PlanError
        If nothing would be left to remove, or the recording is gone.
    """
    old_plan = open_plan(workspace, plan_id)
    if not workspace.has("recordings", old_plan.recording_id):
        raise PlanError(
            f"This plan's widths are no multiple of {multiple}, and its recording "
            f"{old_plan.recording_id} is not here to plan again with them.",
            hint="Record the calibration text again and plan with --multiple, or give the "
            "multiple that the plan has.",
        )
    changes = {"multiple": multiple, "allocation": allocation, "ratio": ratio}
    settings = old_plan.settings.with_(**{k: v for k, v in changes.items() if v is not None})
    new_id = plan(
        workspace,
        language_model,
        recording_id=old_plan.recording_id,
        decomposition_id=old_plan.decomposition_id or None,
        settings=settings,
        progress=progress,
        cancel=cancel,
    )
    if not open_plan(workspace, new_id).n_removed:
        raise PlanError(
            f"Rounded up to a multiple of {multiple}, every layer keeps all its units.",
            hint="Choose a smaller multiple or a higher ratio.",
        )
    with suppress(CorruptArtifactError):  # the decisions behind the old plan hold for the new one
        add_decisions(workspace, new_id, read_notes(workspace, plan_id).decisions)
    return new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounded:
    """What a plan becomes when every layer keeps the same round number of units.

    Parameters
    ----------
    width : int
        Units that each layer keeps.
    ratio : float
        Share of all MLP units that goes then.
    share_of_parameters : float or None
        Of all parameters; None where attention gives up some, too.
    """

    width: int
    ratio: float
    share_of_parameters: float | None

    @property
    def text(self) -> str:
        """What goes, in words."""
        text = f"{self.width:,} units per layer: {100 * self.ratio:.1f} % of the units go"
        if self.share_of_parameters is not None:
            text += f", {100 * self.share_of_parameters:.1f} % of all parameters"
        return text


def roundings(pruning_plan: PruningPlan, multiple: int) -> list[Rounded]:
    """Return what a plan can become with layers that are alike, the nearest to it first.

    One keeps more units than the plan, one fewer. Empty where the dense layers differ, for then
    each keeps its own number.
    """
    layout = pruning_plan.layout
    if len(set(layout.widths)) > 1:
        return []
    dense = layout.widths[0]
    kept = dense * (1 - pruning_plan.achieved_ratio)
    steps = {int(kept // multiple), int(-(-kept // multiple))}
    widths = sorted({w for s in steps if 0 < (w := s * multiple) < dense} or {dense})
    each = pruning_plan.share_of_parameters / max(pruning_plan.n_removed, 1)
    rounded = [
        Rounded(
            width=width,
            ratio=(dense - width) / dense,
            share_of_parameters=None
            if pruning_plan.n_removed_groups
            else each * (dense - width) * layout.n_layers,
        )
        for width in widths
    ]
    return sorted(rounded, key=lambda each: abs(each.width - kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Fit of a plan to a form: whether it can be written as it stands.

    Parameters
    ----------
    multiple : int or None
        What its widths must be a multiple of; None where they need not.
    reason : str
        Why not, a sentence; empty if it can.
    """

    multiple: int | None
    reason: str = ""


def fit_of(pruning_plan: PruningPlan, *, form: str, multiple: int | None = None) -> Fit:
    """Return whether a plan suits a form and a multiple, or why it must be made again first."""
    export_form = form_named(form)
    if not export_form.is_smaller:
        return Fit(multiple=None)
    if export_form.is_alike and multiple is None:
        multiple = default_multiple(min(pruning_plan.layout.widths))
    fewest, most = min(pruning_plan.kept_widths), max(pruning_plan.kept_widths)
    if export_form.is_alike and not pruning_plan.is_uniform:
        noun = "units" if fewest < most else "KV groups"
        if fewest == most:
            fewest, most = min(pruning_plan.kept_group_counts), max(pruning_plan.kept_group_counts)
        reason = (
            f"This form needs layers that are alike; this plan keeps {fewest:,} to {most:,} {noun}."
        )
        return Fit(multiple=multiple, reason=reason)
    if multiple is not None and not _fits(pruning_plan, multiple):
        counts = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        reason = f"This plan keeps {counts} units a layer, which are no multiples of {multiple}."
        return Fit(multiple=multiple, reason=reason)
    return Fit(multiple=multiple)


def _fits(pruning_plan: PruningPlan, multiple: int) -> bool:
    """Whether each layer's units are a multiple, or all that it had."""
    return all(
        kept % multiple == 0 or kept == width
        for kept, width in zip(pruning_plan.kept_widths, pruning_plan.layout.widths, strict=True)
    )


def _check_uniform(pruning_plan: PruningPlan) -> None:
    if pruning_plan.settings.allocation != "uniform":
        raise PlanError(
            f"The uniform form needs a plan with the uniform allocation; this one is allocated "
            f"by {pruning_plan.settings.allocation}.",
            hint="Plan again with --allocation uniform, or export in the form masked or per-layer.",
        )
