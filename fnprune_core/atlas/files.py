"""An atlas as files that neuroimaging tools open."""

from pathlib import Path

from fnprune_core.artifacts import open_atlas, open_cortex
from fnprune_core.atlas.annotations import read_annotations
from fnprune_core.atlas.decoding import suggested_name
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas
from fnprune_core.atlas.volumes import volume_files
from fnprune_core.atlas.voxels import VoxelGrid, grid_of
from fnprune_core.errors import StorageError
from fnprune_core.storage import Workspace, new_folder, storage_errors


def network_names(workspace: Workspace, atlas: NetworkAtlas) -> list[str]:
    """Return what each network is called: by a person, else as the decoding suggests."""
    said = read_annotations(workspace, atlas.id)
    return [said.of(k).name or suggested_name(atlas, k) for k in range(atlas.n_networks)]


def open_grid(workspace: Workspace, atlas: NetworkAtlas) -> VoxelGrid:
    """Return the voxels of an atlas: those of its cortex, else in the order of indices."""
    return grid_of(atlas.layout, open_cortex(workspace, atlas.id))


def write_volumes(
    workspace: Workspace, atlas_id: str, target: Path, *, z: float = DEFAULT_THRESHOLD
) -> list[Path]:
    """Write maps, parcellation, mask, names and sidecar into a new folder; return the files.

    Parameters
    ----------
    target : Path
        Appears whole or not at all. The current folder, or one that holds anything, is refused.
    z : float
        Threshold of the parcellation.
    """
    atlas = open_atlas(workspace, atlas_id)
    with storage_errors(target):
        target = target.expanduser().resolve()
        if target == Path.cwd():
            # It would be replaced by a new folder, and whoever works in it be left in none.
            raise StorageError(
                f"{target} is the current folder; nothing was written.", hint="Name a new folder."
            )
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise StorageError(
                f"{target} is not empty; nothing was written.", hint="Name a new folder."
            )
    files = volume_files(atlas, open_grid(workspace, atlas), network_names(workspace, atlas), z=z)
    with new_folder(target) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return [target / name for name in files]
