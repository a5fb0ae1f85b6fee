"""Reach of a browser: which paths it may name, how long its texts may be. No streamlit here.

The one place where a text of a browser becomes a path.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from app.doors.settings import MAX_READ, MAX_TEXT, ROOTS, DoorSettings
from app.doors.uploads import VisitFolder
from fnprune_core.errors import FnpruneError, StorageError, TextError
from fnprune_core.storage.folders import folder_size
from fnprune_core.storage.workspace import Workspace


class PathRefusedError(FnpruneError):
    """A path from a browser leads out of the folders that it may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a browser may name and send.

    Parameters
    ----------
    workspace : Path
        Of which only the folder of exports may be written.
    roots : tuple of Path or None
        Folders below which files may be read and written; None for all of the machine.
    readable : tuple of Path
        Folders below which files may be read as well.
    uploads : Path
        Folder of what all visits have uploaded.
    visit : VisitFolder or None
        The one folder below it that may be read; no message names it.
    text_chars, read_bytes : int
        As in `Limits`.
    """

    workspace: Path
    roots: tuple[Path, ...] | None
    readable: tuple[Path, ...]
    uploads: Path
    visit: VisitFolder | None
    text_chars: int
    read_bytes: int

    @property
    def exports(self) -> Path:
        """Folder in the workspace that exports are written to."""
        return self.workspace / "exports"

    def to_read(self, text: str) -> Path:
        """Return the path of a text from a browser, with links resolved, that may be read.

        Raises
        ------
        PathRefusedError
            If it, or a link below it, leads out of the roots; not told is what is there.
        TextError
            If it holds more bytes than may be read at once.
        """
        path = _resolved(text)
        if self.roots is None:
            return path
        if self.visit is not None and _is_below(path, self.visit.path):
            return path
        allowed = (self.workspace, *self.readable, *self.roots)
        self._check(path, allowed, text)
        for found in _files_and_links(path):
            self._check(_resolved(str(found)), allowed, text)
            if _has_other_names(found) and not _is_below(found, self.workspace):
                raise PathRefusedError(
                    f"{found.name!r} has a second name on this machine (a hard link), which may "
                    "be outside of the folders that this server opens to its visitors.",
                    hint="Put a copy there.",
                )
        return path

    def _check(self, path: Path, allowed: tuple[Path, ...], text: str) -> None:
        """Raise an error unless a path is in a folder that is allowed, and no visit's uploads."""
        is_uploaded = _is_below(path, self.uploads) or _is_below(self.uploads, path)
        if is_uploaded or not any(_is_below(path, root) for root in allowed):
            raise _refused(text, allowed)

    def unnamed(self, error: FnpruneError) -> FnpruneError:
        """Return an error whose words name uploaded files without their folder."""
        if self.visit is not None:
            error.message, error.hint = self.spelled(error.message), self.spelled(error.hint)
        return error

    def spelled(self, source: str) -> str:
        """Return a source as a person names it: of an uploaded file the name alone."""
        return source if self.visit is None else self.visit.unnamed(source)

    def texts_to_read(self, text: str) -> Path:
        """Return the path of texts that may be read, and are not too long for that."""
        path = self.to_read(text)
        n_bytes = folder_size(path) if path.is_dir() else _size(path)
        if n_bytes > self.read_bytes:
            raise TextError(
                f"{self.spelled(text)} holds {n_bytes / 1e6:,.0f} MB, and this server reads at "
                f"most {self.read_bytes / 1e6:,.0f} MB of texts at once.",
                hint=f"Give fewer files, or set {MAX_READ} (--max-read-mb) higher.",
            )
        return path

    def to_write(self, text: str) -> Path:
        """Return the path of a text from a browser, with links resolved, that may be written.

        In the workspace that is its folder of exports alone, so that no artifact is overwritten.

        Raises
        ------
        PathRefusedError
            If it leads elsewhere.
        """
        path = _resolved(text)
        if self.roots is None:
            return path
        allowed = (self.exports, *self.roots)
        self._check(path, allowed, text)
        is_ours = _is_below(path, self.workspace) and not _is_below(path, self.exports)
        if is_ours or path in allowed:
            raise _refused(text, allowed)
        return path

    def model(self, source: str) -> str:
        """Return the source of a model; one that is a path must lead to what may be read."""
        from fnprune_core.models.sources.locate import with_options

        plain, _ = with_options(source)
        if self.roots is not None and _may_be_path(plain):
            self.to_read(plain)
        return source

    def check_texts(self, value: Any) -> None:
        """Raise `TextError` if a text anywhere in JSON values is longer than one may type."""
        if isinstance(value, str):
            if len(value) > self.text_chars:
                raise TextError(
                    f"This text has {len(value):,} characters, and this server takes at most "
                    f"{self.text_chars:,}.",
                    hint=f"Shorten it, or set {MAX_TEXT} (--max-text-chars) higher.",
                )
        elif isinstance(value, Mapping):
            for each in value.values():
                self.check_texts(each)
        elif isinstance(value, list | tuple):
            for each in value:
                self.check_texts(each)


def reach_of(
    door: DoorSettings, workspace: Workspace, *, uploads: Path, visit: VisitFolder | None = None
) -> Reach:
    """Return what the browsers of a server may name, or one visit.

    On a server for this machine alone, everything is its person's own. On any other: the
    workspace, the data folder, and the folders that it was given.
    """
    data = Path(platformdirs.user_data_dir("fnprune"))
    return Reach(
        workspace=workspace.root,
        roots=None if door.is_private else door.roots,
        readable=(data.resolve(),),
        uploads=uploads.resolve(),
        visit=visit,
        text_chars=door.limits.text_chars,
        read_bytes=door.limits.read_bytes,
    )


def _may_be_path(source: str) -> bool:
    """Whether a source of a model can mean a path here; an id of the hub is owner/name@revision."""
    id = source.partition("@")[0]  # what follows is a revision, as refs/pr/1
    looks_so = source.startswith((".", "/", "~")) or id.count("/") > 1 or "\\" in source
    return looks_so or os.path.lexists(Path(source).expanduser())


def _resolved(text: str) -> Path:
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, no home, a null byte
        raise PathRefusedError(
            f"{text!r} is no path that can be followed.", hint="Check it for a slip of the pen."
        ) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # whoever reads it says what is wrong
        return 0


def _is_below(path: Path, root: Path) -> bool:
    return path == root or root in path.parents


def _refused(text: str, allowed: tuple[Path, ...]) -> PathRefusedError:
    return PathRefusedError(
        f"{text!r} is outside of the folders that this server opens to its visitors.",
        hint=f"Use one below {', '.join(map(str, allowed))}. Who runs the server can name others "
        f"with --allow-root or {ROOTS}.",
    )


def _files_and_links(path: Path) -> Iterator[Path]:
    """Yield a file, or the files and links in a folder: whoever reads it follows them."""
    if not path.is_dir():
        yield path
        return
    for parent, folders, names in os.walk(path, onerror=_unreadable):
        yield from (Path(parent, name) for name in names)
        yield from (p for name in folders if (p := Path(parent, name)).is_symlink())


def _has_other_names(path: Path) -> bool:
    """Whether a file has a hard link: one of its names may lie anywhere on the disk."""
    try:
        found = path.stat()
    except OSError:  # whoever reads it says what is wrong
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 1


def _unreadable(error: OSError) -> None:
    raise StorageError(
        f"{error.filename} cannot be read: {error.strerror}.", hint="Check its permissions."
    ) from error
