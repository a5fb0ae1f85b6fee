"""Jobs of the pages on plans: a plan made and measured beside its rivals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.shell.jobs import Report
from app.shell.tasks import Run, task
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation import compare
from fnprune_core.evaluation.results import DENSE, Perplexity
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import ProgressEvent
from fnprune_core.pruning import planner
from fnprune_core.scores.units import plan_label, score_named
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

PLAN = "your plan"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Partial:
    """Perplexity so far of one model in a comparison."""

    label: str
    result: Perplexity


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The plans of a comparison, made and about to be measured.

    Parameters
    ----------
    note : str
        For the person.
    order : PruneOrder
        What was asked for: the same again goes on where this was stopped.
    """

    plan_ids: Mapping[str, str | None]
    note: str
    order: "PruneOrder | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Result of `prune`: ids of the plans and of their evaluations, by label."""

    plan_ids: Mapping[str, str | None]
    evaluation_ids: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOrder:
    """Order of the button Apply.

    Parameters
    ----------
    settings : PlanSettings
        Of the person's plan.
    baselines : tuple of str
        Rival scores, measured with the same networks, ratio, allocation, sink rule, pins and
        compensation.
    n_seeds : int
        Plans of the random score.
    """

    model: str
    recording: str
    atlas: str
    settings: PlanSettings
    baselines: tuple[str, ...]
    texts: TextChoice
    window: int = 512
    max_windows: int | None = 24
    n_seeds: int = 3

    def wanted(self) -> dict[str, PlanSettings]:
        """Return the plans to make, by label: the person's first."""
        plans = {PLAN: self.settings}
        for name in self.baselines:
            for seed in range(self.n_seeds if score_named(name).is_drawn else 1):
                plans[plan_label(name, seed)] = self.settings.with_(
                    score=name, seed=seed, **score_named(name).fixes
                )
        return plans


@task("prune", "Pruning")
def prune(run: Run, order: PruneOrder) -> Comparison:
    """Make the plan and its baselines and measure them together; return a `Comparison`."""
    language_model = run.model(order.model)
    windows = windows_of(
        language_model,
        run.documents(order.texts),
        window=order.window,
        max_windows=order.max_windows,
    )
    plans = order.wanted()
    ids = planner.plans(
        run.workspace,
        language_model,
        recording_id=order.recording,
        decomposition_id=order.atlas or None,
        settings=list(plans.values()),
        **run.watched,
    )
    plan_ids = {DENSE: None, **dict(zip(plans, ids, strict=True))}
    note = planner.bias_warning(language_model, order.settings)
    run.report(Planned(plan_ids=plan_ids, note=note, order=order))
    return measured(run, language_model, windows, plan_ids)


def windows_of(
    language_model: LanguageModel,
    documents: Sequence[Document],
    *,
    window: int,
    max_windows: int | None,
) -> Windows:
    """Return the windows of chosen texts on which plans are measured."""
    return compare.evaluation_windows(
        language_model, documents, window=window, max_windows=max_windows
    )


def measured(
    run: Run,
    language_model: LanguageModel,
    windows: Windows,
    plan_ids: Mapping[str, str | None],
) -> Comparison:
    """Measure plans on the same windows, reporting each result so far."""
    evaluation_ids = compare.compare(
        run.workspace,
        language_model,
        windows,
        plan_ids=plan_ids,
        on_partial=_report_results(run.report, plan_ids),
        cancel=run.cancel,
    )
    return Comparison(plan_ids=plan_ids, evaluation_ids=evaluation_ids)


def _report_results(report: Report, labels: Mapping[str, str | None]) -> Any:
    """Return the callback of `compare`: reports each result, and how many windows are read."""
    n_read = dict.fromkeys(labels, 0)

    def on_partial(label: str, result: Perplexity) -> None:
        n_read[label] = len(result.window_nll)
        report(Partial(label=label, result=result))
        report(
            ProgressEvent(
                stage="reading held-out text",
                done=sum(n_read.values()),
                total=result.n_windows_total * len(n_read),
                unit="windows",
            )
        )

    return on_partial
