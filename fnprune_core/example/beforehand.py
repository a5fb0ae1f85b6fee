"""Results of the example that take long: computed beforehand, shipped, and taken over.

They are those of the example's own networks: where a machine finds others, nothing is taken over.
Where it numbers networks of nearly equal energy otherwise, results go with their networks.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from fnprune_core.assets import asset
from fnprune_core.atlas.embedding import places_by_course
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition.fingerprint import KEY, MapsFingerprint, Renumbering, compare
from fnprune_core.decomposition.numbering import fingerprint_at
from fnprune_core.errors import CorruptArtifactError
from fnprune_core.inputs.json_values import parse_json
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.workspace import Workspace

#: What took long, about 20 minutes on two cores; the same commands make it again.
COMMANDS = (
    "fnprune example",
    "fnprune trust ATLAS --parts halves,members,rotated,seeds,sizes,shifted_members",
    "fnprune lesion ATLAS --networks 0-11 --random 5 --window 64 --max-windows 32",
    "python docs/make_example_results.py",
)
KINDS = ("assessments", "lesions", "embeddings")
#: Arrays of results with a row or a column for each network, and which axis that is.
_NETWORK_AXIS = {
    "iq": -1, "share": -1, "match": -1, "r": -1, "networks_by_map": 0, "networks_by_course": 0,
    "packed": 0, "beyond": 0,
}  # fmt: skip
_BY_COURSE = "networks_by_course"
_INDEX, _STUDY = "index.json", "study.json"
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

    What is there already stays. Nothing is taken over for other networks, and no lesions of
    networks that have another number here. No result hangs on a map's sign but where networks lie
    by their time courses, which is found anew.
    """
    if not path().is_file():
        return []
    with _opened() as archive:
        index = _index_of(archive)
        if index["decomposition_id"] != atlas_id or not workspace.has("decompositions", atlas_id):
            return []
        here = fingerprint_at(workspace, atlas_id)
        there = MapsFingerprint.from_json(index["maps"])
        renumbering = compare(there, here)
        if renumbering.lost or len(there.marks) != len(here.marks):
            return []
        taken = []
        for kind, id in map(tuple, index["artifacts"]):
            if workspace.has(kind, id):
                continue
            files = _files_of(archive, f"{kind}/{id}/")
            if not _is_of_same_numbers(files, renumbering):
                continue
            with new_folder(workspace.folder(kind, id)) as folder:
                for name, content in files.items():
                    found = _renumbered(name, content, renumbering, here)
                    if kind == "embeddings" and name != MANIFEST and renumbering.turned:
                        found = _placed_anew(found, workspace, atlas_id, files[MANIFEST])
                    (folder / name).write_bytes(found)
            taken.append((kind, id))
    return taken


def _placed_anew(content: bytes, workspace: Workspace, atlas_id: str, manifest: bytes) -> bytes:
    """Return an embedding's arrays with networks placed by their time courses here."""
    seed = int(parse_json(manifest)["inputs"]["settings"]["seed"])
    places = places_by_course(open_atlas(workspace, atlas_id), seed=seed)
    return save({**load(content), _BY_COURSE: places})


def _files_of(archive: zipfile.ZipFile, prefix: str) -> dict[str, bytes]:
    names = [name for name in archive.namelist() if name.startswith(prefix)]
    return {name.removeprefix(prefix): archive.read(name) for name in names}


def _is_of_same_numbers(files: Mapping[str, bytes], renumbering: Renumbering) -> bool:
    """Whether all networks that a lesion study is of have their numbers here, too.

    Random lesions are drawn by the number of the network that they stand beside.
    """
    if _STUDY not in files:
        return True
    lesions = parse_json(files[_STUDY])["lesions"]
    return all(renumbering.of(lesion["networks"]).is_in_place for lesion in lesions)


def _renumbered(
    name: str, content: bytes, renumbering: Renumbering, here: MapsFingerprint
) -> bytes:
    """Return a file with what it holds of each network at the network's number here."""
    if renumbering.is_same:
        return content
    if name == _STUDY:
        study = parse_json(content)
        return json.dumps({**study, "maps_fingerprint": here.to_json()}).encode()
    if name == MANIFEST and KEY in (facts := parse_json(content)):
        return json.dumps({**facts, KEY: here.to_json()}).encode()
    if not name.endswith(".safetensors"):
        return content
    there = sorted(renumbering.numbers, key=renumbering.numbers.__getitem__)
    return save({
        key: np.ascontiguousarray(values.take(there, axis=_NETWORK_AXIS[key]))
        if key in _NETWORK_AXIS
        else values
        for key, values in load(content).items()
    })  # fmt: skip


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
