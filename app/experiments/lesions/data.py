"""What the page Lesions keeps: studies, patients, texts under lesions, names of lesions."""

from collections.abc import Sequence

import streamlit as st

from app.experiments.lesions.tasks import Read
from app.shell import resources
from fnprune_core.evaluation.side_by_side import SideBySide
from fnprune_core.lesions.patients import Patient, patients
from fnprune_core.lesions.run import (
    LesionEstimate,
    LesionOrder,
    estimate_lesions,
    lesion_studies,
    open_lesions,
)
from fnprune_core.lesions.sites import Lesion, Stimuli
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.lesions.writing import open_lesion_text
from fnprune_core.models.language_model import LanguageModel

_LONGEST = 3


@st.cache_resource(max_entries=8)
def study(id: str) -> LesionStudy:
    """Return a lesion study of the workspace."""
    return open_lesions(resources.workspace(), id)


@st.cache_resource(max_entries=8)
def text(id: str) -> tuple[Lesion, SideBySide]:
    """Return what was written under a lesion."""
    return open_lesion_text(resources.workspace(), id)


def studies(atlas: str) -> list[str]:
    """Return the ids of an atlas's studies, newest first."""
    return _studies(atlas, tuple(resources.workspace().ids("lesions")))


@st.cache_data(max_entries=8)
def _studies(atlas: str, ids: tuple[str, ...]) -> list[str]:
    return lesion_studies(resources.workspace(), atlas)


def matrices(atlas: str) -> list[str]:
    """Return the ids of studies of several lesions at one strength, newest first."""
    return [id for id in studies(atlas) if is_matrix(study(id))]


def is_matrix(found: LesionStudy) -> bool:
    """Whether a study compares networks, rather than strengths or a single patient."""
    return len({lesion.networks for lesion in found.lesions}) > 1


def curve(atlas: str, networks: tuple[int, ...]) -> str | None:
    """Return the newest study of several strengths of these networks, or None."""
    for id in studies(atlas):
        found = study(id).lesions
        if {lesion.networks for lesion in found} == {networks} and len(found) > 1:
            return id
    return None


def single(atlas: str, lesion: Lesion) -> tuple[str, int] | None:
    """Return the newest study with a lesion, tested if there is one that is, and its row."""
    rows = [
        (id, study(id).lesions.index(lesion))
        for id in studies(atlas)
        if lesion in study(id).lesions
    ]
    return max(rows, key=lambda each: study(each[0]).nll.shape[1], default=None)


def people(atlas: str, matrix: str) -> list[Patient]:
    """Return the patients of an atlas, with those that a matrix of lesions shows."""
    return _people(atlas, matrix)


@st.cache_resource(max_entries=8)
def _people(atlas: str, matrix: str) -> list[Patient]:
    return patients(resources.atlas(atlas), study(matrix) if matrix else None)


def name(atlas: str, lesion: Lesion) -> str:
    """Return what a lesion is called: its networks, and its strength where it is not whole."""
    shown = [_network(atlas, k) for k in lesion.networks[:_LONGEST]]
    more = len(lesion.networks) - len(shown)
    if len(lesion.networks) > 1:
        shown = [str(k) for k in lesion.networks[:_LONGEST]]
    said = " + ".join(shown) + (f" and {more} more" if more else "")
    return said if lesion.strength == 1 else f"{said}, {strength_label(lesion.strength)}"


def _network(atlas: str, network: int) -> str:
    return f"{network} · {resources.network_name(atlas, network)}"


def names(atlas: str, lesions: Sequence[Lesion]) -> list[str]:
    """Return what lesions are called."""
    return [name(atlas, lesion) for lesion in lesions]


def strength_label(strength: float) -> str:
    """Return a strength in words."""
    return {1.0: "silenced", -1.0: "doubled", 0.0: "healthy"}.get(
        strength, f"scaled by {1 - strength:g}"
    )


@st.cache_resource(max_entries=4)
def stimuli(fingerprint: str, read: Read, _model: LanguageModel) -> Stimuli:
    """Return what is read under lesions, in columns."""
    documents = resources.documents(read.texts) if read.localizers is None else None
    return read.stimuli(_model, documents)


@st.cache_resource(max_entries=16)
def estimate(
    fingerprint: str, order: LesionOrder, text_sha256: str, _stimuli: Stimuli, _model: LanguageModel
) -> LesionEstimate:
    """Return what a study will take at most; times one pass."""
    return estimate_lesions(_model, _stimuli, order)
