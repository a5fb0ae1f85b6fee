"""Everything cached: the workspace, jobs, the model, open artifacts, and small derived arrays.

What is cached is shared by all sessions and never changed. Small inputs of figures are keyed by
artifact id. What opens artifacts is imported by the first that opens one: it needs torch and
scikit-learn, which take seconds, and the first picture of a visit does not wait for them.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.doors import here
from app.doors.reach import Reach, reach_of
from app.shell.caches import memory
from app.shell.caching import cached
from app.shell.jobs.limits import JobLimits
from app.shell.jobs.manager import JobManager
from app.shell.text_choice import TextChoice
from app.shell.visit import visit_id
from fnprune_core.atlas.annotation_files import Annotations
from fnprune_core.atlas.annotations import path_of, read_annotations
from fnprune_core.atlas.membership import members_id
from fnprune_core.atlas.naming.stored import promoted_path
from fnprune_core.atlas.topography.laid_out import has_cortex
from fnprune_core.errors import FnpruneError
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from app.shell.jobs.tasks import ModelShelf
    from fnprune_core.atlas.cortex import Cortex
    from fnprune_core.atlas.naming.suggestions import SuggestedName
    from fnprune_core.atlas.network_atlas import NetworkAtlas
    from fnprune_core.evaluation.results import Perplexity
    from fnprune_core.models.language_model import Anatomy, LanguageModel
    from fnprune_core.models.sources.cached import CachedModel
    from fnprune_core.models.sources.fits import Requirement
    from fnprune_core.plans.plan import PruningPlan
    from fnprune_core.recording.recording import Recording, RecordingSettings
    from fnprune_core.texts.documents import Document
    from fnprune_core.texts.windows import Windows

_LOOK_S = 20.0  # for so long a look at a model holds


@st.cache_resource
def workspace() -> Workspace:
    """Return the workspace; what stopped work left behind stays, so that it can resume."""
    memory.settle()
    return Workspace.default()


@st.cache_resource
def jobs() -> JobManager:
    """Return the one manager of long work."""
    return JobManager(limits=JobLimits.configured(os.environ))


@st.cache_resource
def shelf() -> "ModelShelf":
    """Return the holder of the one model in memory."""
    from app.shell.jobs.tasks import ModelShelf

    return ModelShelf(reach=reach_of(here.door(), workspace(), uploads=here.uploads().folder))


def upload(name: str, content: bytes) -> Path:
    """Return the path of a file that this visit has uploaded."""
    return here.uploads().store(visit_id(), name, content)


def reach() -> Reach:
    """Return what this visit may name and send to this server."""
    visit = here.uploads().of_visit(visit_id())
    return reach_of(here.door(), workspace(), uploads=here.uploads().folder, visit=visit)


def language_model(source: str) -> "LanguageModel | None":
    """Return the model of `source` if it is in memory."""
    return shelf().loaded(source)


def anatomy(source: str) -> "Anatomy | None":
    """Return the anatomy of the model of `source` if it is in memory."""
    model = language_model(source)
    return None if model is None else anatomy_of(model)


@cached(max_entries=4)
def anatomy_of(model: "LanguageModel") -> "Anatomy":
    """Return the anatomy of a model."""
    return model.anatomy()


def cached_models() -> "list[CachedModel]":
    """Return the models in the Hugging Face cache of this machine."""
    from fnprune_core.models.sources.cached import cached_models

    return cached_models()


def model_requirement(source: str) -> "Requirement":
    """Return what a model takes, where this visit may name it; memory that is free is read anew."""
    reach().model(source)
    return _model_requirement(source, int(time.monotonic() / _LOOK_S))


@cached(max_entries=8)
def _model_requirement(source: str, period: int) -> "Requirement":
    from fnprune_core.models.loading import look_at

    return look_at(source)


def model_requirement_fits(source: str, option: str) -> bool:
    """Whether a model fits with an option behind its source, where the option can be had here."""
    import torch

    if option == "device=sharded":
        return torch.cuda.device_count() > 1
    return model_requirement(source).fits


def manifest(kind: str, id: str) -> dict[str, Any]:
    """Return an artifact's manifest; raises `ArtifactNotFoundError` if there is none."""
    return read_manifest(workspace().existing(kind, id))


def ids(*kinds: str) -> tuple[tuple[str, ...], ...]:
    """Return the ids of all artifacts of some kinds."""
    return tuple(tuple(workspace().ids(kind)) for kind in kinds)


@cached(max_entries=2)
def recording(id: str) -> "Recording":
    """Return an open recording."""
    from fnprune_core.recording.recording import open_recording

    return open_recording(workspace(), id)


