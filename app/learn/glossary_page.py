"""Glossary: both words for each concept."""

import streamlit as st

from app.shell import glossary
from app.widgets import frame

frame.heading(
    "Glossary", "One concept, two words: what neuroscience calls it, and what it is here."
)
words = st.text_input(
    "Find",
    key="glossary-words",
    placeholder="a word of either field",
    icon=":material/search:",
    width=320,
    label_visibility="collapsed",
)
rows = glossary.matching_terms(words)
if rows:
    st.table(
        {
            "In neuroimaging": [row.brain for row in rows],
            "Here": [row.here for row in rows],
            "What it is": [row.says for row in rows],
            "Where the likeness ends": [row.breaks or "–" for row in rows],
        },
        border="horizontal",
        alt="Glossary of both fields",
    )
else:
    st.info("No such word here. Try a shorter one.", icon=":material/search_off:")
