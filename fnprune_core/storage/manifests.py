"""Manifests: what an artifact was made from and when; each kind has a schema."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from fnprune_core.errors import ArtifactNotFoundError, CorruptArtifactError
from fnprune_core.storage.checksums import FILES, MANIFEST
from fnprune_core.storage.json_files import DAMAGED_HINT, canonical_json, check_object, read_json

SCHEMA_VERSION = 1
_PACKAGES = ("fnprune", "torch", "transformers", "numpy", "scipy", "scikit-learn")

_Count = Annotated[int, Field(ge=0)]
_Id = Annotated[str, Field(pattern=r"^[\w-]*$")]
_Share = Annotated[float, Field(ge=0, le=1)]
_Widths = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


def _zoned(time: str) -> str:
    """Return a time in ISO 8601; raises ValueError unless it is one with a zone."""
    if datetime.fromisoformat(time).tzinfo is None:
        raise ValueError("it has no zone")
    return time


class _Facts(BaseModel):
    """Facts whose types are checked as they are; others may stand beside them."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)


class _FileSums(_Facts):
    bytes: _Count
    xxh3: list[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]


class Manifest(_Facts):
    """What every manifest holds; the id where it lies among others of its kind."""

    schema_version: int
    kind: str
    inputs: dict[str, Any]
    versions: dict[str, str]
    created: Annotated[str, AfterValidator(_zoned)]
    files: dict[str, _FileSums]
    checksum: str
    id: _Id | None = None


class _Read(_Facts):
    """Inputs of what a model read."""

    fingerprint: str
    dtype: str


class _Windows(_Facts):
    document_names: list[str]
    domain_names: list[str]
    window: _Count
    n_dummy_tokens: _Count
    n_tokens: _Count
    n_windows: _Count
    n_dropped_tokens: _Count
    text_sha256: str
    adds_bos: bool


class _Recording(Manifest):
    inputs: _Read  # type: ignore[assignment]
    model_name: str
    widths: _Widths
    windows: _Windows
    perplexity: float


class _Decomposition(Manifest):
    recording_id: _Id
    fingerprint: str
    settings: dict[str, Any]
    widths: _Widths
    n_networks: _Count


class _OfAtlas(_Facts):
    decomposition_id: _Id


class _Layout(Manifest):
    inputs: _OfAtlas  # type: ignore[assignment]
    widths: _Widths
    shape: Annotated[list[_Count], Field(min_length=2, max_length=2)]


class _AssessmentInputs(_OfAtlas):
    part: str
    settings: dict[str, Any]


class _Assessment(Manifest):
    inputs: _AssessmentInputs  # type: ignore[assignment]
    counts: dict[str, int]


class _BesideAtlas(Manifest):
    inputs: _OfAtlas  # type: ignore[assignment]


class _Plan(Manifest):
    model_name: str
    achieved_ratio: _Share
    share_of_parameters: _Share
    cut_key: str


class _EvaluationInputs(_Read):
    cut_key: str
    text_sha256: str
    window: _Count


class _Evaluation(Manifest):
    inputs: _EvaluationInputs  # type: ignore[assignment]
    model_name: str
    plan_id: str
    perplexity: float | None
    standard_error: float | None
    n_tokens: _Count
    failure: str
    protocol: dict[str, Any]


class _Sampled(_Read):
    prompt: dict[str, Any]
    sampling: dict[str, Any]


class _Generation(Manifest):
    inputs: _Sampled  # type: ignore[assignment]
    plan_id: str
    model_name: str


class _Speed(Manifest):
    plan_id: str
    cut_key: str
    rows: list[dict[str, Any]]


class _Lesions(Manifest):
    decomposition_id: _Id
    model_name: str
    base: dict[str, Any]


class _Lesion(_Facts):
    networks: list[_Count]
    strength: float


class _LesionTextInputs(_Sampled):
    lesion: _Lesion


class _LesionText(Manifest):
    inputs: _LesionTextInputs  # type: ignore[assignment]
    decomposition_id: _Id


class _LocalizerInputs(_OfAtlas):
    name: str
    settings: dict[str, Any]


class _Localizer(Manifest):
    inputs: _LocalizerInputs  # type: ignore[assignment]
    decomposition_id: _Id
    title: str
    widths: _Widths


#: The schema of each kind; a kind without facts of its own has that of all.
SCHEMAS: Mapping[str, type[Manifest]] = MappingProxyType(
    {
        "recordings": _Recording,
        "decompositions": _Decomposition,
        "layouts": _Layout,
        "assessments": _Assessment,
        "embeddings": _BesideAtlas,
        "previews": _BesideAtlas,
        "directions": _BesideAtlas,
        "plans": _Plan,
        "evaluations": _Evaluation,
        "generations": _Generation,
        "speeds": _Speed,
        "lesions": _Lesions,
        "lesion_texts": _LesionText,
        "localizers": _Localizer,
        "exports": Manifest,
    }
)
KINDS = tuple(SCHEMAS)


def artifact_id(kind: str, inputs: Mapping[str, Any]) -> str:
    """Return the id, 16 hex digits, of the artifact that `inputs` determine."""
    text = canonical_json({"kind": kind, "schema_version": SCHEMA_VERSION, "inputs": inputs})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that determine results."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions


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
    """Raise `CorruptArtifactError` unless a manifest holds what its kind's schema says."""
    kind, place, id = manifest.get("kind"), path.parents[1].name, path.parent.name
    if place in SCHEMAS and kind != place:
        raise CorruptArtifactError(
            f"{path} is of {kind!r}, but lies among {place}.", hint="Move it where it belongs."
        )
    if place in SCHEMAS and manifest.get("id", id) != id:
        raise CorruptArtifactError(
            f"{path.parent} holds the item {manifest['id']!r}, not the one of its name.",
            hint="Give the folder its item's name back, or delete it.",
        )
    try:
        SCHEMAS.get(str(kind), Manifest).model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise CorruptArtifactError(
            f"{path} is damaged: {where}: {first['msg']}.", hint=DAMAGED_HINT
        ) from error


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
