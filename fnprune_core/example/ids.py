"""Which artifacts of a workspace are the worked example, as it was noted when it was made."""

from dataclasses import asdict, dataclass

from fnprune_core.errors import FnpruneError
from fnprune_core.storage.folders import storage_errors
from fnprune_core.storage.json_files import read_checked_json, write_checked_json
from fnprune_core.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleIds:
    """Ids of the worked example of a workspace.

    Parameters
    ----------
    is_finished : bool
        Whether its plans, measurements and experiments were made too. Once: what a person deletes
        of them does not come back.
    """

    recording_id: str
    decomposition_id: str
    is_finished: bool = False


def note(workspace: Workspace, ids: ExampleIds) -> None:
    """Note which artifacts are the example."""
    with storage_errors(workspace.root):
        write_checked_json(workspace.root / "example.json", asdict(ids))


def find_example(workspace: Workspace) -> ExampleIds | None:
    """Return the worked example if it is there."""
    try:
        ids = ExampleIds(**read_checked_json(workspace.root / "example.json"))
        is_whole = workspace.has("recordings", ids.recording_id) and workspace.has(
            "decompositions", ids.decomposition_id
        )
    except (OSError, TypeError, FnpruneError):
        return None
    return ids if is_whole else None
