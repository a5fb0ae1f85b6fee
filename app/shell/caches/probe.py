"""Cached data of the Probe page: atlases ready to read, and the texts read last."""

import numpy as np
from numpy.typing import NDArray

from app.shell import resources
from app.shell.caches import directions
from app.shell.caching import Latest, cached
from fnprune_core.atlas import probe as probing
from fnprune_core.atlas.probe import NetworkProbe, Reading
from fnprune_core.matching import dual_regression
from fnprune_core.models.language_model import LanguageModel

#: Parameters × tokens that a page waits for, under 2 s on two cores; more is a job.
QUICK = 1.5e11
_MAX_READINGS = 24


#: The texts read last, by atlas, model and text.
READINGS: Latest[tuple[str, str, str], Reading] = Latest("texts read by an atlas", _MAX_READINGS)


@cached(max_entries=2, made_of=directions.are_made)
def probe(id: str) -> NetworkProbe:
    """Return an atlas made ready to read texts, with its random directions if they were made."""
    return dual_regression.open_probe(resources.workspace(), id)


@cached(max_entries=8)
def usual_strength(id: str) -> NDArray[np.float64]:
    """Return each network's root mean square strength over the recording: (K,)."""
    return probing.usual_strength(resources.atlas(id))


def reading(id: str, language_model: LanguageModel, text: str) -> Reading | None:
    """Return the reading of a text by an atlas, or None if reading it is work for a job.

    Raises
    ------
    TextError
        If the text cannot be read at all.
    """
    resources.reach().check_texts(text)
    stored = READINGS.get((id, language_model.source, text))
    if stored is not None and (stored.control is not None or not directions.are_made(id)):
        return stored
    ready_probe = probe(id)
    windows = ready_probe.cut(language_model, text)
    if windows.n_tokens * language_model.model.num_parameters() > QUICK:
        return None
    stored = ready_probe.read_windows(language_model, windows)
    READINGS.put((id, language_model.source, text), stored)
    return stored
