"""The lesson's chapters on one line: those that are done, and where one is."""

from app.learn import progress
from app.learn.lesson import CHAPTERS
from app.widgets import frame


def track(present_slug: str = "") -> str:
    """Return the line of chapters as HTML: done, present, to come; words for screen readers."""
    palette = frame.palette()
    cells = []
    for chapter in CHAPTERS:
        is_done = progress.is_done(chapter)
        colour = (
            palette.accent
            if is_done
            else palette.quiet
            if chapter.slug == present_slug
            else palette.line
        )
        bar_height = "6px" if chapter.slug == present_slug else "4px"
        cells.append(
            f'<span title="{chapter.title}{": done" if is_done else ""}" style="flex:1;'
            f'height:{bar_height};border-radius:3px;background:{colour}"></span>'
        )
    label = f"{progress.n_done()} of {len(CHAPTERS)} chapters done"
    return (
        f'<div role="img" aria-label="{label}" style="display:flex;gap:4px;align-items:center;'
        f'margin:.1rem 0">{"".join(cells)}</div>'
    )
