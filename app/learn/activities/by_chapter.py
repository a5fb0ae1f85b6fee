"""What a student does in each chapter, on live data: one function a chapter, in one table.

Each draws what can be done, and returns what was found, or None where nothing was done yet.
"""

from collections.abc import Callable, Mapping

from app.learn.activities import decoding, experiments, limits, networks, signals, simulation
from app.learn.lesson import Finding
from fnprune_core.atlas.network_atlas import NetworkAtlas

Activity = Callable[[NetworkAtlas], Finding | None]

#: Chapters that need an atlas, by name.
ON_ATLAS: Mapping[str, Activity] = {
    "signal": signals.clocks,
    "units": signals.neighbours,
    "time": signals.courses,
    "map": networks.a_map,
    "atlas": networks.atlases,
    "decoding": decoding.guessing,
    "localizers": experiments.contrasts,
    "lesions": experiments.lesions,
    "pruning": experiments.pruning,
    "limits": limits.smoothing,
}
#: Those that need none.
ALONE: Mapping[str, Callable[[], Finding | None]] = {"ica": simulation.planted}
