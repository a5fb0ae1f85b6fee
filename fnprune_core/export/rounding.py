"""The plan that an export form takes: rounded to widths that hardware likes."""

from contextlib import suppress
from dataclasses import dataclass

from fnprune_core.errors import CorruptArtifactError, PlanError, SettingsError
from fnprune_core.export.forms import form_named
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.allocation import default_multiple
from fnprune_core.plans.decision_log import add_decisions, read_notes
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.pruning.planner import plan
from fnprune_core.storage import Workspace


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
    """Return the id of the plan to export in a form: this one, or it made again with rounding.

    Rounding keeps more units, the highest scored of those that would go, and refits anew; so the
    result is a plan of its own, with its own ratio, to be evaluated and quoted.

    Parameters
    ----------
    multiple : int, optional
        What each layer's units are a multiple of. For the uniform form 64 by default, less for
        small layers; the per-layer form does not round unless asked to.

    Raises
    ------
    PlanError
        If the uniform form is asked of another allocation, nothing would be left to remove, or
        the recording from which to plan again is gone.
    """
    row, made = form_named(form), open_plan(workspace, plan_id)
    if multiple is not None and not row.is_smaller:
        raise SettingsError(
            f"The {form} form keeps all shapes: there is no width to round.",
            hint="Leave the multiple out, or choose the form uniform or per-layer.",
        )
    if row.is_alike and multiple is None:
        multiple = default_multiple(min(made.layout.widths))
    made.settings.with_(multiple=multiple)  # refuses what is no multiple
    if multiple is None or (_fits(made, multiple) and (made.is_uniform or not row.is_alike)):
        return workspace.existing("plans", plan_id).name
    if row.is_alike:
        _check_uniform(made)
    return plan_again(
        workspace, language_model, plan_id, multiple=multiple, progress=progress, cancel=cancel
    )


def plan_again(
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    *,
    multiple: int | None,
    allocation: str | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Return the id of a plan made again from its recording with rounding; all else is kept.

    The log of decisions goes along.

    Parameters
    ----------
    allocation : str, optional
        In place of the plan's own.

    Raises
    ------
    PlanError
        If nothing would be left to remove, or the recording is gone.
    """
    made = open_plan(workspace, plan_id)
    if not workspace.has("recordings", made.recording_id):
        raise PlanError(
            f"This plan's widths are no multiple of {multiple}, and its recording "
            f"{made.recording_id} is not here to plan again with them.",
            hint="Record the calibration text again and plan with --multiple, or give the "
            "multiple that the plan has.",
        )
    settings = made.settings.with_(multiple=multiple)
    rounded = plan(
        workspace,
        language_model,
        recording_id=made.recording_id,
        decomposition_id=made.decomposition_id or None,
        settings=settings if allocation is None else settings.with_(allocation=allocation),
        progress=progress,
        cancel=cancel,
    )
    if not open_plan(workspace, rounded).n_removed:
        raise PlanError(
            f"Rounded up to a multiple of {multiple}, every layer keeps all its units.",
            hint="Choose a smaller multiple or a higher ratio.",
        )
    with suppress(CorruptArtifactError):  # what led to the one led to the other
        add_decisions(workspace, rounded, read_notes(workspace, plan_id).decisions)
    return rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a plan can be written in a form as it stands.

    Parameters
    ----------
    multiple : int or None
        What its widths must be a multiple of; None where they need not.
    reason : str
        Why not, a sentence; empty if it can.
    """

    multiple: int | None
    reason: str = ""


def fit_of(made: PruningPlan, *, form: str, multiple: int | None = None) -> Fit:
    """Return whether a plan suits a form and a multiple, or why it must be made again first."""
    row = form_named(form)
    if not row.is_smaller:
        return Fit(multiple=None)
    if row.is_alike and multiple is None:
        multiple = default_multiple(min(made.layout.widths))
    least, most = min(made.kept_widths), max(made.kept_widths)
    if row.is_alike and not made.is_uniform:
        what = "units" if least < most else "KV groups"
        if least == most:
            least, most = min(made.kept_group_counts), max(made.kept_group_counts)
        reason = (
            f"This form needs layers that are alike; this plan keeps {least:,} to {most:,} {what}."
        )
        return Fit(multiple=multiple, reason=reason)
    if multiple is not None and not _fits(made, multiple):
        kept = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        reason = f"This plan keeps {kept} units a layer, which are no multiples of {multiple}."
        return Fit(multiple=multiple, reason=reason)
    return Fit(multiple=multiple)


def _fits(made: PruningPlan, multiple: int) -> bool:
    """Whether each layer's units are a multiple, or all that it had."""
    return all(
        kept % multiple == 0 or kept == width
        for kept, width in zip(made.kept_widths, made.layout.widths, strict=True)
    )


def _check_uniform(made: PruningPlan) -> None:
    if made.settings.allocation != "uniform":
        raise PlanError(
            f"The uniform form needs a plan with the uniform allocation; this one is allocated "
            f"by {made.settings.allocation}.",
            hint="Plan again with --allocation uniform, or export in the form masked or per-layer.",
        )
