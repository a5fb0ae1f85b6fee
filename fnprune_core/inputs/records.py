"""Records of JSON values, checked by pydantic: every type as it is, and sizes within bounds."""

import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

T = TypeVar("T")
_MOST_SHOWN = 60


class Record(BaseModel):
    """An object of JSON; text is no number in it, and 1.0 no whole number."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


def checked(read: Callable[[Any], T], value: object) -> T:
    """Return what a reader of pydantic makes of a value.

    Raises
    ------
    ValueError
        With the place of the first fault, and what stands there.
    """
    try:
        return read(value)
    except ValidationError as error:
        raise ValueError(fault(error)) from error


def record_of(kind: type[T], value: object) -> T:
    """Return a JSON value as a frozen dataclass, its lists as tuples; raises as `checked`."""
    hashable: Any = kind  # as every type is; mypy does not know
    read: Callable[[Any], T] = partial(_adapter(hashable).validate_json, strict=True)
    return checked(read, json.dumps(value))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what reads values of a kind; building it takes longer than most values do."""
    return TypeAdapter(kind)


def fault(error: ValidationError) -> str:
    """Return the first fault that pydantic found, in words: ``removed.0.3: …, got 0.5``."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "it"
    if first["type"] == "missing":
        return f"it has no {place!r}"
    if first["type"] == "value_error":
        return f"{place}: {first['ctx']['error']}"
    if first["type"] in ("model_type", "dataclass_type"):
        message = "an object was expected"
    else:
        message = first["msg"][:1].lower() + first["msg"][1:]
    return f"{place}: {message}, got {_shown(first['input'])}"


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a huge number"
    if isinstance(value, list | dict):
        return f"{len(value):,} items"
    return repr(value)[:_MOST_SHOWN]
