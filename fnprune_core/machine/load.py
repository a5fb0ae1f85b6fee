"""Whether others compute on this machine, for estimates that assume that nobody does."""

import os

#: Computing processes per core above which an estimate made in quiet no longer holds.
_BUSY = 0.75


def busy_text() -> str:
    """Return how busy the machine is, in a few words; empty where it is quiet or cannot be told."""
    try:
        load = os.getloadavg()[0]  # the last minute's mean of processes that compute or wait to
    except (AttributeError, OSError):  # Windows knows none
        return ""
    cores = os.cpu_count() or 1
    if load < _BUSY * cores:
        return ""
    return f"{load:.0f} processes compute on its {cores} cores"
