"""A sweep: perplexity against ratio, for several scores and random seeds, point by point."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fnprune_core.errors import PlanError, RatioError, SettingsError
from fnprune_core.evaluation.compare import compare
from fnprune_core.evaluation.results import Perplexity, paired_difference
from fnprune_core.inputs.numbers import check_most
from fnprune_core.machine import workers
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.compensation import batches, refit_bytes
from fnprune_core.pruning.planner import canonical_settings, plans
from fnprune_core.pruning.search.trials import Reading, readings
from fnprune_core.scores.units import score_named
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import Windows

READING = "reading held-out text"


MOST_PLANS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOrder:
    """Order for a sweep: the plans to make and measure.

    Parameters
    ----------
    base : PlanSettings
        Settings that all share: networks, allocation, sink rule, compensation, pins. Its score
        and ratio are replaced.
    scores : tuple of str
        Names in the table of scores.
    ratios : tuple of float
        Shares of all MLP units to remove, each above 0.
    n_seeds : int
        Plans of the random score at each ratio.
    """

    recording_id: str
    base: PlanSettings
    scores: tuple[str, ...]
    ratios: tuple[float, ...]
    decomposition_id: str | None = None
    n_seeds: int = 3

    def __post_init__(self) -> None:
        for score in self.scores:
            score_named(score)
        if not self.scores or not self.ratios:
            raise SettingsError("A sweep needs at least one score and one ratio.")
        outside = [ratio for ratio in self.ratios if not 0 < ratio < 1]
        if outside:
            raise RatioError(
                f"A sweep's ratios are shares of MLP units between 0 and 1, got {outside[0]:g}.",
                hint="For 20 % write 0.2; the dense model is measured anyway.",
            )
        check_most("n_seeds", self.n_seeds, MOST_PLANS)
        if len(self.scores) * len(self.ratios) * max(self.n_seeds, 1) > MOST_PLANS:
            raise SettingsError(
                f"This sweep is of over {MOST_PLANS:,} plans.",
                hint="Ask for fewer scores, ratios or seeds.",
            )
        if self.n_seeds < 1:
            raise SettingsError(f"n_seeds must be 1 or more, got {self.n_seeds}.")
        object.__setattr__(self, "scores", tuple(dict.fromkeys(self.scores)))
        object.__setattr__(self, "ratios", tuple(sorted(set(self.ratios))))

    def wanted(self) -> list[PlanSettings]:
        """Return the settings of each plan: by score, ratio and seed."""
        first = self.base.seed
        return [
            canonical_settings(self.base.with_(score=score, ratio=ratio, seed=seed))
            for score in self.scores
            for ratio in self.ratios
            for seed in self._seeds(score, first)
        ]

    def _seeds(self, score: str, first: int) -> Sequence[int]:
        """Return the seeds of a score: those that are drawn have several plans at each ratio."""
        return range(first, first + self.n_seeds) if score_named(score).is_drawn else (0,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepPoint:
    """One plan of a sweep with its measurement, or the reason why it has none.

    Parameters
    ----------
    ratio : float
        The share of units that was asked for.
    achieved_ratio, share_of_parameters : float
        What goes; NaN where no plan could be made.
    result : Perplexity or None
        So far; None where no plan could be made.
    failure : str
        Empty as a rule.
    """

    score: str
    ratio: float
    seed: int
    plan_id: str = ""
    achieved_ratio: float = math.nan
    share_of_parameters: float = math.nan
    result: Perplexity | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """State of a sweep: the points measured so far.

    Parameters
    ----------
    dense : Perplexity
    points : tuple of SweepPoint
        Those that are measured to their end, or failed.
    n_points : int
        Of the whole sweep.
    """

    dense: Perplexity
    points: tuple[SweepPoint, ...]
    n_points: int

    @property
    def is_complete(self) -> bool:
        """Whether every point is there."""
        return len(self.points) == self.n_points

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per plan: what goes, perplexity, and nats per token above dense."""
        return [_point_row(point, self.dense) for point in self.points]

    def table(self) -> pd.DataFrame:
        """Return one row per score and ratio, random seeds brought together (`pooled`)."""
        return pooled(self.rows())


def _point_row(point: SweepPoint, dense: Perplexity) -> dict[str, Any]:
    row: dict[str, Any] = {
        "score": point.score,
        "ratio": point.ratio,
        "seed": point.seed,
        "achieved_ratio": point.achieved_ratio,
        "share_of_parameters": point.share_of_parameters,
        "perplexity": math.nan,
        "standard_error": math.nan,
        "difference": math.nan,
        "difference_error": math.nan,
        "plan_id": point.plan_id,
        "failure": point.failure,
    }
    if point.result is not None and not point.failure:
        paired = paired_difference(point.result, dense)
        row |= {
            "perplexity": point.result.perplexity,
            "standard_error": point.result.standard_error,
            "difference": paired.difference,
            "difference_error": paired.standard_error,
        }
    return row


def pooled(
    rows: Sequence[Mapping[str, Any]], *, by: Sequence[str] = ("score", "ratio")
) -> pd.DataFrame:
    """Return one row for each group of rows that differ in a seed or a draw of text alone.

    Where a group has several measured rows, its perplexity is exp of their mean nats per token
    and its error the standard deviation over them (``spread`` "seeds"); of a single row the
    standard error over the text is kept ("text"). Differences likewise, in nats per token.

    Parameters
    ----------
    rows : sequence of mapping
        With perplexity, standard_error, difference, difference_error and the columns of `by`.
    """
    frame = pd.DataFrame(list(rows))
    if frame.empty:
        return pd.DataFrame(columns=[*by, *_POOLED])
    return pd.DataFrame(
        {**dict(zip(by, key, strict=True)), **_pooled(group)}
        for key, group in frame.groupby(list(by), sort=False)
    )


