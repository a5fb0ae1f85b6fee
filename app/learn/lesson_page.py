"""The lesson: its contents, or the chapter that the view names."""

import streamlit as st

from app.learn import chapter as lesson_chapter
from app.learn import contents
from app.learn.lesson import chapter
from app.shell import view_state
from app.widgets import frame

frame.open_example()
chapter_name = view_state.view().chapter
named_chapter = chapter(chapter_name)
if named_chapter is not None:
    lesson_chapter.show(named_chapter)
else:
    if chapter_name:
        st.info(f"There is no chapter “{chapter_name}”. These are all:", icon=":material/info:")
    contents.show()
