"""Cached statistics of networks beside those of random directions."""

import numpy as np

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas.chance import beside as statistics
from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.atlas.chance.directions import (
    FOLDER,
    KINDS,
    Directions,
    directions_id,
    open_directions,
)
from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.models.language_model import LanguageModel


def are_made(id: str) -> bool:
    """Whether an atlas has its random directions beside it."""
    return resources.workspace().has(FOLDER, directions_id(resources.atlas(id)))


@cached(max_entries=2)
def _opened(id: str, made: str) -> Directions | None:
    try:
        return open_directions(resources.workspace(), resources.atlas(id))
    except CorruptArtifactError:  # a page needs none; Start lists it as damaged
        return None


def opened(id: str) -> Directions | None:
    """Return an atlas's random directions; None if they were not made."""
    return _opened(id, directions_id(resources.atlas(id))) if are_made(id) else None


@cached(max_entries=16)
def _beside(id: str, name: str, made: str) -> Beside | None:
    found = opened(id)
    try:
        return None if found is None else statistics.beside(found, name)
    except SettingsError:  # such as a recording of one domain
        return None


def beside(id: str, name: str) -> Beside | None:
    """Return a statistic of `STATISTICS` beside random directions; None if there is none."""
    return _beside(id, name, directions_id(resources.atlas(id))) if are_made(id) else None


@cached(max_entries=4)
def _promotion(id: str, fingerprint: str, _model: LanguageModel) -> Beside | None:
    found = opened(id)
    if found is None:
        return None
    std = resources.recording(found.atlas.decomposition.recording_id).std
    return statistics.promotion(_model, found, np.asarray(std))


def promotion(id: str, model: LanguageModel) -> Beside | None:
    """Return how far promoted tokens stand out, beside random directions."""
    return _promotion(id, model.fingerprint, model) if are_made(id) else None


@cached(max_entries=4, spinner="Setting networks beside random directions")
def _totals(id: str, made: str) -> dict[str, dict[str, float]]:
    found = opened(id)
    if found is None:
        return {}
    atlases = {"networks": found.atlas, **{kind: found.of(kind) for kind in KINDS}}
    return {name: statistics.counts(atlas) for name, atlas in atlases.items()}


def totals(id: str) -> dict[str, dict[str, float]]:
    """Return figures of all networks, and of the random directions of each kind; empty if none."""
    return _totals(id, directions_id(resources.atlas(id))) if are_made(id) else {}
