"""Numbers of networks: whether what refers to an atlas still means the same ones there.

A reference to a network is its number with the fingerprint of its map. All that resolve one ask
here, and all that must refuse one raise what `moved_error` returns.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.decomposition.fingerprint import (
    KEY,
    MapsFingerprint,
    Renumbering,
    compare,
    fingerprint_of,
    maps_in,
)
from fnprune_core.errors import CorruptArtifactError, NetworksMovedError
from fnprune_core.storage.folders import storage_errors
from fnprune_core.storage.json_files import read_checked_json, write_checked_json
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Workspace

T = TypeVar("T")
_VERSION = 1  # of the files beside an atlas


def fingerprint_at(workspace: Workspace, decomposition_id: str) -> MapsFingerprint:
    """Return the fingerprint of a stored atlas; computed from its maps if it has none yet."""
    folder = workspace.existing("decompositions", decomposition_id)
    maps = maps_in(read_manifest(folder))
    return fingerprint_of(Decomposition.load(folder).spatial_maps) if maps is None else maps


def renumbering_here(
    there: MapsFingerprint | None, workspace: Workspace, decomposition_id: str
) -> Renumbering | None:
    """Return which network here each one there is; None without a fingerprint or the atlas."""
    if there is None or not workspace.has("decompositions", decomposition_id):
        return None
    return compare(there, fingerprint_at(workspace, decomposition_id))


def networks_here(
    networks: Iterable[int],
    there: MapsFingerprint | None,
    workspace: Workspace,
    decomposition_id: str,
) -> tuple[int, ...]:
    """Return the numbers that networks have here; their own where they are in their places."""
    renumbering = renumbering_here(there, workspace, decomposition_id)
    if renumbering is None or renumbering.is_in_place:
        return tuple(networks)
    return renumbering.here(networks)


def is_of_networks_here(workspace: Workspace, kind: str, id: str, decomposition_id: str) -> bool:
    """Whether a result on all networks of an atlas is stored, and of those that it has here.

    Results of before hold no fingerprint, and are taken as they are.
    """
    if not workspace.has(kind, id):
        return False
    there = maps_in(read_manifest(workspace.existing(kind, id)))
    renumbering = renumbering_here(there, workspace, decomposition_id)
    return renumbering is None or renumbering.is_same


def store_beside(path: Path, maps: MapsFingerprint, values: Mapping[str, Any]) -> None:
    """Write what was computed of all networks of an atlas into a file beside it."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_checked_json(path, {"schema_version": _VERSION, KEY: maps.to_json(), **values})


def read_beside(
    path: Path, workspace: Workspace, decomposition_id: str, parse: Callable[[dict[str, Any]], T]
) -> T | None:
    """Return what `store_beside` wrote, or None.

    It can be computed again at any time, so a file that is damaged, of another version, or of
    networks that have other numbers here counts as none.
    """
    try:
        value = read_checked_json(path)
        if value["schema_version"] != _VERSION:
            return None
        maps, parsed = MapsFingerprint.from_json(value[KEY]), parse(value)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, CorruptArtifactError):
        return None
    renumbering = renumbering_here(maps, workspace, decomposition_id)
    return parsed if renumbering is not None and renumbering.is_same else None


def moved_error(
    what: str, decomposition_id: str, renumbering: Renumbering, *, hint: str, can_match: bool
) -> NetworksMovedError:
    """Return the error that tells of a result whose networks have other numbers here."""
    return NetworksMovedError(
        f"{what} numbers the networks of atlas {decomposition_id} otherwise: "
        f"{renumbering.sentence()}",
        hint=hint,
        can_match=can_match,
    )


def check_numbers(
    there: MapsFingerprint | None,
    workspace: Workspace,
    decomposition_id: str,
    *,
    what: str,
    match: bool = False,
) -> Renumbering | None:
    """Return how a result's networks are numbered here; None where they are as they were.

    Parameters
    ----------
    there : MapsFingerprint or None
        The fingerprint that the result holds; results of before have none and are taken as they
        are. So are those whose atlas is not here.
    what : str
        The result, for the message.
    match : bool
        Whether another numbering is asked for, and no error.

    Raises
    ------
    NetworksMovedError
        If the numbers mean other networks here and no match was asked for, or some are lost.
    """
    renumbering = renumbering_here(there, workspace, decomposition_id)
    if renumbering is None or renumbering.is_same:
        return None
    if renumbering.lost:
        raise NetworksMovedError(
            f"{what} is of other networks than atlas {decomposition_id} has here: "
            f"{renumbering.sentence()}",
            hint="Delete it and make it again.",
        )
    if not match:
        raise moved_error(
            what, decomposition_id, renumbering, can_match=True,
            hint="Match them by their maps: --match in the command line, a button in the app.",
        )  # fmt: skip
    return renumbering
