"""Rows of tables that are found by name."""

from collections.abc import Mapping
from typing import TypeVar

from fnprune_core.errors import SettingsError

Row = TypeVar("Row")


def row_named(table: Mapping[str, Row], name: str, what: str, *, also: str = "") -> Row:
    """Return a row of a table; the error lists the names that there are.

    Parameters
    ----------
    what : str
        What a row is, for the error.
    also : str
        Added to the error's hint.
    """
    if name not in table:
        raise SettingsError(
            f"There is no {what} {name!r}.", hint=f"Use one of {', '.join(table)}{also}."
        )
    return table[name]
