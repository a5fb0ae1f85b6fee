"""Several plans beside one another: perplexity by domain, what each removes, what differs."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app.pruning import comparison
from app.pruning.comparison_rows import Choices
from app.pruning.figures import ABOVE_DENSE, PERPLEXITY, Quantity, overlap_profile
from app.pruning.plan_rows import title
from app.pruning.plans import data as cache
from app.shell import glossary, recipes, resources, view_state, wording
from app.widgets import frame
from app.widgets.picture import draw_picture
from fnprune_core.evaluation.history import History, PlanRecord, differing_settings
from fnprune_core.evaluation.results import DENSE, Perplexity


def draw(history: History, text: str, chosen: Sequence[PlanRecord]) -> None:
    """Draw what plans cost, what they remove, and in which settings they differ."""
    first = chosen[0]
    results = _results(history, text, chosen)
    st.subheader("Perplexity", anchor=False, help=glossary.tip("perplexity"))
    missing = [title(plan) for plan in chosen if title(plan) not in results]
    if missing:
        names = ", ".join(wording.plain(name) for name in missing)
        st.info(f"Not measured on this text: {names}.", icon=":material/info:")
    own = title(first)
    choices: Choices = {
        "Perplexity": (PERPLEXITY, None),
        "Above dense": (ABOVE_DENSE, DENSE),
        "Above the first": (
            Quantity(title=f"nats per token above {own}", is_difference=True, digits=4),
            own,
        ),
    }
    comparison.draw(results, key="plans", choices=choices, plan=own, made_of=first.id)
    _overlap(chosen)
    st.subheader("Settings that differ", anchor=False)
    table = differing_settings(chosen).rename(columns={plan.id: title(plan) for plan in chosen})
    if table.empty:
        st.caption("None: the plans were made with the same settings.")
    else:
        st.dataframe(table, alt="Settings in which these plans differ", key="plans-settings")


def _results(history: History, text: str, chosen: Sequence[PlanRecord]) -> Mapping[str, Perplexity]:
    found: dict[str, Perplexity] = {}
    if text in history.dense:
        found[DENSE] = resources.evaluation(history.dense[text].evaluation_id)
    for plan in chosen:
        measured = plan.on(text)
        if measured is not None:
            found[title(plan)] = resources.evaluation(measured.evaluation_id)
    return found


def _overlap(chosen: Sequence[PlanRecord]) -> None:
    """Draw what the first plan removes and another keeps, and the reverse."""
    first, others = chosen[0], chosen[1:]
    st.subheader("What each removes", anchor=False)
    second = others[0]
    if len(others) > 1:
        second = st.selectbox(
            f"{wording.plain(title(first))} and", others, format_func=title, key="plans-second"
        )
    with frame.explaining():
        table = cache.overlap(first.id, second.id)
        atlas = view_state.view().atlas
        draw_picture(
            overlap_profile(
                table, first=title(first), second=title(second), palette=frame.palette()
            ),
            key=f"plans-overlap-{first.id}-{second.id}",
            made=recipes.code("overlap", atlas=atlas, first=first.id, second=second.id)
            if atlas
            else "",
        )
        st.caption(
            "Overlap is the share of the units that either plan removes which both remove "
            "(Jaccard); by chance, if each drew as many units of every layer at random."
        )
