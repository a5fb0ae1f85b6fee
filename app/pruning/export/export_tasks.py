"""Tasks of the Export page: a plan for a form, its speed, the export itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.pruning.prune_tasks import PLAN, Comparison, measured
from app.shell.jobs.tasks import Run, task
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation import compare, expectation
from fnprune_core.evaluation.results import DENSE
from fnprune_core.export import from_workspace, rounding
from fnprune_core.export.speed import measure_speed

#: The plan that did not fit, in the comparison with the one made again.
BEFORE = "the plan before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Result of an export.

    Parameters
    ----------
    plan : str
        The plan that was written: the one asked for, or it made again with rounding.
    """

    folder: Path
    form: str
    weights: str
    plan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    """Order of an export: the plan, the form, and the folder."""

    model: str
    plan: str
    target: str
    form: str = "masked"
    multiple: int | None = None
    weights: str = "F16"
    with_refits: bool = False


@task("export", "Exporting, {form}")
def export(run: Run, order: ExportOrder) -> Exported:
    """Write the pruned model, reload and compare it; return an `Exported`."""
    language_model = run.model(order.model)
    run.cancel.raise_if_cancelled()
    id = rounding.plan_for_form(
        run.workspace,
        language_model,
        order.plan,
        form=order.form,
        multiple=order.multiple,
        **run.watched,
    )
    folder = from_workspace.export(
        run.workspace,
        language_model,
        id,
        run.target(order.target),
        form=order.form,
        weights=order.weights,
        with_refits=order.with_refits,
        progress=run.report,
    )
    return Exported(folder=folder, form=order.form, weights=order.weights, plan=id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOrder:
    """A plan to be made again for a form, and measured.

    Parameters
    ----------
    multiple : int
        What each layer's units become a multiple of.
    is_alike : bool
        Whether every layer is to keep the same number.
    ratio : float or None
        Share of all units that is to go then; None for the plan's own, rounded down.
    texts : TextChoice
        What it is measured on.
    """

    model: str
    plan: str
    multiple: int
    is_alike: bool
    ratio: float | None = None
    texts: TextChoice
    window: int
    max_windows: int | None


@task("fit", "Planning again and measuring")
def fit(run: Run, order: FitOrder) -> Comparison:
    """Make a plan again for a form; measure it, the one before and dense; return a `Comparison`."""
    language_model = run.model(order.model)
    windows = compare.evaluation_windows(
        language_model, run.documents(order.texts), window=order.window,
        max_windows=order.max_windows,
    )  # fmt: skip
    id = rounding.plan_again(
        run.workspace,
        language_model,
        order.plan,
        allocation="uniform" if order.is_alike else None,
        multiple=order.multiple,
        ratio=order.ratio,
        **run.watched,
    )
    compared = measured(run, language_model, windows, {DENSE: None, PLAN: id, BEFORE: order.plan})
    expectation.write_samples(run.workspace, language_model, id, windows, **run.watched)
    return compared


@task("speed", "Measuring speed")
def speed(run: Run, *, model: str, plan: str, forms: Sequence[str]) -> str:
    """Measure how fast a plan's copies are on this machine; return the measurement's id."""
    return measure_speed(run.workspace, run.model(model), plan, forms=forms, **run.watched)
