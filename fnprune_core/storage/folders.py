"""Folders that appear whole or not at all, and the errors of a disk in words."""

import errno
import fcntl
import glob
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import platformdirs
from safetensors import SafetensorError

from fnprune_core.errors import FnpruneError, SettingsError, StorageError
from fnprune_core.storage.checksums import MANIFEST, seal
from fnprune_core.storage.json_files import read_json
from fnprune_core.storage.manifests import KINDS, read_manifest

MAX_WORKSPACE = "FNPRUNE_MAX_WORKSPACE_GB"
UNFINISHED = ".unfinished-"
RESUMABLE = "-resumable"
_LOCK = ".lock"
_LOOK_S = 0.2  # until a lock that somebody only looks at is free again
_NUMBERED = re.compile(re.escape(UNFINISHED) + r".*-[0-9a-f]{8}")
_NEW_S = 60.0


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
        if error_number == errno.EFBIG:
            raise StorageError(
                f"{path} is larger than a file may be here; nothing was changed.",
                hint="Raise the limit (`ulimit -f`), or choose a folder on another disk.",
            ) from error
        if error_number in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP):
            raise StorageError(
                f"{path} cannot be written: a file, or a link to itself, is where a folder is "
                "needed.",
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


@contextmanager
def new_folder(target: Path, *, keeps_existing: bool = True) -> Iterator[Path]:
    """Yield a temporary sibling of `target` that becomes `target` when the block ends well.

    On an error or a stop in the middle, `target` stays as it was. What a killed process left
    behind of the same target goes first; in a workspace, what it left of the same kind.

    Parameters
    ----------
    keeps_existing : bool
        Whether a target that appears in the meantime is kept, and this one dropped without a
        word: same inputs, same content. Otherwise one process writes at a time, and a second
        one raises `StorageError`.
    """
    with storage_errors(target), ExitStack() as held:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not keeps_existing:
            held.enter_context(_only_writer(target))
        discard_leftovers(target.parent, "" if target.parent.name in KINDS else target.name)
        temporary = target.parent / f"{UNFINISHED}{target.name}-{uuid.uuid4().hex[:8]}"
        temporary.mkdir()
        try:
            with exclusive(temporary, what=target.name):
                yield temporary
                publish(temporary, target, keeps_existing=keeps_existing)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def publish(
    temporary: Path,
    target: Path,
    *,
    keeps_existing: bool = True,
    sums: Mapping[str, dict[str, Any]] | None = None,
) -> None:
    """Make a finished temporary folder appear as `target`, by one rename after a sync.

    A manifest in it gets the checksums of all files.

    Parameters
    ----------
    sums : mapping, optional
        Checksums of large files, by name, that were taken as they were written.
    """
    if (temporary / MANIFEST).is_file():
        is_artifact = target.parent.name in KINDS
        facts = {"id": target.name, "created": _created(temporary, target)} if is_artifact else {}
        seal(temporary, sums, facts=facts)
    for path in temporary.rglob("*"):
        if path.is_file():
            sync(path)
    sync(temporary)
    if (temporary / MANIFEST).is_file() and target.is_dir() and not (target / MANIFEST).is_file():
        delete_folder(target)  # no artifact: its manifest was lost
    try:
        temporary.rename(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        if not keeps_existing:
            raise StorageError(
                f"{target} was filled by something else in the meantime; nothing was written.",
                hint="Name another folder.",
            ) from error
        # Another process was faster; its artifact of the same inputs stays.
        shutil.rmtree(temporary, ignore_errors=True)
        return
    (target / _LOCK).unlink(missing_ok=True)
    sync(target.parent)


def _created(temporary: Path, target: Path) -> str:
    """Return when an artifact was made: by the clock, but after all others of its kind.

    Where a clock was set back, others have later times, and the newest would not be the latest.
    """
    made = [_time_of(read_json(temporary / MANIFEST))]
    for path in target.parent.glob(f"[!.]*/{MANIFEST}"):
        with suppress(FnpruneError):  # listed apart, by the reason
            made.append(_time_of(read_manifest(path.parent)) + timedelta(milliseconds=1))
    return max(made).isoformat(timespec="milliseconds")


def _time_of(manifest: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(manifest["created"])


def delete_folder(folder: Path) -> None:
    """Delete a folder: renamed away first, so that it is never half there.

    Of a link the link alone goes.
    """
    deleted = folder.with_name(f"{UNFINISHED}deleted-{uuid.uuid4().hex[:8]}")
    with storage_errors(folder):
        try:
            folder.rename(deleted)
        except FileNotFoundError:
            return  # another was faster
        if deleted.is_symlink():
            deleted.unlink(missing_ok=True)
        else:
            shutil.rmtree(deleted, onerror=_unless_gone)


def _unless_gone(function: object, path: str, info: Any) -> None:
    """Raise what `shutil.rmtree` met, unless another process was faster."""
    if not isinstance(info[1], FileNotFoundError):
        raise info[1]


def leftovers(parent: Path, name: str = "") -> list[Path]:
    """Return the unfinished folders in `parent` that no running process writes, sorted.

    Those from which stopped work goes on are not among them.

    Parameters
    ----------
    name : str
        Only those of this target; all if empty.
    """
    found = parent.glob(f"{UNFINISHED}{glob.escape(name)}*") if parent.is_dir() else ()
    return sorted(path for path in found if _NUMBERED.fullmatch(path.name) and _is_left(path))


def _is_left(folder: Path) -> bool:
    try:
        # Until its maker holds the lock, and so has written into it, a folder is only new.
        if (folder / _LOCK).is_file() and (folder / _LOCK).stat().st_size > 0:
            return not is_in_use(folder)
        # A clock that was set back leaves folders of later times.
        age = abs(time.time() - folder.stat().st_mtime)
        return age > _NEW_S or "-deleted-" in folder.name
    except OSError:  # finished or deleted by another in the meantime, or not ours to look into
        return False


def discard_leftovers(parent: Path, name: str = "") -> list[Path]:
    """Delete what `leftovers` returns; return it."""
    folders = leftovers(parent, name)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return folders


@contextmanager
def _only_writer(target: Path) -> Iterator[None]:
    """Hold a lock beside `target`, under its name, that a crash releases."""
    path = target.with_name(f".{target.name}.lock")
    while True:
        with lock_file(path) as file:
            take_lock(
                file,
                f"{target} is being written by another process right now.",
                hint="Wait for it to finish, or name another folder.",
            )
            if not _is_file_at(file.fileno(), path):
                continue  # its holder has just finished, and removed the file that was opened
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_file_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def exclusive(folder: Path, *, what: str) -> Iterator[None]:
    """Hold a lock on `folder` that other processes respect and that a crash releases."""
    with storage_errors(folder):
        file = lock_file(folder / _LOCK)
    with file:
        take_lock(
            file,
            f"{what} is being made by another process right now.",
            hint="Wait for it to finish; the result is then found at once.",
        )
        with storage_errors(folder):  # past the buffer, which would be written again on closing
            file.truncate(0)
            os.pwrite(file.fileno(), f"{os.getpid()}\n".encode(), 0)
        yield


def lock_file(path: Path) -> IO[str]:
    """Open the file of a lock, which is made if need be; a pipe there does not halt it."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666), "w")


def take_lock(file: IO[str], held_text: str, *, hint: str, wait_s: float = _LOOK_S) -> None:
    """Take the lock of an open file, or raise `StorageError` where another process keeps it.

    Who only looks whether it is held, as `is_in_use` does, has it for a moment: that is waited for.
    """
    end = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise StorageError(held_text, hint=hint) from error
            time.sleep(_LOOK_S / 20)


def is_in_use(folder: Path) -> bool:
    """Whether a running process holds the lock on `folder`."""
    try:
        with (folder / _LOCK).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # another user's may be held
        return True
    except OSError:
        pass  # never locked, gone in the meantime, or no file that can be locked
    return False


def default_root() -> Path:
    """Return the folder of ``FNPRUNE_WORKSPACE``, or the one in the user's data folder."""
    configured = os.environ.get("FNPRUNE_WORKSPACE")
    root = Path(configured) if configured else Path(platformdirs.user_data_dir("fnprune"))
    return root.expanduser().resolve()


def workspace_limit(variables: Mapping[str, str]) -> int:
    """Return the most bytes that the workspace may hold, as the environment sets it; 0 for all."""
    text = variables.get(MAX_WORKSPACE, "").strip()
    try:
        gigabytes = float(text or "0")
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < 1e9:
        raise SettingsError(
            f"{MAX_WORKSPACE} is {text!r}, expected gigabytes.", hint="0 is for no limit."
        )
    return int(gigabytes * 1e9)


def _check_limit(folder: Path, needed_bytes: int) -> None:
    limit = workspace_limit(os.environ)
    root = default_root()
    if not limit or (folder != root and root not in folder.parents):
        return
    used = folder_size(root)
    if used + needed_bytes > limit:
        raise StorageError(
            f"The workspace may hold {_size_text(limit)} and holds {_size_text(used)}; this needs "
            f"{_size_text(needed_bytes)} more.",
            hint=f"Delete what is no longer needed, or set {MAX_WORKSPACE} higher.",
        )


def check_free_space(folder: Path, needed_bytes: int) -> None:
    """Raise `StorageError` if `needed_bytes` do not fit where `folder` is or will be.

    On the disk, and in the workspace where its size is limited.
    """
    _check_limit(folder, needed_bytes)
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
    """Return the bytes of all files below `folder`; what cannot be looked at counts as 0."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # gone meanwhile, a link to itself, of another user
                total += Path(parent, name).stat().st_size
    return total
