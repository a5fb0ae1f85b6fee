"""Events of the browser that Streamlit does not report, and what it loads ahead.

Nothing is drawn. A heat map cannot be selected in plotly, so Streamlit's own events stay silent;
the chart's click event is listened to instead.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit as st

from app.doors.here import base_path
from app.figures.theme import Mode
from app.shell import session_state
from app.shell.components import component

_cell_picker = component("cell_picker")
_IS_NARROW = "is the browser narrow"
_WIDTH = 640  # CSS pixels, as in the styles of `frame`
_narrow = component("narrow")
_mode_watch = component("mode_watch")
_charts_ahead = component("charts_ahead")


def pick_cells(
    key: str, *, chart: str, on_pick: Callable[[int, tuple[float | None, ...]], None]
) -> None:
    """Call back with the clicked cell of the chart with the key `chart`.

    Parameters
    ----------
    on_pick : callable
        Called with the number of the trace and (x, y, z), None where there is no such number,
        before the page runs again.
    """
    _cell_picker(
        key,
        {"chart": chart},
        picked=lambda event: on_pick(int(event["curve"]), tuple(event["place"])),
    )


def is_narrow() -> bool:
    """Return whether the browser is narrow, and draw again once it says otherwise."""
    narrow = bool(session_state.widget(_IS_NARROW))

    def remember(event: dict[str, object]) -> None:
        session_state.remember(_IS_NARROW, bool(event["narrow"]))

    _narrow("narrow", {"narrow": narrow, "width": _WIDTH}, changed=remember)
    return narrow


def watch_mode(mode: Mode) -> None:
    """Run the page again once the browser shows another mode than `mode`; draws nothing."""
    _mode_watch("mode-watch", {"mode": mode}, changed=None)


def load_charts_ahead() -> None:
    """Let the browser load what draws charts while it is idle; draws nothing."""
    _charts_ahead(key="charts-ahead", data={"address": _charts_address()})


@cache
def _charts_address() -> str:
    """Return the address of Streamlit's own script for charts; empty where it is called otherwise.

    It must be the very one that Streamlit asks for: then it is there when it does.
    """
    scripts = Path(st.__file__).with_name("static") / "static" / "js"
    found = list(scripts.glob("PlotlyChart.*.js"))
    return f"{base_path()}/static/js/{found[0].name}" if len(found) == 1 else ""
