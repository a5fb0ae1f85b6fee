"""JSON files: written at once, read with an error that says what to do, checked by a checksum."""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from fnprune_core.errors import CorruptArtifactError
from fnprune_core.inputs.files import plain_bytes

#: What to do about a file that is not what was written.
DAMAGED_HINT = "Bring it back from a copy, or delete this artifact and make it again."
UNREADABLE_HINT = "Give yourself the right to read it (chmod, chown), or move it away."
_SUM = "checksum"


def canonical_json(value: object) -> str:
    """Return `value` as JSON with sorted keys, so that equal inputs give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON to `path` at once, safe on the disk."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling that takes the place of `path` when the block ends well."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If it is not there.
    CorruptArtifactError
        If it cannot be read, is no plain file, or holds no JSON.
    """
    try:
        return json.loads(plain_bytes(path).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise CorruptArtifactError(
            f"{path} is damaged: not valid JSON.",
            hint="Delete this artifact and make it again.",
        ) from error


def unreadable(path: Path, error: OSError) -> CorruptArtifactError:
    """Return the error that says why the system does not let `path` be read."""
    return CorruptArtifactError(
        f"{path} cannot be read: {_lower_first(error.strerror or str(error))}.",
        hint=UNREADABLE_HINT,
    )


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def check_object(value: Mapping[str, Any], path: Path) -> None:
    """Raise `CorruptArtifactError` if a JSON object is not what its checksum was made of.

    An object without a checksum, which an earlier version wrote, passes.
    """
    try:
        is_same = _SUM not in value or value[_SUM] == _sum_of(_without_sum(value))
    except ValueError:  # NaN, which none of ours holds
        is_same = False
    if not is_same:
        raise CorruptArtifactError(
            f"{path} is damaged: its content is not what was written.",
            hint=DAMAGED_HINT,
        )


def _without_sum(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name != _SUM}


def _sum_of(value: object) -> str:
    return xxhash.xxh3_64_hexdigest(canonical_json(value).encode())


def write_checked_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object at once, with the checksum of all else in it under ``checksum``."""
    content = _without_sum(value)
    write_json(path, {**content, _SUM: _sum_of(content)})


def read_checked_json(path: Path) -> Any:
    """Return the JSON object in `path` without its checksum, which was checked.

    Raises
    ------
    CorruptArtifactError
        If it is no JSON, or not what was written.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        return value
    check_object(value, path)
    return _without_sum(value)
