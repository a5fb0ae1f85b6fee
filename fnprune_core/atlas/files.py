"""An atlas as files: tables, and volumes that neuroimaging tools open."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas.annotation_files import Annotations
from fnprune_core.atlas.annotations import read_annotations
from fnprune_core.atlas.chance.names import domain_names
from fnprune_core.atlas.cortex import open_cortex
from fnprune_core.atlas.images.volumes import sidecar_name, volume_files
from fnprune_core.atlas.images.voxels import VoxelGrid, grid_of
from fnprune_core.atlas.naming import suggestions
from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.errors import StorageError
from fnprune_core.foreign_text import shielded
from fnprune_core.inputs.files import path_of
from fnprune_core.inputs.numbers import check_range
from fnprune_core.storage.folders import new_folder, storage_errors
from fnprune_core.storage.workspace import Workspace

MOST_THRESHOLD = 1000  # no unit is so far from the mean


def networks_table(
    atlas: NetworkAtlas, names: Sequence[str], annotations: Annotations, *, z: float | None = None
) -> pd.DataFrame:
    """Return one row per network: its name, its numbers, its tags and its note."""
    table = atlas.table()
    table.insert(1, "name", list(names))
    table.insert(
        list(table).index("top_domain_share") + 1,
        "held_out_share",
        ["" if name is None else name.text() for name in domain_names(atlas)],
    )
    table["units"] = atlas.membership(z=z).sum(axis=1)
    by_network = [annotations.of(k) for k in range(atlas.n_networks)]
    table["tags"] = ["; ".join(annotation.tags) for annotation in by_network]
    table["note"] = [annotation.note for annotation in by_network]
    return table


def members_table(atlas: NetworkAtlas, *, z: float | None = None) -> pd.DataFrame:
    """Return one row for each unit of each network, strongest first: network, layer, unit, z."""
    network, unit = np.nonzero(atlas.membership(z=z))
    values = atlas.maps[network, unit]
    layer, index = atlas.layout.locate(unit)
    order = np.lexsort((-np.abs(values), network))
    table = pd.DataFrame({"network": network, "layer": layer, "unit": index, "z": values})
    return table.iloc[order].reset_index(drop=True)


def units_table(
    atlas: NetworkAtlas, units: NDArray[np.integer], values: NDArray[np.floating]
) -> pd.DataFrame:
    """Return one row for each of the flat `units`: layer, unit, and its entry in `values`."""
    layer, index = atlas.layout.locate(units)
    return pd.DataFrame({"layer": layer, "unit": index, "value": values[units]})


def time_courses_csv(atlas: NetworkAtlas, networks: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a table of time courses: one row per token, one column per network.

    A token is written as a JSON string: its quotes keep spaces, line ends and formulas as text.
    """
    tokens = atlas.tokens
    head = ["session", "position", "domain", "document", "is_dummy", "token"]
    yield ",".join([*head, *(f"network_{atlas.check_network(k)}" for k in networks)]) + "\n"
    columns = zip(
        tokens["session"].tolist(),
        tokens["position"].tolist(),
        tokens["domain"].astype(str),
        tokens["document"].astype(str),
        tokens["is_dummy"].astype(int).tolist(),
        tokens["text"].astype(str),
        atlas.time_courses[list(networks)].T.tolist(),
        strict=True,
    )
    for session, position, domain, document, is_dummy, text, strengths in columns:
        labels = (shielded(domain), shielded(document))
        quoted = json.dumps(text, ensure_ascii=False)
        cells = chain(
            (
                str(session),
                str(position),
                *(_quoted_cell(label) for label in labels),
                str(is_dummy),
            ),
            (_quoted_cell(quoted),),
            (f"{strength:.6g}" for strength in strengths),
        )
        yield ",".join(cells) + "\n"


def _quoted_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def network_names(workspace: Workspace, atlas: NetworkAtlas) -> list[str]:
    """Return each network's name: the one that a person gave, else the suggested one."""
    annotations = read_annotations(workspace, atlas.id)
    suggested = suggestions.names_of(workspace, atlas)
    return [annotations.of(k).name or each.text for k, each in enumerate(suggested)]


def open_grid(workspace: Workspace, atlas: NetworkAtlas) -> VoxelGrid:
    """Return the voxels of an atlas's body: by its cortex, else in the order of indices."""
    return grid_of(atlas.layout, open_cortex(workspace, atlas.id))


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Whether a folder holds these files and nothing else; others are not read."""
    return {path.name for path in folder.iterdir()} == files.keys() and all(
        (folder / name).is_file() and (folder / name).read_bytes() == content
        for name, content in files.items()
    )


def _not_empty(target: Path) -> StorageError:
    return StorageError(f"{target} is not empty; nothing was written.", hint="Name a new folder.")


def write_volumes(
    workspace: Workspace, atlas_id: str, target: Path, *, z: float | None = None
) -> list[Path]:
    """Write maps, parcellation, mask, names and sidecar into a new folder; return the files.

    Parameters
    ----------
    target : Path
        Appears whole or not at all. The current folder, or one that holds anything, is refused.
    z : float or None
        Threshold of the parcellation; None for the units that belong to networks.
    """
    if z is not None:
        check_range("z", z, 0, MOST_THRESHOLD)
    atlas = open_atlas(workspace, atlas_id)
    with storage_errors(target):
        target = path_of(target).resolve()
        if target == Path.cwd():
            # A new folder would replace it, and the shell would be left in one that is gone.
            raise StorageError(
                f"{target} is the current folder; nothing was written.", hint="Name a new folder."
            )
        is_taken = target.exists() and (not target.is_dir() or any(target.iterdir()))
    # The same command may have been repeated: only then is it worth making the files to compare.
    is_written = is_taken and (target / sidecar_name(atlas)).is_file()
    if is_taken and not is_written:
        raise _not_empty(target)
    files = volume_files(atlas, open_grid(workspace, atlas), network_names(workspace, atlas), z=z)
    if is_written:
        if not _holds(target, files):
            raise _not_empty(target)
        return [target / name for name in files]
    with new_folder(target, keeps_existing=False) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return [target / name for name in files]
