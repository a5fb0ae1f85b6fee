"""The lesson: its contents, or the chapter that the view names."""

import streamlit as st

from app import lesson_chapter, lesson_contents, state
from app.lesson import chapter

lesson_contents.open_example()
named = state.view().chapter
found = chapter(named)
if found is not None:
    lesson_chapter.show(found)
else:
    if named:
        st.info(f"There is no chapter “{named}”. These are all:", icon=":material/info:")
    lesson_contents.show()
