"""Numbers of networks: whether what refers to an atlas still means the same ones there."""

from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.decomposition.fingerprint import (
    KEY,
    MapsFingerprint,
    Renumbering,
    compare,
    fingerprint_of,
)
from fnprune_core.errors import NetworksMovedError
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Workspace


def fingerprint_at(workspace: Workspace, decomposition_id: str) -> MapsFingerprint:
    """Return the fingerprint of a stored atlas; computed from its maps if it has none yet."""
    folder = workspace.existing("decompositions", decomposition_id)
    stored = read_manifest(folder).get(KEY)
    if stored is not None:
        return MapsFingerprint.from_json(stored)
    return fingerprint_of(Decomposition.load(folder).spatial_maps)


def renumbering_here(
    there: MapsFingerprint | None, workspace: Workspace, decomposition_id: str
) -> Renumbering | None:
    """Return which network here each one there is; None without a fingerprint or the atlas."""
    if there is None or not workspace.has("decompositions", decomposition_id):
        return None
    return compare(there, fingerprint_at(workspace, decomposition_id))


def is_of_networks_here(workspace: Workspace, kind: str, id: str, decomposition_id: str) -> bool:
    """Whether a result on all networks of an atlas is stored, and of those that it has here.

    Results of before hold no fingerprint, and are taken as they are.
    """
    if not workspace.has(kind, id):
        return False
    stored = read_manifest(workspace.existing(kind, id)).get(KEY)
    there = None if stored is None else MapsFingerprint.from_json(stored)
    renumbering = renumbering_here(there, workspace, decomposition_id)
    return renumbering is None or renumbering.is_same


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
        raise NetworksMovedError(
            f"{what} numbers the networks of atlas {decomposition_id} otherwise: "
            f"{renumbering.sentence()}",
            hint="Match them by their maps: --match in the command line, a button in the app.",
            can_match=True,
        )
    return renumbering
