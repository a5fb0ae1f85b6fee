"""Several plans beside one another: perplexity by domain, what each removes, what differs."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app.figures.base import column_name
from app.pruning import comparison
from app.pruning.comparison_rows import Choices
from app.pruning.data import title
from app.pruning.figures import ABOVE_DENSE, PERPLEXITY, Quantity, overlap_profile
from app.pruning.plans import data as cache
from app.shell import glossary, recipes, resources, view_state, wording
from app.widgets import frame
from app.widgets.picture import draw_picture
from fnprune_core.evaluation.history import History, PlanRecord, differing_settings
from fnprune_core.evaluation.results import DENSE, Perplexity


def draw(history: History, text: str, plans: Sequence[PlanRecord]) -> None:
    """Draw the costs of plans, the units that they remove, and the settings that differ."""
    first_plan = plans[0]
    results = _results(history, text, plans)
    st.subheader("Perplexity", anchor=False, help=glossary.tip("perplexity"))
    missing = [title(plan) for plan in plans if title(plan) not in results]
    if missing:
        names = ", ".join(wording.plain(name) for name in missing)
        st.info(f"Not measured on this text: {names}.", icon=":material/info:")
    first_title = title(first_plan)
    choices: Choices = {
        "Perplexity": (PERPLEXITY, None),
        "Above dense": (ABOVE_DENSE, DENSE),
        "Above the first": (
            Quantity(title=f"nats per token above {first_title}", is_difference=True, digits=4),
            first_title,
        ),
    }
    comparison.draw(results, key="plans", choices=choices, plan=first_title, made_of=first_plan.id)
    _draw_overlap(plans)
    st.subheader("Settings that differ", anchor=False)
    table = differing_settings(plans).rename(columns={plan.id: title(plan) for plan in plans})
    if table.empty:
        st.caption("None: the plans were made with the same settings.")
    else:
        st.dataframe(
            table.rename(index=column_name),
            alt="Settings in which these plans differ",
            key="plans-settings",
        )


def _results(history: History, text: str, plans: Sequence[PlanRecord]) -> Mapping[str, Perplexity]:
    results_by_title: dict[str, Perplexity] = {}
    if text in history.dense:
        results_by_title[DENSE] = resources.evaluation(history.dense[text].evaluation_id)
    for plan in plans:
        measured = plan.on(text)
        if measured is not None:
            results_by_title[title(plan)] = resources.evaluation(measured.evaluation_id)
    return results_by_title


def _draw_overlap(plans: Sequence[PlanRecord]) -> None:
    """Draw which units the first plan removes and another keeps, and the reverse."""
    first_plan, other_plans = plans[0], plans[1:]
    st.subheader("What each removes", anchor=False)
    second_plan = other_plans[0]
    if len(other_plans) > 1:
        second_plan = st.selectbox(
            f"{wording.plain(title(first_plan))} and",
            other_plans,
            format_func=title,
            key="plans-second",
        )
    with frame.explaining():
        table = cache.overlap(first_plan.id, second_plan.id)
        atlas = view_state.view().atlas
        draw_picture(
            overlap_profile(
                table, first=title(first_plan), second=title(second_plan), palette=frame.palette()
            ),
            key=f"plans-overlap-{first_plan.id}-{second_plan.id}",
            made=recipes.code("overlap", atlas=atlas, first=first_plan.id, second=second_plan.id)
            if atlas
            else "",
        )
        st.caption(
            "Overlap is the share of the units that either plan removes which both remove "
            "(Jaccard); by chance, if each drew as many units of every layer at random."
        )
