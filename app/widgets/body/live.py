"""The live scanner: the body lights up while a text runs, token by token, in the browser alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from app.figures.theme import Mode
from app.shell.components import component
from app.shell.images import addresses

if TYPE_CHECKING:
    from app.figures.live.scene import LiveScene

_component = component("live", "niivue_files")


def scanner_data(
    scene: LiveScene,
    *,
    atlas_id: str,
    token: int,
    still: str,
    is_compact: bool = False,
    plays: bool = False,
) -> dict[str, Any]:
    """Return what the browser is told of a text, as JSON values.

    Parameters
    ----------
    token : int
        Where it stands at first.
    still : str
        Address of the picture that stands in where the body cannot be drawn, or waits.
    is_compact : bool
        Whether only the body, the strongest networks and the trace are shown, and nothing is
        fetched until it is asked to play.
    plays : bool
        Whether it plays as soon as it is there, unless the browser asks for less motion.
    """
    from app.figures.live.frames import place_of
    from app.figures.live.scene import data_of

    data = data_of(
        scene,
        body=addresses.atlas_url(atlas_id, "live.bin"),
        library=addresses.library_url(),
    )
    return data | {
        "still": still,
        "at": list(place_of(scene)),
        "token": token,
        "compact": is_compact,
        "autoplay": plays,
    }


def live_scanner(
    data: Mapping[str, Any],
    *,
    key: str,
    mode: Mode,
    on_stop: Callable[[int, int | None, bool], None] | None = None,
) -> None:
    """Draw the live scanner.

    Parameters
    ----------
    data : mapping
        As `scanner_data` gives it.
    mode : str
        Of the page around it.
    on_stop : callable, optional
        Called with the token at which a person stopped, the network that was pressed or None, and
        whether the browser shows the still picture, before the page runs again.
    """

    def report_stop(event: dict[str, Any]) -> None:
        if on_stop is not None:
            network = event["network"]
            on_stop(
                int(event["token"]), None if network is None else int(network), event["isStill"]
            )

    shown = {**data, "mode": mode, "told": on_stop is not None}
    _component(key, shown, stopped=report_stop)
