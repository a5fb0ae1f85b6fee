"""Workspace folders: atomic, with a JSON manifest, found again by the hash of their inputs.

Knows bytes and names, no artifact class. An artifact is one folder
``<root>/<kind>/<id>`` with ``manifest.json``; it appears by a single rename when whole.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import platformdirs
from safetensors import SafetensorError

from fnprune_core.errors import ArtifactNotFoundError, CorruptArtifactError, StorageError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
LATEST = "latest"
KINDS = (
    "recordings",
    "decompositions",
    "layouts",
    "assessments",
    "embeddings",
    "previews",
    "plans",
    "evaluations",
    "generations",
    "speeds",
    "lesions",
    "lesion_texts",
    "localizers",
    "exports",
)
_UNFINISHED = ".unfinished-"
_LOCK = ".lock"
_MOST_ID = 120  # with what is put around it, a name that every file system bears
_PACKAGES = ("fnprune", "torch", "transformers", "numpy", "scipy", "scikit-learn")


def canonical_json(value: object) -> str:
    """Return `value` as JSON with sorted keys, so that equal inputs give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


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


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors while writing `path` into a `StorageError`."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        error_number = _error_number(error)
        if error_number in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"The disk that holds {path} is full; nothing was changed.",
                hint="Free some space (`fnprune workspace list` shows sizes) and run it again.",
            ) from error
        if error_number in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                f"No permission to write {path}.",
                hint="Choose another folder with --workspace or FNPRUNE_WORKSPACE.",
            ) from error
        if error_number in (errno.ENOTDIR, errno.EEXIST):
            raise StorageError(
                f"{path} cannot be written: a file is where a folder is needed.",
                hint="Move it away or choose another folder with --workspace.",
            ) from error
        raise


def _error_number(error: OSError | SafetensorError) -> int | None:
    """Return the system's error number; safetensors gives it only in its text."""
    if isinstance(error, OSError):
        return error.errno
    match = re.search(r"os error (\d+)", str(error))
    return int(match[1]) if match else None


def sync(path: Path) -> None:
    """Wait until a file or folder is safe on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON to `path` at once: a temporary sibling, then a rename."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1, sort_keys=True, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`; damaged files raise `CorruptArtifactError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptArtifactError(
            f"{path} is damaged: not valid JSON.",
            hint="Delete this artifact and make it again.",
        ) from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an artifact folder, refusing unknown schema versions."""
    try:
        manifest = read_json(folder / MANIFEST)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactNotFoundError(
            f"There is no {folder.parent.name or 'artifact'} item {folder.name!r} in "
            f"{folder.parent.parent}.",
            hint="`fnprune workspace list` shows what there is.",
        ) from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise CorruptArtifactError(
            f"{folder} has schema version {version}, this fnprune reads {SCHEMA_VERSION}.",
            hint="Make it again with this version.",
        )
    return dict(manifest)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `target` that becomes `target` when the block ends well.

    On an error or a stop in the middle, `target` stays as it was. A target that appeared in
    the meantime is kept: same inputs, same content.
    """
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f"{_UNFINISHED}{target.name}-{uuid.uuid4().hex[:8]}"
        temporary.mkdir()
    try:
        with storage_errors(target), exclusive(temporary, what=target.name):
            yield temporary
            (temporary / _LOCK).unlink()
            publish(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish(temporary: Path, target: Path) -> None:
    """Make a finished temporary folder appear as `target`, by one rename after a sync."""
    for path in temporary.rglob("*"):
        if path.is_file():
            sync(path)
    sync(temporary)
    try:
        temporary.rename(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        # Another process was faster; its artifact of the same inputs stays.
        shutil.rmtree(temporary, ignore_errors=True)
        return
    sync(target.parent)


def manifest_of(kind: str, inputs: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return an artifact's manifest: its inputs, package versions, time, and other `facts`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "inputs": dict(inputs),
        "versions": package_versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    }


@contextmanager
def exclusive(folder: Path, *, what: str) -> Iterator[None]:
    """Hold a lock on `folder` that other processes respect and that a crash releases."""
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                f"{what} is being made by another process right now.",
                hint="Wait for it to finish; the result is then found at once.",
            ) from error
        yield


def _is_in_use(folder: Path) -> bool:
    """Whether a running process holds the lock on `folder`."""
    if not (folder / _LOCK).is_file():
        return False
    try:
        with exclusive(folder, what=folder.name):
            return False
    except StorageError:
        return True


def check_free_space(folder: Path, needed_bytes: int) -> None:
    """Raise `StorageError` if `needed_bytes` do not fit where `folder` is or will be."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if needed_bytes > free:
        raise StorageError(
            f"This needs {_size_text(needed_bytes)}, but {existing} has {_size_text(free)} free.",
            hint="Free some space, choose a folder on another disk, or record fewer tokens.",
        )


