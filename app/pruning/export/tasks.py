"""What the buttons of the page Export start: a plan for a form, its speed, the export itself."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.pruning.tasks import PLAN, Comparison, reading
from app.shell.jobs import Report
from app.shell.tasks import ModelShelf, Task
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation import compare
from fnprune_core.evaluation.results import DENSE
from fnprune_core.export import from_workspace, rounding
from fnprune_core.export.speed import measure_speed
from fnprune_core.progress import CancelToken
from fnprune_core.storage import Workspace

#: The plan that did not fit, in the comparison with the one made again.
BEFORE = "the plan before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export gave.

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
    """What is to be written, and where."""

    model: str
    plan: str
    target: str
    form: str = "masked"
    multiple: int | None = None
    weights: str = "F16"


def export(shelf: ModelShelf, workspace: Workspace, order: ExportOrder) -> Task:
    """Write the pruned model, reloaded and compared; an `Exported` results."""

    def run(report: Report, cancel: CancelToken) -> Exported:
        language_model = shelf.get(order.model, progress=report)
        cancel.raise_if_cancelled()
        id = rounding.plan_for_form(
            workspace,
            language_model,
            order.plan,
            form=order.form,
            multiple=order.multiple,
            progress=report,
            cancel=cancel,
        )
        folder = from_workspace.export(
            workspace,
            language_model,
            id,
            Path(order.target),
            form=order.form,
            weights=order.weights,
            progress=report,
        )
        return Exported(folder=folder, form=order.form, weights=order.weights, plan=id)

    title = f"Exporting, {order.form}"
    return Task(kind="export", title=title, inputs=asdict(order), function=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOrder:
    """A plan to be made again for a form, and measured.

    Parameters
    ----------
    multiple : int
        What each layer's units become a multiple of.
    is_alike : bool
        Whether every layer is to keep the same number.
    texts : TextChoice
        What it is measured on.
    """

    model: str
    plan: str
    multiple: int
    is_alike: bool
    texts: TextChoice
    window: int
    max_windows: int | None


def fit(shelf: ModelShelf, workspace: Workspace, order: FitOrder) -> Task:
    """Make a plan again for a form; measure it, the one before and dense; a `Comparison`."""

    def run(report: Report, cancel: CancelToken) -> Comparison:
        language_model = shelf.get(order.model, progress=report)
        windows = compare.evaluation_windows(
            language_model,
            order.texts.documents(),
            window=order.window,
            max_windows=order.max_windows,
        )
        id = rounding.plan_again(
            workspace,
            language_model,
            order.plan,
            allocation="uniform" if order.is_alike else None,
            multiple=order.multiple,
            progress=report,
            cancel=cancel,
        )
        plan_ids = {DENSE: None, PLAN: id, BEFORE: order.plan}
        evaluation_ids = compare.compare(
            workspace,
            language_model,
            windows,
            plan_ids=plan_ids,
            on_partial=reading(report, plan_ids),
            cancel=cancel,
        )
        return Comparison(plan_ids=plan_ids, evaluation_ids=evaluation_ids)

    inputs = asdict(order)
    return Task(kind="fit", title="Planning again and measuring", inputs=inputs, function=run)


def speed(
    shelf: ModelShelf, workspace: Workspace, *, model: str, plan: str, forms: Sequence[str]
) -> Task:
    """Measure how fast a plan's copies are on this machine; the measurement's id results."""

    def run(report: Report, cancel: CancelToken) -> str:
        language_model = shelf.get(model, progress=report)
        return measure_speed(
            workspace, language_model, plan, forms=forms, progress=report, cancel=cancel
        )

    inputs = {"model": model, "plan": plan, "forms": list(forms)}
    return Task(kind="speed", title="Measuring speed", inputs=inputs, function=run)
