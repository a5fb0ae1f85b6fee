"""Manifests: what an artifact was made from and when."""

import functools
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from fnprune_core.errors import ArtifactNotFoundError, CorruptArtifactError
from fnprune_core.inputs.records import Record, checked
from fnprune_core.storage.checksums import FILES, MANIFEST
from fnprune_core.storage.json_files import DAMAGED_HINT, canonical_json, check_object, read_json

SCHEMA_VERSION = 1
_PACKAGES = ("fnprune", "torch", "transformers", "numpy", "scipy", "scikit-learn")

_Count = Annotated[int, Field(ge=0)]
_Id = Annotated[str, Field(pattern=r"^[\w-]*$")]


def _zoned(time: str) -> str:
    """Return a time in ISO 8601; raises ValueError unless it is one with a zone."""
    if datetime.fromisoformat(time).tzinfo is None:
        raise ValueError("it has no zone")
    return time


class _FileSums(Record):
    bytes: _Count
    xxh3: list[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]


class Manifest(Record, extra="allow"):
    """What every manifest holds, beside facts of its kind; the id where it lies among others."""

    schema_version: int
    kind: str
    inputs: dict[str, Any]
    versions: dict[str, str]
    created: Annotated[str, AfterValidator(_zoned)]
    files: dict[str, _FileSums]
    checksum: str
    id: _Id | None = None


_OF_ATLAS = ("decomposition_id",)
#: Kinds of artifacts, and what is read of their manifests or inputs, beside `Manifest`.
_HELD: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "recordings": ("fingerprint", "dtype", "model_name", "widths", "windows", "perplexity"),
    "decompositions": ("recording_id", "fingerprint", "settings", "widths", "n_networks"),
    "layouts": (*_OF_ATLAS, "widths", "shape"),
    "assessments": (*_OF_ATLAS, "part", "settings", "counts"),
    "embeddings": _OF_ATLAS,
    "previews": _OF_ATLAS,
    "directions": _OF_ATLAS,
    "plans": ("model_name", "achieved_ratio", "share_of_parameters", "cut_key"),
    "evaluations": ("fingerprint", "dtype", "cut_key", "text_sha256", "window", "model_name",
                    "plan_id", "perplexity", "standard_error", "n_tokens", "failure", "protocol"),
    "generations": ("fingerprint", "dtype", "prompt", "sampling", "plan_id", "model_name"),
    "speeds": ("plan_id", "cut_key", "rows"),
    "lesions": (*_OF_ATLAS, "model_name", "base"),
    "lesion_texts": (*_OF_ATLAS, "fingerprint", "dtype", "prompt", "sampling", "lesion"),
    "localizers": (*_OF_ATLAS, "name", "settings", "title", "widths"),
    "exports": (),
})  # fmt: skip
KINDS = tuple(_HELD)


def artifact_id(kind: str, inputs: Mapping[str, Any]) -> str:
    """Return the id, 16 hex digits, of the artifact that `inputs` determine."""
    text = canonical_json({"kind": kind, "schema_version": SCHEMA_VERSION, "inputs": inputs})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that determine results."""
    return {name: _version(name) for name in _PACKAGES}


@functools.cache
def _version(name: str) -> str:
    # Read once: each artifact names them, and a look takes milliseconds.
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an artifact folder, which was checked.

    Raises
    ------
    ArtifactNotFoundError
        If there is none.
    CorruptArtifactError
        If it is not what was written, is of another version, or lacks what its kind holds.
    """
    path = folder / MANIFEST
    try:
        manifest = read_json(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactNotFoundError(
            f"There is no {folder.parent.name or 'artifact'} item {folder.name!r} in "
            f"{folder.parent.parent}.",
            hint="`fnprune workspace list` shows what there is.",
        ) from error
    if not isinstance(manifest, dict):
        raise CorruptArtifactError(f"{path} is damaged: it holds no facts.", hint=DAMAGED_HINT)
    version = manifest.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise CorruptArtifactError(
            f"{folder} was written by a newer fnprune (schema version {version}; this one reads "
            f"{SCHEMA_VERSION}).",
            hint="Update fnprune, or make it again with this version.",
        )
    check_object(manifest, path)
    if version == SCHEMA_VERSION and FILES not in manifest:
        raise CorruptArtifactError(
            f"{folder} was written before the first release, without checksums.",
            hint="Make it again; a new folder (--workspace, FNPRUNE_WORKSPACE) begins with none.",
        )
    if "checksum" not in manifest:
        raise CorruptArtifactError(
            f"{path} is damaged: it has lost its checksum.", hint=DAMAGED_HINT
        )
    if version != SCHEMA_VERSION:
        raise CorruptArtifactError(
            f"{folder} has schema version {version}, this fnprune reads {SCHEMA_VERSION}.",
            hint="Make it again with this version.",
        )
    _check_facts(manifest, path)
    return manifest


def _check_facts(manifest: dict[str, Any], path: Path) -> None:
    """Raise `CorruptArtifactError` unless a manifest holds what each has, and lies in its place."""
    kind, place, id = manifest.get("kind"), path.parents[1].name, path.parent.name
    if place in KINDS and kind != place:
        raise CorruptArtifactError(
            f"{path} is of {kind!r}, but lies among {place}.", hint="Move it where it belongs."
        )
    if place in KINDS and manifest.get("id", id) != id:
        raise CorruptArtifactError(
            f"{path.parent} holds the item {manifest['id']!r}, not the one of its name.",
            hint="Give the folder its item's name back, or delete it.",
        )
    try:
        facts = checked(Manifest.model_validate, manifest)
        lost = [n for n in _HELD.get(facts.kind, ()) if n not in manifest | facts.inputs]
        if lost:
            raise ValueError(f"it has no {lost[0]!r}")
    except ValueError as error:
        raise CorruptArtifactError(f"{path} is damaged: {error}.", hint=DAMAGED_HINT) from error


def manifest_of(kind: str, inputs: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return an artifact's manifest: its inputs, package versions, time, and other `facts`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "inputs": dict(inputs),
        "versions": package_versions(),
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **facts,
    }
