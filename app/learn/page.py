"""The lesson: its contents, or the chapter that the view names."""

import streamlit as st

from app.learn import chapter as lesson_chapter
from app.learn import contents
from app.learn.lesson import chapter
from app.shell import view_state

contents.open_example()
named = view_state.view().chapter
found = chapter(named)
if found is not None:
    lesson_chapter.show(found)
else:
    if named:
        st.info(f"There is no chapter “{named}”. These are all:", icon=":material/info:")
    contents.show()
