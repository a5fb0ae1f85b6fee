"""Names, notes and tags that people give to networks, kept with the atlas.

One JSON file an atlas, ``<workspace>/annotations/<atlas id>.json``. It is a person's own work, so
it outlives the atlas: deleting an atlas leaves its names, and the same recording decomposed again
with the same settings has the same id and finds them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from fnprune_core.atlas.annotation_files import (
    Annotation,
    Annotations,
    as_value,
    from_json,
)
from fnprune_core.decomposition.fingerprint import Renumbering, compare
from fnprune_core.decomposition.numbering import renumbering_here
from fnprune_core.errors import CorruptArtifactError, NetworksMovedError, SettingsError
from fnprune_core.storage.folders import storage_errors
from fnprune_core.storage.json_files import read_checked_json, write_checked_json
from fnprune_core.storage.locks import locked, renamed_away
from fnprune_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from fnprune_core.atlas.network_atlas import NetworkAtlas

FOLDER = "annotations"
MERGE_RULE = (
    "What the file says of a network replaces what is here; a field that is empty in the file "
    "leaves what is here, so that an import deletes nothing."
)

Fit = Literal["same", "moved", "numbers", "unknown", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCheck:
    """The answer to whether a file's annotations belong to an atlas.

    Parameters
    ----------
    fit : str
        ``"same"``: the numbers mean the same networks here. ``"moved"``: some mean others, as
        their maps show. ``"numbers"``: of another atlas of this model, without its maps.
        ``"unknown"``: the file does not say which networks its numbers meant. ``"none"``: of
        another model.
    message : str
        The answer in words, for the person.
    n_fitting, n_beyond : int
        Networks of the file that this atlas has, and that it has not.
    renumbering : Renumbering or None
        Which network here each of the file is, where the file holds what its maps were like.
    """

    fit: Fit
    message: str
    n_fitting: int
    n_beyond: int
    renumbering: Renumbering | None = None


def path_of(workspace: Workspace, atlas_id: str) -> Path:
    """Return the path of an atlas's annotations, whether or not there are any."""
    return workspace.beside(FOLDER, "decompositions", atlas_id)


def read_annotations(workspace: Workspace, atlas_id: str) -> Annotations:
    """Return an atlas's annotations, which may be none.

    Where the atlas was made anew and numbers its networks otherwise, none are returned, and the
    stored ones as ``unmatched``: `match_stored` brings them to their networks.

    Raises
    ------
    CorruptArtifactError
        If the file is damaged; `set_aside` moves it out of the way.
    """
    stored = _read_stored(path_of(workspace, atlas_id), atlas_id)
    moved = _moved(workspace, atlas_id, stored)
    if moved is None:
        return stored
    return Annotations(networks={}, atlas_id=atlas_id, unmatched=stored)


def _moved(workspace: Workspace, atlas_id: str, stored: Annotations) -> Renumbering | None:
    """Return which networks those of stored annotations are here; None if they are the same."""
    renumbering = renumbering_here(stored.maps_fingerprint, workspace, atlas_id)
    if renumbering is None:
        return None
    of_named = renumbering.of(stored.networks)
    return None if of_named.is_in_place else of_named


def _read_stored(path: Path, atlas_id: str) -> Annotations:
    try:
        return from_json(read_checked_json(path))
    except FileNotFoundError:
        return Annotations(networks={}, atlas_id=atlas_id)
    except (CorruptArtifactError, ValueError, RecursionError) as error:
        raise CorruptArtifactError(
            f"The names of this atlas cannot be read from {path}: {error}",
            hint="Bring it back from a copy, or set it aside and start anew.",
        ) from error


def annotate(
    workspace: Workspace, atlas: NetworkAtlas, network: int, annotation: Annotation
) -> Annotations:
    """Set a network's annotation, or remove it with an empty one; return all of the atlas.

    Two writers at once lose nothing: each reads, changes its network and writes under a lock.
    Of two that change the same network, the later wins.
    """
    return _write_changes(workspace, atlas, {atlas.check_network(network): annotation})


def set_aside(workspace: Workspace, atlas_id: str) -> Path:
    """Rename the file of an atlas's annotations out of the way; return its new path."""
    return renamed_away(path_of(workspace, atlas_id))


def match_stored(workspace: Workspace, atlas: NetworkAtlas) -> tuple[Annotations, Renumbering]:
    """Bring an atlas's stored annotations to the networks that they were given to.

    Returns all that the atlas then has, and how they moved. A copy of the file as it was stays
    beside it, with what was said of networks that are not here any more.
    """
    path = path_of(workspace, atlas.id)
    with locked(path):
        stored = _read_stored(path, atlas.id)
        moved = _moved(workspace, atlas.id, stored)
        if moved is None:
            return stored, Renumbering(numbers=MappingProxyType({k: k for k in stored.networks}))
        networks = {
            moved.numbers[k]: annotation
            for k, annotation in stored.networks.items()
            if k in moved.numbers
        }
        with storage_errors(path):
            copy = path.with_name(f"{path.stem}-before-match-{uuid.uuid4().hex[:8]}.json")
            write_checked_json(copy, as_value(stored))
        return _store(path, atlas, networks), moved


