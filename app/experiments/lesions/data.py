"""Cached data of the Lesions page: studies, patients, texts under lesions, names of lesions."""

from collections.abc import Sequence

from app.experiments.lesions.lesion_tasks import Read
from app.shell import resources, session_state, view_state
from app.shell.caching import cached
from fnprune_core.errors import CorruptArtifactError, NetworksMovedError
from fnprune_core.evaluation.side_by_side import SideBySide
from fnprune_core.lesions.patients import Patient, patients
from fnprune_core.lesions.sites import Lesion, Stimuli
from fnprune_core.lesions.stored import lesion_studies, open_lesions
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.lesions.writing import open_lesion_text
from fnprune_core.models.language_model import LanguageModel

_LONGEST = 3


def _are_matched() -> bool:
    return session_state.are_results_matched(view_state.view().atlas)


def _numbering(_: str) -> object:
    return _are_matched(), resources.made_ns(view_state.view().atlas)


@cached(max_entries=8, made_of=_numbering)
def study(id: str) -> LesionStudy:
    """Return a lesion study of the workspace; its networks have the numbers of the view's atlas."""
    return open_lesions(resources.workspace(), id, match=_are_matched())


@cached(max_entries=8, made_of=_numbering)
def text(id: str) -> tuple[Lesion, SideBySide]:
    """Return a lesion and the texts that were written under it, numbered as the view's atlas."""
    return open_lesion_text(resources.workspace(), id, match=_are_matched())


def studies(atlas: str) -> list[str]:
    """Return the ids of an atlas's studies whose numbers mean its networks, newest first."""
    return [id for id in _all_studies(atlas) if _error_of(id) is None]


def moved_study(atlas: str) -> NetworksMovedError | None:
    """Return why a study of an atlas is not shown: it numbers the networks otherwise."""
    errors = (_error_of(id) for id in _all_studies(atlas))
    return next((error for error in errors if isinstance(error, NetworksMovedError)), None)


def damaged_studies(atlas: str) -> list[CorruptArtifactError]:
    """Return why studies of an atlas cannot be read; the others are shown."""
    errors = (_error_of(id) for id in _all_studies(atlas))
    return [error for error in errors if isinstance(error, CorruptArtifactError)]


def _error_of(id: str) -> NetworksMovedError | CorruptArtifactError | None:
    try:
        study(id)
    except (NetworksMovedError, CorruptArtifactError) as error:
        return error
    return None


@cached(max_entries=8, made_of=lambda _: resources.ids("lesions"))
def _all_studies(atlas: str) -> list[str]:
    return lesion_studies(resources.workspace(), atlas)


def matrices(atlas: str) -> list[str]:
    """Return the ids of studies of several lesions at one strength, newest first."""
    return [id for id in studies(atlas) if is_matrix(study(id))]


def is_matrix(lesion_study: LesionStudy) -> bool:
    """Whether a study compares networks, rather than strengths or a single patient."""
    return len({lesion.networks for lesion in lesion_study.lesions}) > 1


def curve(atlas: str, networks: tuple[int, ...]) -> str | None:
    """Return the newest study of several strengths of these networks, or None."""
    for id in studies(atlas):
        lesions = study(id).lesions
        if {lesion.networks for lesion in lesions} == {networks} and len(lesions) > 1:
            return id
    return None


def single(atlas: str, lesion: Lesion) -> tuple[str, int] | None:
    """Return the newest study with a lesion, tested if there is one that is, and its row."""
    rows = [
        (id, study(id).lesions.index(lesion))
        for id in studies(atlas)
        if lesion in study(id).lesions
    ]
    return max(rows, key=lambda study_and_row: study(study_and_row[0]).nll.shape[1], default=None)


@cached(max_entries=8)
def people(atlas: str, matrix: str) -> list[Patient]:
    """Return the patients of an atlas, with those that a matrix of lesions shows."""
    return patients(resources.atlas(atlas), study(matrix) if matrix else None)


def name(atlas: str, lesion: Lesion) -> str:
    """Return the name of a lesion: its networks, and its strength where it is not whole."""
    network_names = [
        f"{k} · {resources.network_name(atlas, k)}" for k in lesion.networks[:_LONGEST]
    ]
    n_more = len(lesion.networks) - len(network_names)
    if len(lesion.networks) > 1:
        network_names = [str(k) for k in lesion.networks[:_LONGEST]]
    networks_text = " + ".join(network_names) + (f" and {n_more} more" if n_more else "")
    return (
        networks_text
        if lesion.strength == 1
        else f"{networks_text}, {strength_label(lesion.strength)}"
    )


def names(atlas: str, lesions: Sequence[Lesion]) -> list[str]:
    """Return the names of lesions."""
    return [name(atlas, lesion) for lesion in lesions]


def strength_label(strength: float) -> str:
    """Return a strength in words."""
    return {1.0: "silenced", -1.0: "doubled", 0.0: "healthy"}.get(
        strength, f"scaled by {1 - strength:g}"
    )


@cached(max_entries=4)
def stimuli(read: Read, model: LanguageModel) -> Stimuli:
    """Return the stimuli that are read under lesions, in columns."""
    return read.stimuli(model, resources.documents)
