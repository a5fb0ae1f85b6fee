"""Seconds, peak memory and traffic of the stages of a benchmark, one after the other."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_IO = Path("/proc/self/io")
_Result = TypeVar("_Result")


def none_apart() -> float:
    """Return that nothing is told apart."""
    return 0.0


@dataclass(slots=True)
class Stages:
    """What each stage took."""

    rows: dict[str, dict[str, float]] = field(default_factory=dict)

    def run(
        self, name: str, work: Callable[[], _Result], apart: Callable[[], float] = none_apart
    ) -> _Result:
        """Run one stage.

        Parameters
        ----------
        apart : callable
            Returns the seconds so far of what stands for something else, and is told apart.
        """
        _forget_peak()
        start, cpu_start, apart_start = time.perf_counter(), time.process_time(), apart()
        io_start = _traffic()
        result = work()
        apart_s, io = apart() - apart_start, _traffic()
        self.rows[name] = {
            "seconds": time.perf_counter() - start - apart_s,
            "apart_s": apart_s,
            "cpu_s": time.process_time() - cpu_start,
            "peak_memory_gb": _peak_bytes() / 1e9,
            "read_gb": (io["rchar"] - io_start["rchar"]) / 1e9,
            "written_gb": (io["wchar"] - io_start["wchar"]) / 1e9,
        }
        return result


def _forget_peak() -> None:
    """Let the system count the peak of memory anew, where it can (Linux)."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")


def _peak_bytes() -> int:
    """Return the most memory since it was forgotten, pages of mapped files included."""
    if not _STATUS.exists():
        return 0
    line = next(x for x in _STATUS.read_text().splitlines() if x.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def _traffic() -> dict[str, int]:
    """Return the bytes that were read and written so far by calls, in memory or on the disk."""
    if not _IO.exists():
        return {"rchar": 0, "wchar": 0}
    return {
        name: int(value)
        for name, value in (line.split(": ") for line in _IO.read_text().splitlines())
    }
