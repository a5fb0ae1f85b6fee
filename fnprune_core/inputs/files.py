"""Paths and bytes that people give, with an error for each way they can be wrong."""

import codecs
import errno
import os
import stat
import unicodedata
from collections.abc import Callable
from pathlib import Path

from fnprune_core.errors import FnpruneError, SettingsError

MEGABYTE = 1_000_000
_BLOCK_BYTES = 1 << 20
_MOST_SHOWN = 200
MOST_NAME_BYTES = 255


def path_of(text: str | Path) -> Path:
    """Return a path that a person gave, with ``~`` spelled out.

    Raises
    ------
    SettingsError
        If no file can have this name: it is too long, holds a zero byte, or its ``~name`` is no
        user here.
    """
    try:
        path = Path(text).expanduser()
        path.exists()  # a name that is too long is told here, once
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(
            f"{shortened(str(text))!r} is no path that can be looked at: {reason}.",
            hint="Check the path for a slip of the pen.",
        ) from error
    return path


def file_name(text: str) -> str:
    """Return the name that a person's browser gave a file, if it names a file and no place.

    Raises
    ------
    SettingsError
        If it holds a slash, a backslash, a zero byte or another control character, is empty or
        only dots, or has over 255 bytes, which no file system takes.
    """
    n_bytes = len(text.encode("utf-8", "replace"))
    if n_bytes > MOST_NAME_BYTES:
        reason = f"has {n_bytes:,} bytes, at most {MOST_NAME_BYTES} make a name"
    elif not text.strip(". "):
        reason = "names no file"
    elif any(c in "/\\" or unicodedata.category(c) in ("Cc", "Cs") for c in text):
        reason = "holds a slash or a control character"
    else:
        return text
    raise SettingsError(
        f"The file's name {shortened(text)!r} {reason}.", hint="Rename the file and try again."
    )


def printable(text: str) -> str:
    """Return text without lone surrogates, which a file's name may hold and no encoding bears."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def shortened(text: str) -> str:
    """Return text for a message: its beginning, if it is long."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def read_bytes(path: Path, *, most: int, error: Callable[..., FnpruneError]) -> bytes:
    """Return the content of a file of at most `most` bytes.

    Parameters
    ----------
    error : type of FnpruneError
        What is raised if it is larger, missing, no plain file, or may not be read.
    """
    check_size(path, most=most, error=error)
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as cause:
        raise error(
            f"{path} cannot be read: {cause.strerror}.", hint="Check its permissions."
        ) from cause
    if len(content) > most:  # it grew, or its size was not known
        raise _too_large(path, len(content), most, error)
    return content


def plain_bytes(path: Path) -> bytes:
    """Return the content of a plain file.

    Raises
    ------
    OSError
        Also of a folder, a pipe or a device: reading a pipe would wait for ever.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file", str(path))
        return file.read()


def check_size(path: Path, *, most: int, error: Callable[..., FnpruneError]) -> int:
    """Return the bytes of a plain file, refusing more than `most` before anything is read."""
    try:
        n_bytes = path.stat().st_size
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else cause
        raise error(
            f"{shortened(str(path))} cannot be read: {reason}.", hint="Check the path."
        ) from cause
    if not path.is_file():
        raise error(f"{path} is no plain file.", hint="Give a file.")
    if n_bytes > most:
        raise _too_large(path, n_bytes, most, error)
    return n_bytes


def _too_large(
    path: Path, n_bytes: int, most: int, error: Callable[..., FnpruneError]
) -> FnpruneError:
    return error(
        f"{path} has {n_bytes / MEGABYTE:,.1f} MB; at most {most / MEGABYTE:,.0f} MB are read.",
        hint="Is it the right file? If so, give a part of it.",
    )


def text_fault(path: Path) -> str:
    """Return why a file is no text in UTF-8, with the place; empty if it is.

    Reads it by blocks of 1 MB.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    n_read = 0
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK_BYTES)
            pending = len(decoder.getstate()[0])
            zero = block.find(b"\0")
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return f"byte {n_read - pending + error.start} is not UTF-8"
            if zero >= 0:
                return f"byte {n_read + zero} is zero"
            if not block:
                return ""
            n_read += len(block)


def decoded(content: bytes, *, what: str, error: Callable[..., FnpruneError]) -> str:
    """Return bytes as text in UTF-8 without a byte-order mark, or raise `error` with the place."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = content.count(b"\n", 0, cause.start) + 1
        raise error(
            f"{what} is not text in UTF-8: byte {cause.start}, in line {line}, cannot be read.",
            hint="Save it as UTF-8.",
        ) from cause
    place = text.find("\0")
    if place >= 0:
        line = text.count("\n", 0, place) + 1
        raise error(
            f"{what} is not text in UTF-8: line {line} holds a zero byte.",
            hint="Give a plain text file.",
        )
    return text
