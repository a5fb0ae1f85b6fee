"""A workspace: a folder of artifacts, found again by the hash of their inputs.

An artifact is one folder ``<root>/<kind>/<id>`` with ``manifest.json``; it appears by a single
rename when whole.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fnprune_core.errors import ArtifactNotFoundError, FnpruneError, StorageError
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.storage.checksums import MANIFEST, damages, is_sealed, seal
from fnprune_core.storage.folders import (
    RESUMABLE,
    UNFINISHED,
    default_root,
    delete_folder,
    folder_size,
    is_in_use,
    leftovers,
)
from fnprune_core.storage.manifests import KINDS, read_manifest

LATEST = "latest"
#: Folder of pictures that a program drew of decompositions, a folder each; no artifacts.
PICTURES = "pictures"
_MOST_ID = 120  # with what is put around it, a name that every file system bears


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A folder that should be an artifact, and why it cannot be read."""

    kind: str
    id: str
    path: Path
    reason: str
    hint: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What reading all bytes of an artifact found.

    Parameters
    ----------
    has_checksums : bool
        Whether it could be checked: earlier versions wrote none.
    problems : tuple of str
        What is wrong, in sentences; empty if nothing is, or nothing could be checked.
    """

    kind: str
    id: str
    has_checksums: bool
    problems: tuple[str, ...]
    size_bytes: int

    @property
    def standing(self) -> str:
        """``sound``, ``damaged`` or ``unchecked``."""
        if self.problems:
            return "damaged"
        return "sound" if self.has_checksums else "unchecked"


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
            for folder in self._folders(each_kind):
                try:
                    entries.append(_entry(each_kind, folder))
                except FnpruneError as error:
                    if folder.is_dir():  # else it was deleted meanwhile
                        damaged.append(_damaged(each_kind, folder, error))
        return sorted(entries, key=lambda entry: entry.created, reverse=True), damaged

    def _folders(self, kind: str) -> list[Path]:
        """Return the folders of a kind that are, or should be, artifacts."""
        parent = self.root / kind
        if not parent.is_dir():
            return []
        return sorted(
            path for path in parent.iterdir() if _is_id(path.name) and _holds_something(path)
        )

    def verify(self, *, progress: Progress = ignore, cancel: CancelToken = NEVER) -> list[Verified]:
        """Read every byte of every artifact, and return what is wrong with each, if anything."""
        folders = [(kind, folder) for kind in KINDS for folder in self._folders(kind)]
        verified = []
        for done, (kind, folder) in enumerate(folders):
            cancel.raise_if_cancelled()
            progress(ProgressEvent(stage="verifying", done=done, total=len(folders), unit="items"))
            verified.append(_verified(kind, folder))
        return verified

    def adopt(self) -> list[tuple[str, str]]:
        """Give checksums to the artifacts that have none; return kind and id of each.

        What an earlier version wrote is taken as it stands: what changed before is not found.
        """
        adopted = []
        for entry in self.entries():
            if not is_sealed(entry.manifest):
                seal(entry.path)
                adopted.append((entry.kind, entry.id))
        return adopted

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
        """Delete the folders of stopped work; return them. What was stopped then starts anew."""
        folders = self.unfinished()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return folders

    def resumable_folder(self, kind: str, id: str) -> Path:
        """Return the fixed place where an artifact that can be resumed is being made."""
        return self.folder(kind, id).with_name(f"{UNFINISHED}{id}{RESUMABLE}")


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and folder_size(folder) > 0


def _entry(kind: str, folder: Path) -> Entry:
    manifest = read_manifest(folder)
    return Entry(
        kind=kind,
        id=folder.name,
        path=folder,
        created=str(manifest["created"]),
        size_bytes=folder_size(folder),
        manifest=manifest,
    )


def _verified(kind: str, folder: Path) -> Verified:
    problems: tuple[str, ...]
    try:
        manifest = read_manifest(folder)
    except FnpruneError as error:
        problems, has_checksums = (str(error),), True
    else:
        problems, has_checksums = tuple(damages(folder, manifest)), is_sealed(manifest)
    return Verified(
        kind=kind,
        id=folder.name,
        has_checksums=has_checksums,
        problems=problems,
        size_bytes=folder_size(folder),
    )


def _damaged(kind: str, folder: Path, error: FnpruneError) -> Damaged:
    is_lost = isinstance(error, ArtifactNotFoundError)
    return Damaged(
        kind=kind,
        id=folder.name,
        path=folder,
        reason=f"{folder} has no manifest." if is_lost else error.message,
        hint="Bring its manifest.json back from a copy, or delete it and make it again."
        if is_lost
        else error.hint,
        size_bytes=folder_size(folder),
    )
