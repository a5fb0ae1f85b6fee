"""A sweep: perplexity against ratio, for several scores and random seeds, point by point."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fnprune_core.errors import PlanError, RatioError, SettingsError
from fnprune_core.evaluation.compare import compare
from fnprune_core.evaluation.results import Perplexity, paired_difference
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.compensation import batches, refit_bytes
from fnprune_core.pruning.estimates import seconds_per_token
from fnprune_core.pruning.planner import canonical_settings, plans
from fnprune_core.scores.units import score_named
from fnprune_core.storage import Workspace
from fnprune_core.texts.windows import Windows

READING = "reading held-out text"
_SILENCED = 1.15  # seconds of a pass with hooks, over those of the dense model


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOrder:
    """Which plans a sweep makes and measures.

    Parameters
    ----------
    base : PlanSettings
        What all of them share: networks, allocation, sink rule, compensation, pins. Its score
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
        wrong = [ratio for ratio in self.ratios if not 0 < ratio < 1]
        if wrong:
            raise RatioError(
                f"A sweep's ratios are shares of MLP units between 0 and 1, got {wrong[0]:g}.",
                hint="For 20 % write 0.2; the dense model is measured anyway.",
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
    """One plan of a sweep, measured; or why there is no figure of it.

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
    """What a sweep has found so far.

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
        """Return one row a plan: what goes, perplexity, and nats per token above dense."""
        return [_row(point, self.dense) for point in self.points]

    def table(self) -> pd.DataFrame:
        """Return one row a score and ratio, random seeds brought together (`pooled`)."""
        return pooled(self.rows())


def _row(point: SweepPoint, dense: Perplexity) -> dict[str, Any]:
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
    found = []
    frame = pd.DataFrame(list(rows))
    if frame.empty:
        return pd.DataFrame(columns=[*by, *_POOLED])
    for key, group in frame.groupby(list(by), sort=False):
        measured = group[np.isfinite(group["perplexity"].astype(float))]
        few = {"seeds": len(measured), "spread": "seeds" if len(measured) > 1 else "text"}
        if len(measured) > 1:
            nats = np.log(measured["perplexity"])
            mean, error = float(np.exp(nats.mean())), float(measured["perplexity"].std(ddof=1))
            change = (float(measured["difference"].mean()), float(nats.std(ddof=1)))
        else:
            one = (measured if len(measured) else group).iloc[0]
            mean, error = float(one["perplexity"]), float(one["standard_error"])
            change = (float(one["difference"]), float(one["difference_error"]))
        kept = (measured if len(measured) else group).iloc[0]
        found.append(
            {
                **dict(zip(by, key, strict=True)),
                "achieved_ratio": kept["achieved_ratio"],
                "share_of_parameters": kept["share_of_parameters"],
                "perplexity": mean,
                "error": error,
                "difference": change[0],
                "difference_error": change[1],
                **few,
            }
        )
    return pd.DataFrame(found)


_POOLED = (
    "achieved_ratio", "share_of_parameters", "perplexity", "error", "difference",
    "difference_error", "seeds", "spread",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepEstimate:
    """What a sweep will take at most, before it starts; plans that exist cost nothing."""

    n_plans: int
    n_windows: int
    seconds_reading: float
    disk_bytes: int


def estimate_sweep(
    language_model: LanguageModel, windows: Windows, order: SweepOrder
) -> SweepEstimate:
    """Return how long the evaluations of a sweep take, from one timed pass, and what it stores."""
    wanted = order.wanted()
    per_token = seconds_per_token(language_model, windows)
    return SweepEstimate(
        n_plans=len(wanted),
        n_windows=windows.n_windows * (1 + len(wanted)),
        seconds_reading=per_token * windows.n_tokens * (1 + _SILENCED * len(wanted)),
        disk_bytes=sum(refit_bytes(language_model, settings) for settings in wanted),
    )


@dataclass(slots=True, kw_only=True, eq=False)
class _Progress:
    """Windows read of all plans together."""

    progress: Progress
    n_windows: int
    n_points: int
    read: dict[int, int] = field(default_factory=dict)

    def tell(self, point: int, n_read: int) -> None:
        self.read[point] = n_read
        total = self.n_windows * self.n_points
        self.progress(
            ProgressEvent(stage=READING, done=sum(self.read.values()), total=total, unit="windows")
        )


def sweep(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    *,
    order: SweepOrder,
    on_partial: Callable[[Sweep], None] = lambda found: None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Sweep:
    """Make and measure the plans of a sweep; what exists is found, what was stopped goes on.

    Parameters
    ----------
    on_partial : callable
        Told what is known after each point.

    Raises
    ------
    OverlapError
        If the text was used for calibration.
    """
    wanted = order.wanted()
    made = _made(workspace, language_model, order, wanted, progress=progress, cancel=cancel)
    told = _Progress(progress=progress, n_windows=windows.n_windows, n_points=1 + len(wanted))

    def measured(number: int, plan_id: str | None) -> Perplexity:
        results: list[Perplexity] = []

        def on_batch(_: str, result: Perplexity) -> None:
            told.tell(number, len(result.window_nll))
            results[:] = [result]

        compare(
            workspace,
            language_model,
            windows,
            plan_ids={"": plan_id},
            on_partial=on_batch,
            cancel=cancel,
        )
        return results[0]

    found = Sweep(dense=measured(0, None), points=(), n_points=len(wanted))
    on_partial(found)
    for number, (settings, outcome) in enumerate(zip(wanted, made, strict=True), start=1):
        if isinstance(outcome, Exception):
            point = _point(settings, failure=str(outcome))
        else:
            result = measured(number, outcome)
            plan = open_plan(workspace, outcome)
            point = _point(
                settings,
                plan_id=outcome,
                achieved_ratio=plan.achieved_ratio,
                share_of_parameters=plan.share_of_parameters,
                result=result,
                failure=result.failure,
            )
        told.tell(number, windows.n_windows)
        found = Sweep(dense=found.dense, points=(*found.points, point), n_points=found.n_points)
        on_partial(found)
    return found


def _point(settings: PlanSettings, **facts: Any) -> SweepPoint:
    return SweepPoint(score=settings.score, ratio=settings.ratio, seed=settings.seed, **facts)


def _made(
    workspace: Workspace,
    language_model: LanguageModel,
    order: SweepOrder,
    wanted: Sequence[PlanSettings],
    *,
    progress: Progress,
    cancel: CancelToken,
) -> list[str | Exception]:
    """Return the id of each plan, or why it cannot be made."""

    def make(settings: Sequence[PlanSettings]) -> list[str]:
        return plans(
            workspace,
            language_model,
            recording_id=order.recording_id,
            decomposition_id=order.decomposition_id,
            settings=settings,
            progress=progress,
            cancel=cancel,
        )

    made: list[str | Exception] = []
    for chunk in batches(language_model, wanted):
        try:
            made += make(chunk)
        except (RatioError, PlanError):  # of one of them: the others can be made
            for settings in chunk:
                try:
                    made += make([settings])
                except (RatioError, PlanError) as error:
                    made.append(error)
    return made