@cached(max_entries=2)
def atlas(id: str) -> "NetworkAtlas":
    """Return an open atlas."""
    from fnprune_core.atlas import network_atlas

    return network_atlas.open_atlas(workspace(), id)


def is_laid_out(id: str, *_: object) -> bool:
    """Whether the units of an atlas have places."""
    return has_cortex(workspace(), id)


@cached(max_entries=2, made_of=is_laid_out)
def cortex(id: str) -> "Cortex | None":
    """Return where an atlas's units sit, or None if they were not laid out yet."""
    from fnprune_core.atlas.cortex import open_cortex

    return open_cortex(workspace(), id)


@cached(max_entries=8)
def plan(id: str) -> "PruningPlan":
    """Return an open plan."""
    from fnprune_core.plans import files

    return files.open_plan(workspace(), id)


@cached(max_entries=64)
def evaluation(id: str) -> "Perplexity":
    """Return a stored perplexity."""
    from fnprune_core.evaluation import results

    return results.open_evaluation(workspace(), id)


def documents(choice: TextChoice) -> "list[Document]":
    """Return the chosen texts, where this visit may read them."""
    choice.check(reach())
    return _documents(choice)


@cached(max_entries=2)
def _documents(choice: TextChoice) -> "list[Document]":
    return choice.documents(reach())


@cached(max_entries=4)
def windows_to_record(
    choice: TextChoice, settings: "RecordingSettings", model: "LanguageModel"
) -> "Windows":
    """Return the windows that a recording reads."""
    from fnprune_core.recording import record

    return record.windows_for(model, documents(choice), settings)


def changed(path: Path) -> tuple[int, int]:
    """Return a file's number and when it was written; zeros if there is none."""
    try:
        facts = path.stat()
    except OSError:
        return 0, 0
    return facts.st_ino, facts.st_mtime_ns


def made_ns(id: str, kind: str = "decompositions") -> int:
    """Return when the atlas with an id, or something of another kind, was stored; 0 if it is not.

    Another atlas may be made with the same id, and number its networks otherwise.
    """
    if not workspace().has(kind, id):
        return 0
    return (workspace().folder(kind, id) / MANIFEST).stat().st_mtime_ns


def suggestion(id: str, network: int) -> "SuggestedName":
    """Return the name that the rule suggests for a network, with what it rests on."""
    return _suggestions(id)[network]


def suggested_name(id: str, network: int) -> str:
    """Return the name that the rule suggests for a network."""
    return suggestion(id, network).text


def _suggested_from(id: str) -> object:
    """With members, other units count for what a network promotes."""
    is_checked = workspace().has("assessments", members_id(id))
    return changed(promoted_path(workspace(), id)), made_ns(id), is_checked


@cached(max_entries=4, made_of=_suggested_from)
def _suggestions(id: str) -> "tuple[SuggestedName, ...]":
    from fnprune_core.atlas.naming import suggestions

    return suggestions.names_of(workspace(), atlas(id))


def names_key(id: str) -> tuple[int, ...]:
    """Return what changes when an atlas's networks may have other names; no artifact is opened."""
    files = path_of(workspace(), id), promoted_path(workspace(), id)
    return (made_ns(id), *(number for path in files for number in changed(path)))


def network_name(id: str, network: int) -> str:
    """Return the name that a person gave a network, else the suggested one."""
    return _own_name(_annotations_or_none(id), network) or suggested_name(id, network)


def network_names(id: str) -> list[str]:
    """Return the name of each network; the file of names is looked at once."""
    notes = _annotations_or_none(id)
    return [_own_name(notes, k) or each.text for k, each in enumerate(_suggestions(id))]


def are_suggested(id: str) -> list[bool]:
    """Return, by network, whether its name is a suggestion: no person gave it one."""
    notes = _annotations_or_none(id)
    return [not _own_name(notes, network) for network in range(atlas(id).n_networks)]


def _own_name(notes: Annotations | None, network: int) -> str:
    return "" if notes is None else notes.of(network).name


def _annotations_or_none(id: str) -> Annotations | None:
    try:
        return annotations(id)
    except FnpruneError:  # the editor of names tells what is damaged
        return None


@cached(max_entries=8, made_of=lambda id: (changed(path_of(workspace(), id)), made_ns(id)))
def annotations(id: str) -> Annotations:
    """Return the names and notes that people gave to an atlas's networks, as they are now."""
    return read_annotations(workspace(), atlas(id).id)


def n_members(id: str, network: int, z: float | None) -> int:
    """Return how many units are a network's own: members, or beyond |z|."""
    return len(atlas(id).members(network, z=z))


def forget_open() -> None:
    """Close all artifacts, after one was deleted."""
    for opened in (recording, atlas, cortex, plan, evaluation):
        opened.clear()
