"""Cached data of the Trust page: the measures of each network, and why some cannot be had."""

import pandas as pd

from app.shell import resources
from app.shell.caches import trust
from app.shell.caching import cached
from fnprune_core.reliability import assess
from fnprune_core.reliability.measures import map_kurtosis
from fnprune_core.reliability.results import Assessment


@cached(max_entries=8)
def kurtosis(id: str) -> list[float]:
    """Return the excess kurtosis of each network's map."""
    return [float(value) for value in map_kurtosis(resources.atlas(id).decomposition)]


@cached(max_entries=8)
def why_no_halves(id: str) -> str:
    """Return why the documents of an atlas's recording cannot be split, or nothing."""
    atlas = resources.atlas(id)
    recording = resources.recording(atlas.decomposition.recording_id)
    return assess.why_no_halves(recording, atlas)


def table(id: str, assessment: Assessment) -> pd.DataFrame:
    """Return one row per network: name, variance, kurtosis, and what was measured so far."""
    network_table = trust.network_table(id)
    columns = ["network", "variance_alone", "variance_left_out"]
    facts = network_table[columns].assign(kurtosis=kurtosis(id))
    facts.insert(1, "name", resources.network_names(id))
    return facts.join(assessment.columns())
