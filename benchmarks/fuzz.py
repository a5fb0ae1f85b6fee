"""What readers, options and links make of hostile input: counts of right results and clear errors.

Run: ``python benchmarks/fuzz.py [--attempts 2000] [--seed 0] [--only NAME …]``. Each attempt is
drawn by hypothesis from honest files (`hostile_inputs`), and ends as *right* (a result that holds
what is checked of it), *refused* (an `FnpruneError`), *traceback* (anything else), or over its
bound of seconds or bytes. The goal is 0 tracebacks and 0 over a bound. Commands and links take a
hundred times as long as files, and so get a tenth of the attempts.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_targets import Target, all_targets
from hostile_inputs import make_materials
from hypothesis import HealthCheck, Phase, given, seed, settings

from fnprune_core.errors import FnpruneError
from fnprune_core.storage.manifests import package_versions

_SLOW = ("options", "links")
_MOST_KEPT = 12


@dataclass(slots=True)
class Counts:
    """What came of the attempts on one target; of faults, the first few of each kind."""

    outcomes: Counter[str] = field(default_factory=Counter)
    largest_s: float = 0.0
    largest_bytes: int = 0
    faults: dict[str, str] = field(default_factory=dict)

    def add_fault(self, kind: str, where: str, attempt: Any) -> None:
        """Count a fault, and keep the input of the first at each place."""
        self.outcomes[kind] += 1
        if where not in self.faults and len(self.faults) < _MOST_KEPT:
            self.faults[where] = repr(attempt)[:600]

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            **dict(sorted(self.outcomes.items())),
            "largest_s": round(self.largest_s, 2),
            "largest_mb": round(self.largest_bytes / 1e6),
            "faults": self.faults,
        }


def run(target: Target, *, attempts: int, first_seed: int) -> Counts:
    """Return what came of so many attempts; the same seed, the same attempts."""
    counts = Counts()

    @seed(first_seed)
    @settings(
        max_examples=attempts,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.attempts)
    def attempt(drawn: Any) -> None:
        attempt_one(target, drawn, counts)

    attempt()
    return counts


def attempt_one(target: Target, drawn: Any, counts: Counts) -> None:
    """Let a target read one input, and count what came of it."""
    forget_peak()
    before, start = resident_bytes("VmRSS"), time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(drawn)
    except FnpruneError:
        counts.outcomes["refused"] += 1
    except Exception as error:  # noqa: BLE001 - that is what is counted
        counts.add_fault("traceback", place_of(error), drawn)
    else:
        counts.outcomes["right"] += 1
    took, grown = time.perf_counter() - start, resident_bytes("VmHWM") - before
    counts.largest_s = max(counts.largest_s, took)
    counts.largest_bytes = max(counts.largest_bytes, grown)
    if took > target.most_s:
        counts.add_fault("too slow", f"{took:.1f} s", drawn)
    if grown > target.most_bytes:
        counts.add_fault("too large", f"{grown / 1e6:.0f} MB", drawn)


def place_of(error: BaseException) -> str:
    """Return kind, message and the last line of ours that an error passed."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename
    ]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__} at {place}: {str(error)[:160]}"


def forget_peak() -> None:
    """Let the system measure the peak of memory anew; where it cannot, the peak only grows."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def resident_bytes(name: str) -> int:
    """Return a line of the process's status in bytes; 0 where there is none such."""
    with suppress(OSError, IndexError):
        status = Path("/proc/self/status").read_text().split(f"{name}:", 1)[1]
        return int(status.split()[0]) * 1024
    return 0


def measure(
    *, attempts: int, first_seed: int, only: list[str], say: Callable[[str], None]
) -> dict[str, Any]:
    """Return the counts of all targets, and their sums."""
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="fnprune-fuzz-") as scratch:
        targets = all_targets(make_materials(Path(scratch)))
        for name, target in targets.items():
            if only and name not in only:
                continue
            n_attempts = max(attempts // 10, 1) if name in _SLOW else attempts
            start = time.perf_counter()
            counts = run(target, attempts=n_attempts, first_seed=first_seed)
            report[name] = counts.to_json()
            say(f"{name}: {json.dumps(report[name])}, {time.perf_counter() - start:.0f} s in all")
    kinds = ("right", "refused", "traceback", "too slow", "too large")
    return {
        "targets": report,
        "sum": {kind: sum(row.get(kind, 0) for row in report.values()) for kind in kinds},
    }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    for name in ("app", "streamlit", "transformers", "nibabel.global"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    found = measure(
        attempts=options.attempts,
        first_seed=options.seed,
        only=options.only,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(
        json.dumps(
            {
                **found,
                "protocol": {"attempts": options.attempts, "seed": options.seed},
                "versions": package_versions(),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
