"""The live scanner: the body lights up while a text runs, token by token, in the browser alone."""

from collections.abc import Callable
from typing import Any

from app.figures.live.frames import place_of
from app.figures.live.scene import LiveScene, data_of
from app.figures.theme import Mode
from app.shell import view_state
from app.shell.components import component
from app.shell.images import files
from app.shell.images import routes as image_routes

_component = component("live", "niivue_files")


def live_scanner(  # noqa: PLR0913 - a widget's options, as Streamlit's own have them
    scene: LiveScene,
    *,
    atlas_id: str,
    key: str,
    mode: Mode,
    token: int,
    still: str,
    on_stop: Callable[[int, int | None, bool], None] | None = None,
    is_compact: bool = False,
    plays: bool = False,
) -> None:
    """Draw the live scanner.

    Parameters
    ----------
    mode : str
        Of the page around it.
    token : int
        Where it stands at first.
    still : str
        Address of the picture that stands in where the body cannot be drawn, or waits.
    on_stop : callable, optional
        Called with the token at which a person stopped, the network that was pressed or None, and
        whether the browser shows the still picture, before the page runs again.
    is_compact : bool
        Whether only the body, the strongest networks and the trace are shown, and nothing is
        fetched until it is asked to play.
    plays : bool
        Whether it plays as soon as it is there, unless the browser asks for less motion.
    """

    def report_stop() -> None:
        event: dict[str, Any] | None = view_state.component_value(key, "stopped")
        if event and on_stop is not None:
            network = event["network"]
            on_stop(
                int(event["token"]), None if network is None else int(network), event["isStill"]
            )

    version = files.version(atlas_id)
    data = data_of(
        scene,
        body=image_routes.live_body_url(atlas_id, version),
        library=image_routes.library_url(),
    )
    data |= {
        "still": still,
        "at": list(place_of(scene)),
        "token": token,
        "mode": mode,
        "compact": is_compact,
        "autoplay": plays,
        "told": on_stop is not None,
    }
    _component(key=key, data=data, on_stopped_change=report_stop)
