"""Cached statistics of networks beside those of random directions."""

import numpy as np

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas.chance import beside as statistics
from fnprune_core.atlas.chance import directions as module
from fnprune_core.atlas.chance import over_time as windows
from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.atlas.chance.directions import KINDS, Directions
from fnprune_core.atlas.chance.names import is_named
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.models.language_model import LanguageModel


def are_made(id: str, *_: object) -> bool:
    """Whether an atlas has its random directions beside it."""
    return module.are_made(resources.workspace(), resources.atlas(id))


@cached(max_entries=2, made_of=are_made)
def opened(id: str) -> Directions | None:
    """Return an atlas's random directions; None if they were not made."""
    try:
        atlas = resources.atlas(id)
        return module.open_directions(resources.workspace(), atlas)
    except CorruptArtifactError:  # a page needs none; Start lists it as damaged
        return None


@cached(max_entries=16, made_of=are_made)
def beside(id: str, name: str) -> Beside | None:
    """Return a statistic of `STATISTICS` beside random directions; None if there is none."""
    found = opened(id)
    try:
        return None if found is None else statistics.beside(found, name)
    except SettingsError:  # such as a recording of one domain
        return None


@cached(max_entries=4, made_of=are_made)
def explained(id: str) -> str:
    """Return how much variance networks explain beside random directions, in words."""
    return statistics.explained_sentence(resources.atlas(id), opened(id))


@cached(max_entries=4, made_of=are_made)
def promotion(id: str, model: LanguageModel) -> Beside | None:
    """Return how much directions promote tokens, beside random ones; None if there are none."""
    found = opened(id)
    if found is None:
        return None
    std = resources.recording(found.atlas.decomposition.recording_id).std
    return statistics.promotion(model, found, np.asarray(std))


@cached(max_entries=16, made_of=lambda id, z: resources.atlas(id).rule(z))
def parcels(id: str, z: float | None) -> str:
    """Return a parcellation's figures beside those of random directions, in words."""
    return statistics.parcels_sentence(statistics.parcels(resources.atlas(id), z=z))


@cached(max_entries=4, made_of=are_made)
def named(id: str) -> dict[str, dict[str, float]]:
    """Return how many networks one domain holds enough energy of, and how many directions."""
    return {name: {"named": int(is_named(each).sum())} for name, each in _atlases(id).items()}


@cached(max_entries=4, spinner="Setting windows beside random directions", made_of=are_made)
def over_time(id: str) -> dict[str, dict[str, float]]:
    """Return figures of connectivity over time, of networks and of random directions."""
    return {name: windows.figures(each) for name, each in _atlases(id).items()}


def _atlases(id: str) -> dict[str, NetworkAtlas]:
    """Return an atlas, and its random directions of each kind where they were made."""
    found = opened(id)
    kinds = {} if found is None else {kind: found.of(kind) for kind in KINDS}
    return {"networks": resources.atlas(id), **kinds}


@cached(max_entries=4, spinner="Setting networks beside random directions", made_of=are_made)
def totals(id: str) -> dict[str, dict[str, float]]:
    """Return figures of all networks, and of all random directions of each kind."""
    if opened(id) is None:
        return {}
    return {name: statistics.counts(atlas) for name, atlas in _atlases(id).items()}
