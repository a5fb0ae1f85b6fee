"""Cached data of the Probe page: atlases ready to read, and the texts read last."""

import threading
from collections import OrderedDict

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas import probe as probing
from fnprune_core.atlas.probe import NetworkProbe, Reading
from fnprune_core.matching import dual_regression
from fnprune_core.models.language_model import LanguageModel

# Parameters × tokens that a page waits for, under 2 s on two cores; more is a job.
_QUICK = 1.5e11
_MAX_READINGS = 24


class Readings:
    """The readings of the last texts, shared by all sessions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str, str], Reading] = OrderedDict()

    def get(self, atlas: str, model: str, text: str) -> Reading | None:
        """Return the stored reading of a text, or None."""
        with self._lock:
            return self._held.get((atlas, model, text))

    def put(self, atlas: str, model: str, text: str, reading: Reading) -> None:
        """Keep a reading; the oldest one makes room."""
        with self._lock:
            self._held[atlas, model, text] = reading
            while len(self._held) > _MAX_READINGS:
                self._held.popitem(last=False)


@st.cache_resource
def readings() -> Readings:
    """Return the texts read last."""
    return Readings()


@cached(max_entries=2)
def probe(id: str) -> NetworkProbe:
    """Return an atlas made ready to read texts."""
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
    stored = readings().get(id, language_model.source, text)
    if stored is not None:
        return stored
    ready_probe = probe(id)
    windows = ready_probe.cut(language_model, text)
    if windows.n_tokens * language_model.model.num_parameters() > _QUICK:
        return None
    stored = ready_probe.read_windows(language_model, windows)
    readings().put(id, language_model.source, text, stored)
    return stored