def _size_text(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below `folder`; files that vanish meanwhile count as 0."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(parent, name).stat().st_size
    return total


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _MOST_ID and all(c.isalnum() or c in "-_" for c in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One whole artifact of a workspace."""

    kind: str
    id: str
    path: Path
    created: str
    size_bytes: int
    manifest: dict[str, Any]


class Workspace:
    """A folder of artifacts.

    Parameters
    ----------
    root : Path
        Made on first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root).expanduser().resolve()

    @classmethod
    def default(cls) -> "Workspace":
        """Return the workspace of ``FNPRUNE_WORKSPACE``, or the one in the user's data folder."""
        configured = os.environ.get("FNPRUNE_WORKSPACE")
        return cls(Path(configured) if configured else Path(platformdirs.user_data_dir("fnprune")))

    def folder(self, kind: str, id: str) -> Path:
        """Return the path of an artifact, whether or not it exists."""
        if kind not in KINDS:
            raise StorageError(f"{kind!r} is no kind of artifact.", hint=f"Use one of {KINDS}.")
        if not _is_id(id):
            raise ArtifactNotFoundError(
                f"{id!r} is not an artifact id.", hint="`fnprune workspace list` shows the ids."
            )
        return self.root / kind / id

    def has(self, kind: str, id: str) -> bool:
        """Whether a whole artifact is there."""
        return _is_id(id) and (self.folder(kind, id) / MANIFEST).is_file()

    def existing(self, kind: str, id: str) -> Path:
        """Return the folder of a whole artifact.

        `id` may be an unambiguous beginning, or ``"latest"``.
        """
        if id == LATEST:
            return self._latest(kind)
        if self.has(kind, id):
            return self.folder(kind, id)
        matches = [full_id for full_id in self.ids(kind) if full_id.startswith(id)] if id else []
        if len(matches) == 1:
            return self.folder(kind, matches[0])
        if len(matches) > 1:
            raise ArtifactNotFoundError(
                f"{id!r} begins the ids {', '.join(matches)} in {kind}.", hint="Give more of it."
            )
        raise ArtifactNotFoundError(
            f"There is no {kind[:-1]} {id!r} in {self.root}.",
            hint="`fnprune workspace list` shows what there is.",
        )

    def _latest(self, kind: str) -> Path:
        folders = [self.folder(kind, id) for id in self.ids(kind)]
        if not folders:
            raise ArtifactNotFoundError(
                f"There are no {kind} in {self.root} yet.",
                hint="Make one first; `fnprune --help` shows the steps.",
            )
        return max(folders, key=lambda folder: (folder / MANIFEST).stat().st_mtime_ns)

    def ids(self, kind: str) -> list[str]:
        """Return the ids of all whole artifacts of a kind."""
        parent = self.root / kind
        if not parent.is_dir():
            return []
        return sorted(
            path.name
            for path in parent.iterdir()
            if not path.name.startswith(".") and (path / MANIFEST).is_file()
        )

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Return the whole artifacts, newest first; unreadable ones are left out."""
        entries = []
        for entry_kind in (kind,) if kind else KINDS:
            for id in self.ids(entry_kind):
                folder = self.folder(entry_kind, id)
                try:
                    manifest = read_manifest(folder)
                except StorageError:
                    continue
                entries.append(
                    Entry(
                        kind=entry_kind,
                        id=id,
                        path=folder,
                        created=str(manifest.get("created", "")),
                        size_bytes=folder_size(folder),
                        manifest=manifest,
                    )
                )
        return sorted(entries, key=lambda entry: entry.created, reverse=True)

    def delete(self, kind: str, id: str) -> None:
        """Remove an artifact: renamed away first, so that it is never half there."""
        folder = self.existing(kind, id)
        deleted = folder.with_name(f"{_UNFINISHED}deleted-{uuid.uuid4().hex[:8]}")
        with storage_errors(folder):
            folder.rename(deleted)
            shutil.rmtree(deleted)

    def size_bytes(self) -> int:
        """Return the bytes of everything in the workspace, unfinished work included."""
        return folder_size(self.root) if self.root.is_dir() else 0

    def unfinished(self) -> list[Path]:
        """Return the folders of work that was stopped in the middle."""
        return sorted(
            path
            for kind in KINDS
            if (self.root / kind).is_dir()
            for path in (self.root / kind).glob(f"{_UNFINISHED}*")
        )

    def discard_unfinished(self) -> int:
        """Delete the folders of stopped work, not of running work; return how many."""
        folders = [folder for folder in self.unfinished() if not _is_in_use(folder)]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return len(folders)

    def resumable_folder(self, kind: str, id: str) -> Path:
        """Return the fixed place where an artifact that can be resumed is being made."""
        return self.folder(kind, id).with_name(f"{_UNFINISHED}{id}-resumable")
