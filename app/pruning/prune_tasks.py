"""Jobs of the pages on plans: a plan made and measured beside its rivals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.shell.jobs.tasks import Run, task
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation import compare, elsewhere, expectation
from fnprune_core.evaluation.results import DENSE, Perplexity
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import Phases, ProgressEvent
from fnprune_core.pruning import planner
from fnprune_core.pruning.estimates import ComparisonEstimate, ComparisonLeft, is_trained
from fnprune_core.recording.recording import Recording, open_recording
from fnprune_core.scores.units import plan_label, score_named
from fnprune_core.storage.workspace import Workspace
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

    def known(self, workspace: Workspace, language_model: LanguageModel) -> dict[str, str | None]:
        """Return the id of each wanted plan by label; None for one that is still to be made."""
        wanted = self.wanted()
        ids = planner.made(
            workspace,
            language_model,
            recording_id=self.recording,
            decomposition_id=self.atlas or None,
            settings=list(wanted.values()),
        )
        return dict(zip(wanted, ids, strict=True))


#: Stages of making a plan, with the part of it that each takes where it takes any.
_MAKING = {"moments": 0.3, "compensation": 0.7}
_TRAINING = {"reconstruction": 1.0}
READING = "reading held-out text"


@task("prune", "Pruning")
def prune(run: Run, order: PruneOrder) -> Comparison:
    """Make the plan and its baselines and measure them together; return a `Comparison`.

    Units are ranked, chosen and removed, and what stays is refitted, in `planner.plans`; models are
    read in `compare.compare`. The person's plan is made first, and read on each domain's first
    windows, so that a figure is there before the rivals are made.
    """
    model = run.model(order.model)
    recording = open_recording(run.workspace, order.recording)
    windows = compare.evaluation_windows(
        model,
        run.documents(order.texts),
        window=order.window,
        max_windows=order.max_windows,
        chat=recording.windows.chat,
    )
    compare.check_overlap(recording, windows)  # before a plan is made for nothing
    comparing = _Comparing(run, order, model, windows, recording)
    comparing.tell_known()
    own = comparing.make([PLAN], "own")[PLAN]
    comparing.read({DENSE: None, PLAN: own}, most_batches=len(windows.domain_names))
    elsewhere.measure(run.workspace, model, own, cancel=run.cancel)
    comparing.follow_pace()
    every = comparing.make(list(comparing.wanted), "rivals")
    compared = comparing.read({DENSE: None, **every})
    expectation.write_samples(
        run.workspace,
        model,
        own,
        windows,
        progress=comparing.phases.within("writing", {expectation.WRITING: 1.0}),
        cancel=run.cancel,
    )
    return compared


class _Comparing:
    """One order of Apply: what was made and read of it, told as a share of the whole."""

    def __init__(
        self,
        run: Run,
        order: PruneOrder,
        language_model: LanguageModel,
        windows: Windows,
        recording: Recording,
    ) -> None:
        self.run, self.order = run, order
        self.language_model, self.windows, self.recording = language_model, windows, recording
        self.wanted = order.wanted()
        self.ids = order.known(run.workspace, language_model)
        cost = self._cost()
        phases = ("own", "rivals", "reading", "writing")
        self.phases = Phases({name: getattr(cost, name) for name in phases}, run.report)
        self.n_read = dict.fromkeys((DENSE, *self.wanted), 0)
        self.n_read_before: int | None = None

    def _cost(self) -> ComparisonEstimate:
        left = left_of(self.run.workspace, self.language_model, self.order, self.windows, self.ids)
        return left.estimate(self.language_model, self.recording.windows)

    def tell_known(self) -> None:
        """Tell what was measured before."""
        there = {label: id for label, id in self.ids.items() if id is not None}
        self.read({DENSE: None, **there}, most_batches=0)
        self.n_read_before = sum(self.n_read.values())

    def follow_pace(self) -> None:
        """Expect of what is left what the model's pace lets expect by now."""
        cost = self._cost()
        for phase in ("rivals", "reading", "writing"):
            self.phases.expect_left(phase, getattr(cost, phase))

    def make(self, labels: Sequence[str], phase: str) -> dict[str, str]:
        """Make the plans that are missing, and tell and return their ids."""
        settings = [self.wanted[label] for label in labels]
        stages = _TRAINING if any(map(is_trained, settings)) else _MAKING
        ids = planner.plans(
            self.run.workspace,
            self.language_model,
            recording_id=self.order.recording,
            decomposition_id=self.order.atlas or None,
            settings=settings,
            progress=self.phases.within(phase, stages),
            cancel=self.run.cancel,
        )
        made = dict(zip(labels, ids, strict=True))
        self.ids |= made
        self.phases.reach(phase)
        plan_ids = {label: id for label, id in self.ids.items() if id is not None}
        note = planner.bias_warning(self.language_model, self.order.settings)
        self.run.report(Planned(plan_ids={DENSE: None, **plan_ids}, note=note, order=self.order))
        self.follow_pace()
        return made

    def read(
        self, plan_ids: Mapping[str, str | None], *, most_batches: int | None = None
    ) -> Comparison:
        """Read the held-out text by some models, as far as asked, and tell each result."""
        return measured(
            self.run, self.language_model, self.windows, plan_ids,
            most_batches=most_batches, on_read=self._tell_read,
        )  # fmt: skip

    def _tell_read(self, label: str, n_windows: int) -> None:
        self.n_read[label] = n_windows
        n_read, total = sum(self.n_read.values()), self.windows.n_windows * len(self.n_read)
        if self.n_read_before is not None:  # else these are results of earlier comparisons
            n_left = total - self.n_read_before
            self.phases.reach("reading", (n_read - self.n_read_before) / max(n_left, 1))
        self.phases.tell(ProgressEvent(stage=READING, done=n_read, total=total, unit="windows"))


