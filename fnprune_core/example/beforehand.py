"""Results of the example that take long: computed beforehand, shipped, and taken over.

They are those of the very atlas of the example: where a machine finds other networks, however
little they differ, nothing is taken over.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fnprune_core.assets import asset
from fnprune_core.decomposition.fingerprint import MapsFingerprint, compare
from fnprune_core.decomposition.numbering import fingerprint_at
from fnprune_core.errors import CorruptArtifactError
from fnprune_core.inputs.json_values import parse_json
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.workspace import Workspace

#: What took long, about 20 minutes on two cores; the same commands make it again.
COMMANDS = (
    "fnprune example",
    "fnprune trust ATLAS --parts halves,seeds,sizes",
    "fnprune lesion ATLAS --networks 0-11 --random 1 --max-windows 4",
    "python docs/make_example_results.py",
)
KINDS = ("assessments", "lesions", "embeddings")
_INDEX = "index.json"
_STAMP = (1980, 1, 1, 0, 0, 0)  # the same results, the same bytes


def path() -> Path:
    """Return the path of the shipped results."""
    return asset("example_results.zip")


def pack(workspace: Workspace, atlas_id: str, artifacts: Iterable[tuple[str, str]]) -> bytes:
    """Write results of a workspace's atlas into the shipped file; return its bytes.

    Parameters
    ----------
    artifacts : iterable of (str, str)
        Kind and id of each.
    """
    chosen = sorted(artifacts)
    index = {
        "decomposition_id": atlas_id,
        "maps": fingerprint_at(workspace, atlas_id).to_json(),
        "commands": list(COMMANDS),
        "artifacts": [list(each) for each in chosen],
    }
    with zipfile.ZipFile(path(), "w") as archive:
        _add(archive, _INDEX, json.dumps(index, indent=1).encode())
        for kind, id in chosen:
            for file in sorted(workspace.existing(kind, id).iterdir()):
                if file.is_file() and not file.name.startswith("."):
                    _add(archive, f"{kind}/{id}/{file.name}", file.read_bytes())
    return path().read_bytes()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _STAMP)
    archive.writestr(info, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def take_over(workspace: Workspace, atlas_id: str) -> list[tuple[str, str]]:
    """Copy the shipped results into a workspace that has their atlas; return kind and id of each.

    What is there already stays. Nothing is taken over for another atlas.
    """
    if not path().is_file():
        return []
    with _opened() as archive:
        index = _index_of(archive)
        if index["decomposition_id"] != atlas_id or not workspace.has("decompositions", atlas_id):
            return []
        there = MapsFingerprint.from_json(index["maps"])
        if not compare(there, fingerprint_at(workspace, atlas_id)).is_same:
            return []
        taken = []
        for kind, id in map(tuple, index["artifacts"]):
            if workspace.has(kind, id):
                continue
            with new_folder(workspace.folder(kind, id)) as folder:
                prefix = f"{kind}/{id}/"
                for name in archive.namelist():
                    if name.startswith(prefix):
                        (folder / name.removeprefix(prefix)).write_bytes(archive.read(name))
            taken.append((kind, id))
    return taken


@contextmanager
def _opened() -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path()) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise _damaged(str(error)) from error


def _damaged(reason: str) -> CorruptArtifactError:
    return CorruptArtifactError(f"{path()} is damaged: {reason}.", hint="Install fnprune again.")


def _index_of(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        index: dict[str, Any] = parse_json(archive.read(_INDEX))
    except (KeyError, ValueError) as error:
        raise _damaged(str(error)) from error
    return index
