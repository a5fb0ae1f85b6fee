"""The plan that an export form takes: rounded to widths that hardware likes."""

from fnprune_core.allocation import default_multiple
from fnprune_core.artifacts import open_plan
from fnprune_core.errors import PlanError, SettingsError
from fnprune_core.export import form_named
from fnprune_core.models import LanguageModel
from fnprune_core.planning import plan
from fnprune_core.plans import PruningPlan
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
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
    settings = made.settings.with_(multiple=multiple)
    if multiple is None or (_fits(made, multiple) and (made.is_uniform or not row.is_alike)):
        return workspace.existing("plans", plan_id).name
    if row.is_alike:
        _check_uniform(made)
    if not workspace.has("recordings", made.recording_id):
        raise PlanError(
            f"This plan's widths are no multiple of {multiple}, and its recording "
            f"{made.recording_id} is not here to plan again with them.",
            hint="Record the calibration text again and plan with --multiple, or give the "
            "multiple that the plan has.",
        )
    rounded = plan(
        workspace,
        language_model,
        recording_id=made.recording_id,
        decomposition_id=made.decomposition_id or None,
        settings=settings,
        progress=progress,
        cancel=cancel,
    )
    if not open_plan(workspace, rounded).n_removed:
        raise PlanError(
            f"Rounded up to a multiple of {multiple}, every layer keeps all its units.",
            hint="Choose a smaller multiple or a higher ratio.",
        )
    return rounded


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
