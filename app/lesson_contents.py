"""The lesson's table of contents: one card a chapter."""

import streamlit as st

from app import components, lesson_progress, resources, state
from app.lesson import CHAPTERS, Chapter
from app.lesson_chapter import track
from fnprune_core import workflows


def open_example() -> None:
    """Look at the worked example where nothing else is open: the lesson's data."""
    if state.view().atlas:
        return
    found = workflows.find_example(resources.workspace())
    if found is not None:
        state.open_atlas(found.decomposition_id, recording=found.recording_id)
        state.change(model="embedded")
        st.rerun()  # the bar above was drawn without it


def show() -> None:
    """Draw all chapters, and where to go on."""
    components.heading(
        "The model as a brain: a lesson",
        "Eleven short chapters on live data. In each you predict, try it, and check what you "
        "thought. Nothing to install, nothing to wait for.",
    )
    done = lesson_progress.n_done()
    st.html(track())
    following = lesson_progress.next_chapter()
    minutes = sum(chapter.minutes for chapter in CHAPTERS)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if done == len(CHAPTERS):
            st.success("All chapters done.", icon=":material/celebration:")
        else:
            st.button(
                f"{'Go on' if done else 'Begin'}: {following.title}",
                type="primary",
                icon=":material/play_arrow:",
                key="lesson-begin",
                on_click=lesson_progress.go,
                args=(following.slug,),
            )
        st.caption(
            f"{done} of {len(CHAPTERS)} done · about {minutes} minutes in all · kept until you "
            "close the page",
            width="content",
        )
    if not state.view().atlas:
        st.info(
            "Most chapters look at an atlas. Build the worked example on the page Start first; "
            "Why ICA works without.",
            icon=":material/neurology:",
        )
    for first in range(0, len(CHAPTERS), 3):
        for column, chapter in zip(
            st.columns(3, gap="small"), CHAPTERS[first : first + 3], strict=False
        ):
            with column:
                _card(chapter, CHAPTERS.index(chapter) + 1)


def _card(chapter: Chapter, number: int) -> None:
    with st.container(border=True, height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":material/{chapter.icon}: **{number} · {chapter.title}**")
            if lesson_progress.is_done(chapter):
                st.badge("done", icon=":material/check:", color="green")
            elif chapter.slug in lesson_progress.progress().predictions:
                st.badge("begun", icon=":material/edit:", color="gray")
        st.caption(chapter.idea)
        st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "Open",
                key=f"lesson-open-{chapter.slug}",
                on_click=lesson_progress.go,
                args=(chapter.slug,),
            )
            st.caption(f"{chapter.minutes} min", width="content")
