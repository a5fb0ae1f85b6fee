"""A workspace: a folder of artifacts, found again by the hash of their inputs.

An artifact is one folder ``<root>/<kind>/<id>`` with ``manifest.json``; it appears by a single
rename when whole.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fnprune_core.errors import (
    ArtifactNotFoundError,
    CorruptArtifactError,
    FnpruneError,
    StorageError,
)
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.storage.checksums import MANIFEST, damages
from fnprune_core.storage.folders import (
    RESUMABLE,
    UNFINISHED,
    default_root,
    delete_folder,
    folder_size,
    is_in_use,
    leftovers,
)
from fnprune_core.storage.json_files import read_checked_json, unreadable
from fnprune_core.storage.manifests import KINDS, read_manifest

LATEST = "latest"
EXPORTS = "exports"
#: In an exported model's folder: what was exported, with the checksums of all files.
EXPORT_RECORD = "fnprune.json"
#: Folder of pictures that a program drew of decompositions, a folder each; no artifacts.
PICTURES = "pictures"
_MOST_ID = 120  # with what is put around it, a name that every file system bears


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _MOST_ID and all(c.isalnum() or c in "-_" for c in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """An item by its kind and id, and what it takes of the disk."""

    kind: str
    id: str
    size_bytes: int

    @property
    def title(self) -> str:
        """The kind and the id, as a list shows them."""
        return f"{self.kind[:-1].capitalize()} {self.id}" if self.id else f"Folder {self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(_Item):
    """One whole artifact of a workspace, or a model that was exported into it."""

    path: Path
    created: str
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged(_Item):
    """A folder that should be an artifact, and why it cannot be read.

    The `id` is empty where the folder of a whole kind cannot be read.
    """

    path: Path
    reason: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(_Item):
    """What reading all bytes of an artifact found.

    Parameters
    ----------
    problems : tuple of str
        What is wrong, in sentences; empty if nothing is.
    """

    problems: tuple[str, ...]

    @property
    def standing(self) -> str:
        """``sound`` or ``damaged``."""
        return "damaged" if self.problems else "sound"


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
        return cls(default_root())

    def folder(self, kind: str, id: str) -> Path:
        """Return the path of an artifact, whether or not it exists."""
        if kind not in KINDS:
            raise StorageError(f"{kind!r} is no kind of artifact.", hint=f"Use one of {KINDS}.")
        if not _is_id(id):
            raise ArtifactNotFoundError(
                f"{id!r} is not an artifact id.", hint="`fnprune workspace list` shows the ids."
            )
        return self.root / kind / id

    def beside(self, folder: str | Path, kind: str, id: str) -> Path:
        """Return the path of what is kept of an artifact beside it, in a folder of its own.

        Names and notes outlive the artifact: made again, it has the same id and finds them.
        """
        return self.root / folder / f"{self.folder(kind, id).name}.json"

    def has(self, kind: str, id: str) -> bool:
        """Whether a whole artifact is there."""
        return _is_id(id) and _is_file(self.folder(kind, id) / MANIFEST)

    def existing(self, kind: str, id: str) -> Path:
        """Return the folder of a whole artifact.

        `id` may be an unambiguous beginning, or ``"latest"``: the one that was made last, of
        those that can be read.
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
        entries, damaged = self.contents(kind)
        if entries:
            return entries[0].path
        if damaged:
            raise CorruptArtifactError(damaged[0].reason, hint=damaged[0].hint)
        raise ArtifactNotFoundError(
            f"There are no {kind} in {self.root} yet.",
            hint="Make one first; `fnprune --help` shows the steps.",
        )

    def ids(self, kind: str) -> list[str]:
        """Return the ids of all whole artifacts of a kind."""
        with suppress(OSError):  # not there, or not to be read: `damaged` says why
            return sorted(
                path.name
                for path in (self.root / kind).iterdir()
                if not path.name.startswith(".") and _is_file(path / MANIFEST)
            )
        return []

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Return the whole artifacts, newest first; `contents` has the damaged ones too."""
        return self.contents(kind)[0]

    def damaged(self, kind: str | None = None) -> list[Damaged]:
        """Return the folders that should be artifacts and cannot be read, each with the reason."""
        return self.contents(kind)[1]

    def contents(self, kind: str | None = None) -> tuple[list[Entry], list[Damaged]]:
        """Return the whole artifacts, newest first, and those that cannot be read.

        Only manifests are read; `verify` reads all bytes.
        """
        entries, damaged = [], []
        for each_kind in (kind,) if kind else KINDS:
            try:
                folders = self._folders(each_kind)
            except FnpruneError as error:
                damaged.append(_damaged(each_kind, self.root / each_kind, error, id=""))
                continue
            for folder in folders:
                try:
                    entries.append(_entry(each_kind, folder))
                except FnpruneError as error:
                    if not _is_gone(folder):  # deleted meanwhile
                        damaged.append(_damaged(each_kind, folder, error))
        entries.sort(key=lambda entry: datetime.fromisoformat(entry.created), reverse=True)
        return entries, damaged

    def _folders(self, kind: str) -> list[Path]:
        """Return the folders of a kind that are, or should be, artifacts.

        Among exports these are models; other files there were written out for other programs.
        """
        parent = self.root / kind
        try:
            paths = sorted(path for path in parent.iterdir() if _is_id(path.name))
        except OSError as error:
            if _is_gone(parent):
                return []
            raise unreadable(parent, error) from error
        if kind == EXPORTS:
            return [path for path in paths if _is_file(path / MANIFEST) or _is_export(path)]
        return [path for path in paths if _holds_something(path) and not _is_export(path)]

    def verify(self, *, progress: Progress = ignore, cancel: CancelToken = NEVER) -> list[Verified]:
        """Read every byte of every artifact, and return what is wrong with each, if anything."""
        entries, damaged = self.contents()
        verified = [
            Verified(
                kind=item.kind,
                id=item.id,
                problems=(item.reason,),
                size_bytes=item.size_bytes,
            )
            for item in damaged
        ]
        for done, entry in enumerate(entries):
            cancel.raise_if_cancelled()
            progress(ProgressEvent(stage="verifying", done=done, total=len(entries), unit="items"))
            verified.append(_verified(entry))
        return sorted(verified, key=lambda item: (KINDS.index(item.kind), item.id))

    def delete(self, kind: str, id: str) -> None:
        """Remove an artifact, whole or damaged, at once."""
        is_there = id != LATEST and _is_id(id) and _holds_something(self.folder(kind, id))
        folder = self.folder(kind, id) if is_there else self.existing(kind, id)
        delete_folder(folder)
        if kind == "decompositions":
            shutil.rmtree(self.root / PICTURES / folder.name, ignore_errors=True)

    def size_bytes(self) -> int:
        """Return the bytes of everything in the workspace, unfinished work included."""
        return folder_size(self.root) if self.root.is_dir() else 0

    def unfinished(self) -> list[Path]:
        """Return the folders of stopped work, not of running work, sorted by kind."""
        return [path for kind in KINDS for path in self._unfinished(self.root / kind)]

    @staticmethod
    def _unfinished(parent: Path) -> list[Path]:
        resumable = parent.glob(f"{UNFINISHED}*{RESUMABLE}") if parent.is_dir() else ()
        return [*leftovers(parent), *sorted(path for path in resumable if not is_in_use(path))]

    def discard_unfinished(self) -> list[Path]:
        """Delete the folders of stopped work; return those that are gone.

        What was stopped then starts anew. A folder that may not be deleted is left.
        """
        folders = self.unfinished()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return [folder for folder in folders if _is_gone(folder)]

    def resumable_folder(self, kind: str, id: str) -> Path:
        """Return the fixed place where an artifact that can be resumed is being made."""
        return self.folder(kind, id).with_name(f"{UNFINISHED}{id}{RESUMABLE}")


def _is_file(path: Path) -> bool:
    """Whether a plain file is there, as far as one may look."""
    try:
        return path.is_file()
    except OSError:
        return False


def _is_export(folder: Path) -> bool:
    return _is_file(folder / EXPORT_RECORD) and not _is_file(folder / MANIFEST)


def _holds_something(folder: Path) -> bool:
    """Whether a path is a folder that is not empty, or one that nobody here can look into."""
    try:
        with os.scandir(folder) as items:
            return next(items, None) is not None
    except NotADirectoryError:
        return False
    except OSError:
        return not _is_gone(folder)


def _is_gone(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:  # nobody here can look
        return False
    return False


def _facts_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of an artifact, or what stands for that of an exported model."""
    if not _is_export(folder):
        return read_manifest(folder)
    path = folder / EXPORT_RECORD
    record = read_checked_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("plan"), dict):
        raise CorruptArtifactError(f"{path} is damaged.", hint="Export the model again.")
    made = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
    facts = {"kind": EXPORTS, "inputs": {}, "created": made}
    return record | facts | {"model_name": str(record["plan"].get("model_name", ""))}


def _entry(kind: str, folder: Path) -> Entry:
    manifest = _facts_of(folder)
    return Entry(
        kind=kind,
        id=folder.name,
        path=folder,
        created=str(manifest["created"]),
        size_bytes=folder_size(folder),
        manifest=manifest,
    )


def _verified(entry: Entry) -> Verified:
    return Verified(
        kind=entry.kind,
        id=entry.id,
        problems=tuple(damages(entry.path, entry.manifest)),
        size_bytes=entry.size_bytes,
    )


def _damaged(kind: str, folder: Path, error: FnpruneError, *, id: str | None = None) -> Damaged:
    is_lost = isinstance(error, ArtifactNotFoundError)
    return Damaged(
        kind=kind,
        id=folder.name if id is None else id,
        path=folder,
        reason=f"{folder} has no manifest." if is_lost else error.message,
        hint="Bring its manifest.json back from a copy, or delete it and make it again."
        if is_lost
        else error.hint,
        size_bytes=folder_size(folder),
    )
