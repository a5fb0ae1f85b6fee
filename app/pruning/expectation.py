"""What to expect of a plan, in words, with a text that it wrote; drawn on Prune and on Export."""

import streamlit as st

from app.pruning import data
from app.shell import wording
from fnprune_core.evaluation.expectation import GRADES
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED, SideBySide

#: Sign and colour of each grade, the best first.
_LOOKS = (("check_circle", "green"), ("info", "orange"), ("warning", "orange"), ("error", "red"))


def draw(plan_id: str) -> None:
    """Draw what to expect of a plan, what that rests on, and a text before and after."""
    found = data.expected(plan_id)
    grade = found.grade
    if grade is None:
        st.markdown(
            ":material/help: **Not measured**: Apply, on the page Prune, tells what to expect."
        )
        return
    icon, colour = _LOOKS[GRADES.index(grade)]
    st.markdown(f":{colour}[:material/{icon}: **{wording.plain(found.title())}**]")
    st.caption(
        wording.plain(" ".join(found.sentences())),
        help="The bounds of each grade are in the documentation, under Statistics.",
    )
    for texts in found.samples[:1]:
        with st.expander("A text before and after", icon=":material/compare_arrows:"):
            _draw_sample(texts)


def _draw_sample(texts: SideBySide) -> None:
    for title, text in (
        ("Held-out text", texts.prompt.text),
        ("The dense model goes on", texts.text(DENSE)),
        ("The plan goes on", texts.text(PRUNED)),
    ):
        st.caption(title)
        st.code(text, language=None, wrap_lines=True)