def _pooled(group: pd.DataFrame) -> dict[str, Any]:
    """Return the values of a group's one row."""
    measured = group[np.isfinite(group["perplexity"].astype(float))]
    first = (measured if len(measured) else group).iloc[0].to_dict()
    row = {name: first[name] for name in _POOLED if name in first}
    row |= {"error": first["standard_error"], "seeds": len(measured), "spread": "text"}
    if len(measured) > 1:
        losses = np.log(measured["perplexity"])
        row |= {
            "perplexity": float(np.exp(losses.mean())),
            "error": float(measured["perplexity"].std(ddof=1)),
            "difference": float(measured["difference"].mean()),
            "difference_error": float(losses.std(ddof=1)),
            "spread": "seeds",
        }
    return {name: row[name] for name in _POOLED}


_POOLED = (
    "achieved_ratio", "share_of_parameters", "perplexity", "error", "difference",
    "difference_error", "seeds", "spread",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepEstimate:
    """Most time and space that a sweep will take; plans that exist cost nothing."""

    n_plans: int
    n_windows: int
    seconds: float
    disk_bytes: int


def estimate_sweep(
    language_model: LanguageModel, windows: Windows, order: SweepOrder, *, n_tokens: int
) -> SweepEstimate:
    """Return how long a sweep takes beside what trains, and what it stores.

    Parameters
    ----------
    n_tokens : int
        Of the recording, from which the plans are made.
    """
    plan_settings = order.wanted()
    per_token = language_model.seconds_per_token("reading")
    return SweepEstimate(
        n_plans=len(plan_settings),
        n_windows=windows.n_windows * (1 + len(plan_settings)),
        seconds=per_token * windows.n_tokens * (1 + len(plan_settings))
        + language_model.seconds_per_token("planning") * n_tokens * len(plan_settings),
        disk_bytes=sum(refit_bytes(language_model, settings) for settings in plan_settings),
    )


def sweep(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    order: SweepOrder,
    on_partial: Callable[[Sweep], None] = lambda partial: None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Sweep:
    """Make and measure the plans of a sweep; what exists is found, what was stopped goes on.

    Parameters
    ----------
    on_partial : callable
        Called with the sweep after each point.

    Raises
    ------
    OverlapError
        If the text was used for calibration.
    """
    wanted = order.wanted()
    outcomes = _make_plans(
        workspace, language_model, order, wanted, progress=progress, cancel=cancel
    )
    n_read, total = dict.fromkeys(range(1 + len(wanted)), 0), windows.n_windows * (1 + len(wanted))

    def report(number: int, n_windows: int) -> None:
        n_read[number] = n_windows
        done = sum(n_read.values())
        progress(ProgressEvent(stage=READING, done=done, total=total, unit="windows"))

    def read(number: int, plan_id: str | None) -> Perplexity:
        results: list[Perplexity] = []

        def on_batch(_: str, result: Perplexity) -> None:
            report(number, len(result.window_nll))
            results[:] = [result]

        compare(
            workspace, language_model, windows, plan_ids={"": plan_id},
            on_partial=on_batch, cancel=cancel,
        )  # fmt: skip
        return results[0]

    state = Sweep(dense=read(0, None), points=(), n_points=len(wanted))
    on_partial(state)
    points: dict[int, SweepPoint] = {}

    def tell(number: int, **facts: Any) -> Sweep:
        report(number, windows.n_windows)
        settings = wanted[number - 1]
        points[number] = SweepPoint(
            score=settings.score, ratio=settings.ratio, seed=settings.seed, **facts
        )
        swept = replace(state, points=tuple(points[at] for at in sorted(points)))
        on_partial(swept)
        return swept

    made: dict[int, str] = {}
    for number, outcome in enumerate(outcomes, start=1):
        if isinstance(outcome, Exception):
            state = tell(number, failure=str(outcome))
        else:
            made[number] = outcome
    numbers = list(made)
    measured = (
        (
            (numbers[place], result)
            for place, result in workers.each(
                Reading.stored,
                readings(workspace, language_model, windows, list(made.values())),
                cancel=cancel,
            )
        )
        if workers.is_spread()
        else ((number, read(number, plan_id)) for number, plan_id in made.items())
    )
    for number, result in measured:
        plan = open_plan(workspace, made[number])
        state = tell(
            number, plan_id=made[number], achieved_ratio=plan.achieved_ratio,
            share_of_parameters=plan.share_of_parameters, result=result, failure=result.failure,
        )  # fmt: skip
    return state


def _make_plans(
    workspace: Workspace,
    language_model: LanguageModel,
    order: SweepOrder,
    all_settings: Sequence[PlanSettings],
    *,
    progress: Progress,
    cancel: CancelToken,
) -> list[str | Exception]:
    """Return the id of each plan, or why it cannot be made."""

    def make_batch(settings: Sequence[PlanSettings]) -> list[str]:
        return plans(
            workspace, language_model, settings=settings, recording_id=order.recording_id,
            decomposition_id=order.decomposition_id, progress=progress, cancel=cancel,
        )  # fmt: skip

    outcomes: list[str | Exception] = []
    for batch in batches(language_model, all_settings):
        try:
            outcomes += make_batch(batch)
        except (RatioError, PlanError):  # of one of them: the others can be made
            for settings in batch:
                try:
                    outcomes += make_batch([settings])
                except (RatioError, PlanError) as error:
                    outcomes.append(error)
    return outcomes
