"""Pictures kept as files beside an atlas once they were drawn, so that a new server has them.

A server that was just started takes seconds until it can draw; what it drew before stands at once.
A folder an atlas and version, ``<workspace>/pictures/<atlas id>/<version>``: what is there can be
deleted at any time, and is drawn again, as is a file whose bytes are not those that were written:
each begins with its checksum. Nothing here opens an atlas.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import xxhash

from app.doors import early, here
from app.shell import resources
from app.shell.images.addresses import version
from fnprune_core import __version__
from fnprune_core.example.ids import find_example
from fnprune_core.inputs.files import plain_bytes
from fnprune_core.storage.json_files import replacing
from fnprune_core.storage.workspace import PICTURES

#: Of all atlases together; beyond it, what was not asked for longest goes.
MOST_BYTES = 200_000_000
#: Raised where the same atlas is drawn otherwise than before.
_DRAWN = 4
_SUM_BYTES = 16
_SKEW_NS = 60 * 10**9  # by which the clock of a disk elsewhere may be ahead
_KEY = "made for"


def is_example(id: str) -> bool:
    """Whether an atlas is the worked example's, of which more is kept: Start shows it."""
    example = find_example(resources.workspace())
    return example is not None and example.decomposition_id == id


def file(id: str, name: str, draw: Callable[[], bytes]) -> bytes:
    """Return a file of an atlas, from before if it was kept; `name` is safe as a file's name."""
    before = stored(id, name)
    if before is not None:
        return before
    early.wait()
    path, content = _folder(id) / name, draw()
    with suppress(OSError):  # a full or locked disk keeps nobody from seeing it
        _write(path, content)
    return content


def stored(id: str, name: str) -> bytes | None:
    """Return a file of an atlas from before; None if it was not kept."""
    with suppress(OSError, ValueError):
        return _read(_folder(id) / name)
    return None


def facts(id: str, name: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return JSON facts on an atlas's networks, as a page shows them at the usual threshold.

    From before if they were kept, and nothing was named or measured since.
    """
    # Of before they are found: what is named meanwhile is not in them.
    path, key = _path_of(id, name), _facts_key(id)
    before = _stored_facts(path, key)
    if before is not None:
        return before
    early.wait()
    found = find()
    with suppress(OSError):
        _write(path, json.dumps({**found, _KEY: key}).encode())
    return found


def has_facts(id: str, name: str) -> bool:
    """Whether facts on an atlas were kept and still hold, so that `facts` takes no time."""
    return _stored_facts(_path_of(id, name), _facts_key(id)) is not None


def _stored_facts(path: Path, key: str) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, KeyError):
        found: dict[str, Any] = json.loads(_read(path))
        if found.pop(_KEY) == key:
            return found
    return None


def _path_of(id: str, name: str) -> Path:
    return _folder(id) / f"{name}.json"


def _facts_key(id: str) -> str:
    measured = resources.workspace().ids("assessments")
    return f"{resources.names_key(id)} {measured} {here.base_path()}"


def _folder(id: str) -> Path:
    name = resources.workspace().folder("decompositions", id).name  # refuses what is no id
    made_with = hashlib.sha256(f"{version(id)} {__version__} {_DRAWN}".encode()).hexdigest()[:16]
    return resources.workspace().root / PICTURES / name / made_with


def _sum_of(content: bytes) -> bytes:
    return xxhash.xxh3_64_hexdigest(content).encode()


def _read(path: Path) -> bytes:
    """Return a file's content; raises ValueError if its bytes are not those that were written."""
    written = plain_bytes(path)
    content = written[_SUM_BYTES:]
    if written[:_SUM_BYTES] != _sum_of(content):
        raise ValueError(f"{path} is damaged.")
    with suppress(OSError):  # a workspace that may only be read
        os.utime(path)
    return content


def _write(path: Path, content: bytes) -> None:
    """Write a file at once; the pictures of another version are let go."""
    folder = path.parent
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    with replacing(path) as temporary:
        temporary.write_bytes(_sum_of(content) + content)
    _make_room(resources.workspace().root / PICTURES)


def _make_room(folder: Path) -> None:
    """Let go the files that were not asked for longest, until the others may stay."""
    now, files = time.time_ns(), []
    for path, stat in _files(folder):
        # A time to come is of a clock that was set back since: it says nothing.
        used = stat.st_mtime_ns if stat.st_mtime_ns < now + _SKEW_NS else 0
        files.append((used, stat.st_size, path))
    total = 0
    for _, n_bytes, path in sorted(files, reverse=True):
        total += n_bytes
        if total > MOST_BYTES:
            path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob("*/*/*"):
        with suppress(OSError):
            yield path, path.stat()
