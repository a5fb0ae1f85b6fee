"""Uploaded files: a folder per visit, which no message names and no other visit reaches."""

import hashlib
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from weakref import WeakValueDictionary

from app.doors.settings import MAX_UPLOADS
from fnprune_core.errors import StorageError
from fnprune_core.inputs.files import file_name
from fnprune_core.storage.folders import exclusive, is_in_use

_UNUSED_S = 3600.0
_PREFIX = "fnprune-uploads-"
_LEFTOVER_S = 60.0  # a folder that is just being made is not locked yet


class VisitFolder:
    """The folder of one visit's files; it stays as long as a page or a job holds this."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._named = re.compile(re.escape(str(path)) + r"(?:/[0-9a-f]{12})?/?")

    def unnamed(self, text: str) -> str:
        """Return a text that names each uploaded file by its name alone."""
        return self._named.sub("", text)


class Uploads:
    """Temporary folders in which uploaded files keep their names; gone with the server.

    A visit's folder goes an hour after its last use, unless a job still needs it.

    Parameters
    ----------
    limit_bytes : int
        Of all files together; those that were not used for an hour make room.
    clock : callable, optional
        Returns seconds; replaced in tests.
    """

    def __init__(self, *, limit_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self._open = ExitStack()
        self._open.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._open.enter_context(exclusive(self.folder, what="The folder of uploads"))
        self._limit, self._clock = limit_bytes, clock
        self._lock = threading.RLock()
        self._paths: dict[str, Path] = {}
        self._seen: dict[str, float] = {}
        self._held: WeakValueDictionary[str, VisitFolder] = WeakValueDictionary()
        self._used: dict[Path, tuple[int, float]] = {}  # bytes, and when it was used last

    def of_visit(self, visit: str) -> VisitFolder:
        """Return the folder of a visit, by a name that cannot be guessed."""
        with self._lock:
            self.expire()
            self._seen[visit] = self._clock()
            held = self._held.get(visit)
            if held is None:
                if visit not in self._paths:
                    self._paths[visit] = self.folder / secrets.token_hex(16)
                held = self._held[visit] = VisitFolder(self._paths[visit])
            return held

    def store(self, visit: str, name: str, content: bytes) -> Path:
        """Return the path of a visit's stored file; equal name and content, same path.

        Raises
        ------
        StorageError
            If there is no room for it beside what others are using, or on the disk.
        SettingsError
            If its name is none that a file can have.
        """
        digest = hashlib.sha256(content).hexdigest()[:12]
        path = self.of_visit(visit).path / digest / file_name(name)
        with self._lock:
            if path not in self._used:
                self._make_room(len(content))
                _write(path, content)
            self._used[path] = len(content), self._clock()
        return path

    def expire(self) -> None:
        """Delete the folders of visits that have ended."""
        with self._lock:
            now = self._clock()
            self._seen.update({visit: now for visit in list(self._held)})
            for visit in [v for v, seen in self._seen.items() if now - seen > _UNUSED_S]:
                folder = self._paths.pop(visit)
                del self._seen[visit]
                shutil.rmtree(folder, ignore_errors=True)
                self._used = {p: u for p, u in self._used.items() if folder not in p.parents}

    def close(self) -> None:
        """Delete everything."""
        self._open.close()

    def _make_room(self, n_bytes: int) -> None:
        before = self._clock() - _UNUSED_S
        for path, (_, used) in sorted(self._used.items(), key=lambda item: item[1][1]):
            if self._total() + n_bytes <= self._limit:
                return
            if used < before:
                path.unlink(missing_ok=True)
                del self._used[path]
        if self._total() + n_bytes > self._limit:
            raise StorageError(
                f"This file has {n_bytes / 1e6:.1f} MB, and the {self._limit / 1e6:,.0f} MB that "
                "this server keeps of uploads are in use.",
                hint=f"Try again in an hour, or set {MAX_UPLOADS} (--max-uploads-mb) higher.",
            )

    def _total(self) -> int:
        return sum(size for size, _ in self._used.values())


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none; where it was to lie is not told."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StorageError(
            f"{path.name} could not be kept here: {error.strerror}.",
            hint="Who runs the server can make room in its folder of temporary files.",
        ) from error


def sweep() -> None:
    """Delete what killed servers left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            is_old = abs(time.time() - folder.stat().st_mtime) > _LEFTOVER_S  # or of a wrong clock
        except OSError:  # another server's, gone meanwhile
            continue
        if is_old and not is_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)