def check_import(imported: Annotations, atlas: NetworkAtlas) -> ImportCheck:
    """Return whether a file's annotations belong to an atlas, to be shown before a merge."""
    model, k = atlas.decomposition.fingerprint, atlas.n_networks
    n_beyond = sum(network >= k for network in imported.networks)
    n_fitting = len(imported.networks) - n_beyond
    is_other = _is_of_another_model(imported, atlas)
    renumbering = None if is_other else _renumbering_of(imported, atlas)
    fit: Fit
    if is_other:
        fit, message = "none", (
            f"These names are of another model ({imported.fingerprint}); this atlas is of {model}. "
            "A network's number means nothing there."
        )  # fmt: skip
    elif renumbering is not None:
        fit = "same" if renumbering.is_in_place else "moved"
        source = "this atlas" if imported.atlas_id == atlas.id else "the same networks"
        message = f"These names are of {source}." if fit == "same" else renumbering.sentence()
    elif imported.atlas_id == atlas.id:
        fit, message = "unknown", (
            "These names are of an atlas of the same texts and settings. The file does not hold "
            "its maps, so nothing shows whether another machine numbered the networks otherwise."
        )  # fmt: skip
    elif imported.atlas_id or (imported.n_networks and imported.n_networks != k):
        fit, message = "numbers", (
            f"These names are of another atlas of {imported.n_networks or 'unknown'} networks; "
            f"this one has {k}. The same number need not be the same network."
        )  # fmt: skip
    else:
        fit, message = "unknown", "The file does not say which atlas its names are of."
    if n_beyond and fit not in ("none", "moved"):
        message += f" {n_beyond} of its {len(imported.networks)} networks do not exist here."
    return ImportCheck(
        fit=fit,
        message=message,
        n_fitting=n_fitting,
        n_beyond=n_beyond,
        renumbering=renumbering,
    )


def _is_of_another_model(imported: Annotations, atlas: NetworkAtlas) -> bool:
    return bool(imported.fingerprint) and imported.fingerprint != atlas.decomposition.fingerprint


def _renumbering_of(imported: Annotations, atlas: NetworkAtlas) -> Renumbering | None:
    """Return which network here each named one is; None if the file does not hold all maps."""
    maps = imported.maps_fingerprint
    if maps is None or not set(imported.networks) <= set(maps.marks):
        return None
    return compare(maps, atlas.maps_fingerprint).of(imported.networks)


def merge(
    workspace: Workspace,
    atlas: NetworkAtlas,
    imported: Annotations,
    *,
    numbers: Mapping[int, int] | None = None,
) -> Annotations:
    """Merge annotations into those of an atlas by `MERGE_RULE`; return all that it then has.

    Parameters
    ----------
    numbers : mapping, optional
        Network of the file → network of this atlas, as a match of two atlases gives it; the
        others are left out. Without it, numbers stay, and those beyond this atlas are left out.

    Raises
    ------
    SettingsError
        If the names are of another model, or no network is left to name.
    """
    if _is_of_another_model(imported, atlas):
        raise SettingsError(
            "These names are of another model.", hint="Open the atlas that they were made for."
        )
    new = {
        (network if numbers is None else numbers.get(network, -1)): annotation
        for network, annotation in imported.networks.items()
    }
    fitting = {
        network: annotation
        for network, annotation in new.items()
        if 0 <= network < atlas.n_networks
    }
    if not fitting:
        raise SettingsError("The file names no network of this atlas.")
    return _write_changes(workspace, atlas, fitting, is_merge=True)


def _write_changes(
    workspace: Workspace,
    atlas: NetworkAtlas,
    new: Mapping[int, Annotation],
    *,
    is_merge: bool = False,
) -> Annotations:
    path = path_of(workspace, atlas.id)
    with locked(path):
        present = read_annotations(workspace, atlas.id)
        if present.unmatched is not None:
            raise NetworksMovedError(
                f"The names of atlas {atlas.id} were given to networks that have other numbers "
                "here; nothing was changed.",
                hint=f"Match them first: `fnprune names match {atlas.id}`, or on the page Files.",
                can_match=True,
            )
        networks = dict(present.networks)
        for network, annotation in new.items():
            if is_merge:
                annotation = _merged_annotation(networks.get(network, Annotation()), annotation)
            networks[network] = annotation
        return _store(path, atlas, networks)


def _store(path: Path, atlas: NetworkAtlas, networks: Mapping[int, Annotation]) -> Annotations:
    annotations = Annotations(
        networks=MappingProxyType({k: a for k, a in networks.items() if not a.is_empty}),
        atlas_id=atlas.id,
        fingerprint=atlas.decomposition.fingerprint,
        n_networks=atlas.n_networks,
        maps_fingerprint=atlas.maps_fingerprint,
    )
    with storage_errors(path):
        write_checked_json(path, as_value(annotations))
    return annotations


def with_maps(annotations: Annotations, atlas: NetworkAtlas) -> Annotations:
    """Return annotations with the fingerprint of their atlas, as a file for others has them."""
    return replace(annotations, maps_fingerprint=atlas.maps_fingerprint)


def _merged_annotation(present: Annotation, new: Annotation) -> Annotation:
    return replace(
        present,
        name=new.name or present.name,
        note=new.note or present.note,
        tags=new.tags or present.tags,
    )
