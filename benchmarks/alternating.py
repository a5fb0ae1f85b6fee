"""Contests: one work done by us and by others in turn, so that the machine's noise cancels."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import t as student

Work = Callable[[], Any]
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}
OURS = "fnprune"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the median of ours over theirs must be: at most so much, or so many times as fast."""

    most: float | None = None
    least_times: float | None = None

    def is_met(self, ratio: float) -> bool:
        """Whether a ratio of our seconds to theirs is good enough."""
        most = self.most if self.most is not None else np.inf
        return ratio <= (most if self.least_times is None else min(most, 1 / self.least_times))

    def __str__(self) -> str:
        if self.least_times is not None:
            return f"≥ {self.least_times:g} × as fast"
        return "" if self.most is None else f"≤ {self.most:g} × the time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One row of the table.

    Parameters
    ----------
    what : str
        What is done, and of what size.
    ours : callable
    theirs : mapping of str to callable
        Each rival's way to the same.
    goals : mapping of str to Goal
        By rival; one without is measured and judged by nobody.
    agreement : callable, optional
        Given the last results by name, returns how well they agree.
    is_warm : bool
        Whether all have run already; otherwise each runs once before it is timed.
    """

    what: str
    ours: Work
    theirs: Mapping[str, Work]
    goals: Mapping[str, Goal] = field(default_factory=dict)
    agreement: Callable[[Mapping[str, Any]], Mapping[str, float]] | None = None
    is_warm: bool = False

    def measured(self, *, n_rounds: int, clock: Clock) -> dict[str, Any]:
        """Run all in turn, in another order each round; return seconds, ratios and verdicts."""
        works = {OURS: self.ours, **self.theirs}
        last = {} if self.is_warm else {name: work() for name, work in works.items()}
        seconds: dict[str, list[float]] = {name: [] for name in works}
        names = list(works)
        for turn in range(n_rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                start = clock()
                last[name] = works[name]()
                seconds[name].append(clock() - start)
        rivals = {
            name: compared(seconds[OURS], seconds[name], self.goals.get(name, Goal()))
            for name in self.theirs
        }
        return {
            "what": self.what,
            "seconds": {name: _rounded(values) for name, values in seconds.items()},
            "rivals": rivals,
            "agreement": {} if self.agreement is None else dict(self.agreement(last)),
            "is_met": all(rival["is_met"] for rival in rivals.values()),
        }


def compared(ours: list[float], theirs: list[float], goal: Goal) -> dict[str, Any]:
    """Return the ratio of our seconds to theirs, round by round: median, interval, verdict."""
    logs = np.log(ours) - np.log(theirs)
    ratio = float(np.exp(np.median(logs)))
    interval = None
    if len(logs) > 1:
        spread = float(student.ppf(0.975, len(logs) - 1)) * logs.std(ddof=1) / np.sqrt(len(logs))
        interval = [float(np.exp(logs.mean() - spread)), float(np.exp(logs.mean() + spread))]
    return {
        "ratio": round(ratio, 3),
        "interval_95": None if interval is None else [round(end, 3) for end in interval],
        "times_as_fast": round(1 / ratio, 2),
        "goal": str(goal),
        "is_met": bool(goal.is_met(ratio)),
    }


def _rounded(values: list[float]) -> dict[str, Any]:
    return {
        "median": round(float(np.median(values)), 3),
        "all": [round(value, 3) for value in values],
    }


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the rows as a table of plain text: ours and theirs, ratio, interval, goal."""
    lines = [
        f"{'row':14} {'against':26} {'ours, s':>9} {'theirs, s':>9} {'ratio':>7} {'95 %':>15}  goal"
    ]
    for name, row in rows.items():
        for rival, found in row["rivals"].items():
            ours, theirs = (row["seconds"][each]["median"] for each in (OURS, rival))
            low, high = found["interval_95"] or (np.nan, np.nan)
            verdict = found["goal"] and (": met" if found["is_met"] else ": missed")
            lines.append(
                f"{name:14} {rival:26} {ours:9.2f} {theirs:9.2f} {found['ratio']:7.3f} "
                f"{low:7.3f} {high:7.3f}  {found['goal']}{verdict}"
            )
        if row["agreement"]:
            lines.append(" " * 15 + ", ".join(f"{k}: {v:.4f}" for k, v in row["agreement"].items()))
    return "\n".join(lines)
