"""Items of a workspace as Docker, sudo, copies and crashes leave them, and root without its rights.

Each makes one artifact odd, so that everything else can be tried beside it.
"""

import ctypes
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

_MANIFEST = "manifest.json"
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
_VERSION = 0x20080522


def _instead(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def _in_place_of(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        shutil.rmtree(folder)
        make(folder)

    return change


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _first_file(folder: Path) -> Path:
    return min(p for p in folder.iterdir() if p.is_file() and p.name != _MANIFEST)


def _broken_file(make: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda folder: _instead(_first_file(folder).name, make)(folder)


#: What happens to an artifact's folder, each by itself. All are told by a list or by `verify`.
ODD_ITEMS: Mapping[str, Callable[[Path], object]] = MappingProxyType(
    {
        "folder without rights": lambda folder: folder.chmod(0),
        "folder that only lists": lambda folder: folder.chmod(0o444),
        "manifest without rights": lambda folder: (folder / _MANIFEST).chmod(0),
        "file without rights": lambda folder: _first_file(folder).chmod(0),
        "manifest a folder": _instead(_MANIFEST, Path.mkdir),
        "manifest a pipe": _instead(_MANIFEST, os.mkfifo),
        "manifest a link to itself": _instead(_MANIFEST, _link_to_itself),
        "manifest a link to nowhere": _instead(_MANIFEST, lambda path: path.symlink_to("/gone")),
        "manifest empty": lambda folder: (folder / _MANIFEST).write_bytes(b""),
        "file a pipe": _broken_file(os.mkfifo),
        "file a folder": _broken_file(Path.mkdir),
        "file a link to itself": _broken_file(_link_to_itself),
        "item a link to itself": _in_place_of(_link_to_itself),
        "item a link to nowhere": _in_place_of(lambda path: path.symlink_to("/gone")),
    }
)
#: What happens to the folder of a whole kind.
ODD_KINDS: Mapping[str, Callable[[Path], object]] = MappingProxyType(
    {
        "kind without rights": lambda folder: folder.chmod(0),
        "kind that only lists": lambda folder: folder.chmod(0o444),
        "kind a file": _in_place_of(Path.touch),
        "kind a pipe": _in_place_of(os.mkfifo),
        "kind a link to itself": _in_place_of(_link_to_itself),
    }
)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Rights(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


@contextmanager
def without_rights_of_root() -> Iterator[None]:
    """Let the mode of files hold in this thread, and those it starts, also where root runs it."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, before = _Header(version=_VERSION, pid=0), (_Rights * 2)()
    _check(libc.capget(ctypes.byref(header), before))
    less = (_Rights * 2).from_buffer_copy(before)
    less[0].effective &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    _check(libc.capset(ctypes.byref(header), less))
    try:
        yield
    finally:
        _check(libc.capset(ctypes.byref(header), before))


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), "the rights of root cannot be put aside")
