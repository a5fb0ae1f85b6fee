"""The lesson's table of contents: one card a chapter."""

import streamlit as st

from app.learn import progress
from app.learn.lesson import CHAPTERS, Chapter
from app.learn.track import track
from app.shell import view_state
from app.widgets import frame
from app.widgets.controls import button


def show() -> None:
    """Draw all chapters, and where to go on."""
    frame.heading(
        "The model as a brain: a lesson",
        "Eleven short chapters on live data. In each you predict, try it, and check what you "
        "thought. Nothing to install, nothing to wait for.",
    )
    n_done = progress.n_done()
    st.html(track())
    next_chapter = progress.next_chapter()
    minutes = sum(chapter.minutes for chapter in CHAPTERS)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if n_done == len(CHAPTERS):
            st.success("All chapters done.", icon=":material/celebration:")
        else:
            button(
                f"{'Go on' if n_done else 'Begin'}: {next_chapter.title}",
                "play_arrow",
                kind="primary",
                key="lesson-begin",
                does=progress.go,
                args=(next_chapter.slug,),
            )
        st.caption(
            f"{n_done} of {len(CHAPTERS)} done · about {minutes} minutes in all · kept until you "
            "close the page",
            width="content",
        )
    if not view_state.view().atlas:
        st.info(
            "Most chapters look at an atlas. Build the worked example on the page Start first; "
            "Why ICA works without.",
            icon=":material/neurology:",
        )
    for row_start in range(0, len(CHAPTERS), 3):
        for column, chapter in zip(
            st.columns(3, gap="small"), CHAPTERS[row_start : row_start + 3], strict=False
        ):
            with column:
                _card(chapter, CHAPTERS.index(chapter) + 1)


def _card(chapter: Chapter, number: int) -> None:
    with st.container(border=True, height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":material/{chapter.icon}: **{number} · {chapter.title}**")
            if progress.is_done(chapter):
                st.badge("done", icon=":material/check:", color="green")
            elif chapter.slug in progress.progress().predictions:
                st.badge("begun", icon=":material/edit:", color="gray")
        st.caption(chapter.idea)
        st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            button(
                "Open", key=f"lesson-open-{chapter.slug}", does=progress.go, args=(chapter.slug,)
            )
            st.caption(f"{chapter.minutes} min", width="content")
