"""The viewer on a page, with what stands below it: words, numbers, and how it was made."""

from collections.abc import Callable

import pandas as pd

from app.widgets import frame
from app.widgets.body.scene import Scene
from app.widgets.body.viewer import Pick, set_threshold, viewer
from app.widgets.picture import describe, draw_table

#: Said once on each page that shows the body.
PLACES = "Units have no place of their own: the layout is computed."


def draw(  # noqa: PLR0913 - the scene, its words and numbers, and what a press on it does
    scene: Scene,
    table: Callable[[], pd.DataFrame],
    *,
    key: str,
    made: str,
    about: str,
    words: str = "",
    file: str = "",
    on_pick: Callable[[Pick], None] | None = None,
    on_threshold: Callable[[float], None] | None = set_threshold,
) -> None:
    """Draw a scene and what it shows in words; its numbers on request.

    Parameters
    ----------
    table : callable
        Returns the numbers when they are asked for.
    made : str
        Python that makes it again (`recipes.code`).
    about : str
        How to read the picture.
    words, file : str, optional
        What it shows, and the name of the CSV file; the scene's by default.
    """
    mode = frame.palette().mode
    viewer(scene, key=key, mode=mode, on_pick=on_pick, on_threshold=on_threshold)
    told = words or scene.alternative

    def numbers() -> None:
        draw_table(table(), name=file or scene.file, key=key, alt=told)

    describe(f"{told} {about}", numbers, key=key, made=made)