def left_of(
    workspace: Workspace,
    language_model: LanguageModel,
    order: PruneOrder,
    windows: Windows,
    known: Mapping[str, str | None],
) -> ComparisonLeft:
    """Return what a comparison still has to do.

    Parameters
    ----------
    windows : Windows
        Of the held-out text.
    known : mapping
        Label of each plan to its id; None where it is still to be made.
    """
    wanted = order.wanted()
    missing = [label for label, id in known.items() if id is None]
    there = [None, *(id for id in known.values() if id is not None)]
    n_windows = compare.n_to_read(workspace, language_model, windows, there)
    n_windows += windows.n_windows * len(missing)
    n_elsewhere = elsewhere.n_tokens_left(workspace, language_model, known[PLAN])
    return ComparisonLeft(
        own=[wanted[label] for label in missing if label == PLAN],
        rivals=[wanted[label] for label in missing if label != PLAN],
        n_tokens=round(n_windows * windows.n_tokens / windows.n_windows) + n_elsewhere,
        n_written=expectation.n_tokens_left(workspace, language_model, known[PLAN], windows),
    )


def measured(
    run: Run,
    language_model: LanguageModel,
    windows: Windows,
    plan_ids: Mapping[str, str | None],
    *,
    most_batches: int | None = None,
    on_read: Callable[[str, int], None] | None = None,
) -> Comparison:
    """Measure plans on the same windows, reporting each result so far.

    Parameters
    ----------
    most_batches : int, optional
        Leave off after so many batches of each.
    on_read : callable, optional
        Called with a label and how many windows it has read, in place of the report of windows.
    """
    n_read = dict.fromkeys(plan_ids, 0)

    def report_windows(label: str, n_windows: int) -> None:
        n_read[label] = n_windows
        total = windows.n_windows * len(n_read)
        run.report(
            ProgressEvent(stage=READING, done=sum(n_read.values()), total=total, unit="windows")
        )

    def on_partial(label: str, result: Perplexity) -> None:
        run.report(Partial(label=label, result=result))
        (on_read or report_windows)(label, len(result.window_nll))

    evaluation_ids = compare.compare(
        run.workspace,
        language_model,
        windows,
        plan_ids=plan_ids,
        most_batches=most_batches,
        on_partial=on_partial,
        cancel=run.cancel,
    )
    return Comparison(plan_ids=plan_ids, evaluation_ids=evaluation_ids)
