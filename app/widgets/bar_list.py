"""Named bars, each a button: one small component."""

from collections.abc import Callable, Sequence
from typing import Any

from app.figures.markup import visible
from app.figures.theme import rgb
from app.shell import view_state
from app.shell.components import component
from app.widgets.frame import palette

_bars = component("bars")


def bar_list(
    rows: Sequence[dict[str, Any]],
    *,
    key: str,
    on_pick: Callable[[int], None],
    selected: int | None = None,
    name: str = "Networks",
    oneway: bool = False,
) -> None:
    """Draw named bars, each a button.

    Parameters
    ----------
    rows : sequence of dict
        ``id`` (int), ``name``, ``note`` (its number in words), ``share`` in [−1, 1] (in [0, 1]
        if `oneway`), and optionally ``colour`` (``#rrggbb``).
    on_pick : callable
        Called with the id of the pressed row, before the page runs again.
    selected : int, optional
        Id of the row shown as pressed.
    """

    def report_pick() -> None:
        id = view_state.component_value(key, "picked")
        if id is not None:
            on_pick(int(id))

    colours = palette()
    _bars(
        key=key,
        data={
            "rows": [
                row
                | {"name": visible(str(row["name"])), "note": visible(str(row["note"]))}
                | ({"colour": rgb(row["colour"])} if row.get("colour") else {})
                for row in rows
            ],
            "hot": rgb(colours.hot[1]),
            "cold": rgb(colours.cold[1]),
            "selected": selected,
            "oneway": oneway,
            "name": name,
        },
        on_picked_change=report_pick,
    )
