"""Checksums of an artifact's files: made when it is published, checked when a file is read.

They find what a disk, a copy or an editor changed, and are no protection against a person who
writes new checksums too. XXH3 with 64 bits (https://xxhash.com) is faster than disks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xxhash
from numpy.typing import NDArray
from safetensors import SafetensorError

from fnprune_core.errors import CorruptArtifactError, FnpruneError
from fnprune_core.storage.json_files import (
    DAMAGED_HINT,
    read_json,
    unreadable,
    write_checked_json,
)

MANIFEST = "manifest.json"
BLOCK = 4 << 20  # bytes under one checksum: little more is read than what is asked for
FILES = "files"
_NOT_LISTED = (MANIFEST, ".lock")
_Id = TypeVar("_Id")
_Content = TypeVar("_Content")


def file_sums(path: Path) -> dict[str, Any]:
    """Return the size of a file, and the checksum of each of its blocks."""
    sums = []
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            sums.append(xxhash.xxh3_64_hexdigest(block))
    return {"bytes": path.stat().st_size, "xxh3": sums}


class RunningSums:
    """The sums of a file as it is written from its start, so that it need not be read again."""

    def __init__(self) -> None:
        self._n_bytes, self._whole, self._block = 0, list[str](), xxhash.xxh3_64()

    def add(self, values: NDArray[np.generic]) -> None:
        """Count an array that was written behind what came before."""
        left = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        while len(left):
            part = left[: BLOCK - self._n_bytes % BLOCK]
            self._block.update(part.data)
            left, self._n_bytes = left[len(part) :], self._n_bytes + len(part)
            if self._n_bytes % BLOCK == 0:
                self._whole.append(self._block.hexdigest())
                self._block.reset()

    def sums(self) -> dict[str, Any]:
        """Return what `file_sums` gives of the file."""
        last = [self._block.hexdigest()] if self._n_bytes % BLOCK else []
        return {"bytes": self._n_bytes, "xxh3": [*self._whole, *last]}


def sums_below(folder: Path, known: Mapping[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the sums of all files in a folder but its manifest, by name.

    Parameters
    ----------
    known : mapping, optional
        Sums of some files, taken as they were written.
    """
    names = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _NOT_LISTED
    }
    known = known or {}
    return {name: known.get(name) or file_sums(path) for name, path in names.items()}


def seal(
    folder: Path,
    known: Mapping[str, dict[str, Any]] | None = None,
    *,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Add to the manifest of a folder the checksums of all files beside it, and its own.

    Parameters
    ----------
    facts : mapping, optional
        What the manifest then holds too.
    """
    sealed = {**read_json(folder / MANIFEST), **(facts or {}), FILES: sums_below(folder, known)}
    write_checked_json(folder / MANIFEST, sealed)


def checked(folder: Path, manifest: Mapping[str, Any], name: str) -> Path:
    """Return the path of an artifact's file, whose bytes are those that were written.

    Each file is read for this once in a process, unless it changes.

    Raises
    ------
    CorruptArtifactError
        If the file is missing, or its bytes are others.
    """
    blocks = Blocks(folder / name, manifest)
    blocks.check(0, blocks.n_bytes)
    return blocks.path


class Blocks:
    """Checks parts of a large file as they are read, each block once in a process.

    Parameters
    ----------
    path : Path
    manifest : mapping
        Of the artifact that the file belongs to.
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        self.path = path
        sums = manifest[FILES].get(path.name)
        try:
            status = path.stat()
        except FileNotFoundError as error:
            raise CorruptArtifactError(f"{path} is missing.", hint=DAMAGED_HINT) from error
        except OSError as error:
            raise unreadable(path, error) from error
        if sums is None or status.st_size != sums["bytes"]:
            expected = "none" if sums is None else f"{sums['bytes']:,}"
            raise CorruptArtifactError(
                f"{path} has {status.st_size:,} bytes, expected {expected}: it is damaged.",
                hint=DAMAGED_HINT,
            )
        self.n_bytes, self._sums = status.st_size, tuple[str, ...](sums["xxh3"])
        self._sound = _sound_blocks(str(path), status.st_ino, status.st_mtime_ns, self._sums)

    def check(self, start: int, stop: int) -> None:
        """Raise `CorruptArtifactError` unless the bytes from `start` to `stop` are as written."""
        if start >= stop:
            return
        numbers = range(start // BLOCK, (stop - 1) // BLOCK + 1)
        unread = [number for number in numbers if number not in self._sound]
        if not unread:
            return
        try:
            with self.path.open("rb") as file:
                for number in unread:
                    file.seek(number * BLOCK)
                    if xxhash.xxh3_64_hexdigest(file.read(BLOCK)) != self._sums[number]:
                        raise CorruptArtifactError(
                            f"{self.path} is damaged: byte {number * BLOCK:,} or one of the "
                            f"{BLOCK >> 20} MiB behind it is not what was written.",
                            hint=DAMAGED_HINT,
                        )
                    self._sound.add(number)
        except OSError as error:
            raise unreadable(self.path, error) from error


@lru_cache(maxsize=4096)
def _sound_blocks(path: str, inode: int, mtime_ns: int, sums: tuple[str, ...]) -> set[int]:
    """Return the blocks of a file that were found sound in this process; to be added to."""
    return set()


@contextmanager
def damage_told(folder: Path, hint: str) -> Iterator[None]:
    """Turn what reading a damaged artifact may raise into a `CorruptArtifactError`.

    Parameters
    ----------
    hint : str
        How this kind of artifact is had again.
    """
    try:
        yield
    except CorruptArtifactError as error:
        raise CorruptArtifactError(error.message, hint=hint) from error
    except _DAMAGE as error:
        raise CorruptArtifactError(
            f"{folder} is damaged, or something of it is missing.", hint=hint
        ) from error


_DAMAGE = (
    ArithmeticError, AttributeError, LookupError, NotImplementedError, OSError, RecursionError,
    SafetensorError, TypeError, ValueError,
)  # fmt: skip


def readable(
    ids: Iterable[_Id], read: Callable[[_Id], _Content]
) -> tuple[dict[_Id, _Content], list[FnpruneError]]:
    """Return what can be read of several artifacts, and why each of the others cannot be."""
    contents: dict[_Id, _Content] = {}
    errors = []
    for id in ids:
        try:
            contents[id] = read(id)
        except FnpruneError as error:
            errors.append(error)
    return contents, errors


def reasons(errors: Iterable[FnpruneError], root: Path) -> tuple[str, ...]:
    """Return the messages of errors for other people: paths begin inside the workspace."""
    return tuple(error.message.replace(f"{root}/", "") for error in errors)


def damages(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the files of an artifact, each in a sentence; read afresh."""
    found = []
    for name, sums in manifest[FILES].items():
        path = folder / name
        try:
            now = file_sums(path) if path.is_file() else None
        except OSError as error:
            found.append(f"{name} cannot be read: {error.strerror}.")
            continue
        if now is None:
            found.append(f"{name} is missing.")
        elif now != sums:
            wrong = [
                k for k, (a, b) in enumerate(zip(sums["xxh3"], now["xxh3"], strict=False)) if a != b
            ]
            where = f"from byte {wrong[0] * BLOCK:,} on" if wrong else "at its end"
            found.append(f"{name} is not what was written, {where}.")
    return found
