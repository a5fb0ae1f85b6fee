"""Whether others compute on this machine, for estimates that assume that nobody does."""

import os

#: Computing processes per core above which an estimate made in quiet no longer holds.
_BUSY = 0.75


def busy_note() -> str:
    """Return that the machine is busy, as a sentence; empty where it is quiet or cannot be told."""
    try:
        load = os.getloadavg()[0]  # the last minute's mean of processes that compute or wait to
    except (AttributeError, OSError):  # Windows knows none
        return ""
    cores = os.cpu_count() or 1
    if load < _BUSY * cores:
        return ""
    return (
        f"The machine is busy: in the last minute {load:.1f} processes wanted its {cores} cores, "
        f"so this may take about {max(2, round(1 + load / cores))} times as long."
    )
