"""Cached data of the Unit page: the unit as an atlas of one network, passages, similar units."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas import units
from fnprune_core.atlas.decoding import LogitEffect
from fnprune_core.atlas.network_atlas import NetworkAtlas, Passage
from fnprune_core.models.language_model import LanguageModel


@cached(max_entries=8)
def ranked(id: str, network: int) -> NDArray[np.int64]:
    """Return all units by |z| in a network, strongest first."""
    return units.ranked_units(resources.atlas(id), network)


@cached(max_entries=16)
def as_atlas(id: str, unit: int) -> NetworkAtlas:
    """Return a unit as an atlas of one network: its activation is the time course."""
    atlas = resources.atlas(id)
    recording = resources.recording(atlas.decomposition.recording_id)
    return units.as_network(atlas, recording, unit)


@cached(max_entries=32)
def passages(id: str, unit: int, pole: int) -> list[Passage]:
    """Return the passages that activate a unit the most, of one sign."""
    return as_atlas(id, unit).top_passages(0, n=5, pole=pole)


@cached(max_entries=64)
def domains(id: str, unit: int) -> pd.DataFrame:
    """Return a unit's mean activation by domain."""
    return units.activation_by_domain(as_atlas(id, unit))


@cached(max_entries=64)
def strength(id: str, unit: int) -> float:
    """Return the activation that gets the full colour: the 99.5th percentile of its magnitude."""
    unit_atlas = as_atlas(id, unit)
    return (
        float(np.quantile(np.abs(unit_atlas.time_courses[0, ~unit_atlas.is_dummy]), 0.995)) or 1.0
    )


@cached(max_entries=64)
def similar(id: str, unit: int) -> list[units.SimilarUnit]:
    """Return the units that load on networks as a unit does."""
    return units.similar_units(resources.atlas(id), unit)


@cached(max_entries=64)
def neighbours(id: str, unit: int) -> list[int]:
    """Return the units around a unit in the cortex; none without a cortex."""
    cortex = resources.cortex(id)
    return [] if cortex is None else units.cortex_neighbours(cortex, unit).tolist()


@cached(max_entries=64)
def weight_norms(unit: int, model: LanguageModel) -> list[units.WeightNorm]:
    """Return the norms of a unit's weights."""
    return units.weight_norms(model, unit)


@cached(max_entries=64)
def effects(unit: int, model: LanguageModel) -> tuple[list[LogitEffect], list[LogitEffect]]:
    """Return the tokens that a unit promotes and suppresses."""
    return units.promoted_tokens(model, unit)
