"""Plans as a table of runs, and as points in a picture; what is chosen in one is in the other."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.pruning import commands, plan_names, plan_rows
from app.pruning import data as shared
from app.pruning.plan_rows import GROUPS, Measured, Wanted, column_of
from app.pruning.plans import data as cache
from app.pruning.plans.figures import scatter
from app.shell import recipes, session_state, view_fields, view_state, wording
from app.widgets import frame, lasso
from app.widgets.picture import draw_picture
from fnprune_core.evaluation.history import History

_CHOSEN, _STEP = "plans-chosen", "times the plans were chosen outside of their table"
_NONE = "nothing"


def compared_on(history: History, text: str) -> tuple[str, ...]:
    """Draw the choice of the texts on which all plans are compared; return their domains.

    Empty for all texts. At first those that the open plan keeps, else those that most plans do
    that give some up.
    """
    sets = cache.kept_by_plans(history, text)
    if len(sets) < 2:
        return ()
    view, every = view_state.view(), tuple(cache.dense_on(history, text, ()).domains)
    chosen = [*view.plans[:1], view.plan]
    default = max(
        sets, key=lambda kept: (any(id in sets[kept] for id in chosen), kept != (), len(sets[kept]))
    )
    return st.selectbox(
        "Compared on",
        list(sets),
        index=list(sets).index(default),
        format_func=lambda kept: (
            f"{wording.plain(plan_rows.texts_words(kept, every))}"
            f", kept by {wording.count(len(sets[kept]), 'plan')}"
        ),
        key="plans-compared",
        persist_state="session",
        help="Plans that give texts up are compared on the texts that they keep, with every other "
        "plan on the same windows: an average over other texts is no comparison.",
    )


def show(history: History, text: str, kept: tuple[str, ...]) -> list[str]:
    """Draw the table and the picture; return the ids of the plans that are chosen.

    Parameters
    ----------
    kept : tuple of str
        Domains on which plans are compared; empty for all.
    """
    measured = cache.measured_on(history, text, kept)
    dense = cache.dense_on(history, text, kept)
    table = plan_rows.runs(
        history.plans,
        measured,
        names={plan.id: shared.title(plan) for plan in history.plans},
        given_up={plan.id: shared.given_up(plan.id) for plan in history.plans},
    )
    domains = plan_rows.domain_columns(measured)
    labels = {
        str(name): f"ppl {domains[name]}" if name in domains else column_of(str(name)).label
        for name in table.columns
    }
    labels["kept"] = f"ppl, {plan_rows.texts_words(kept, list(dense.domains))}"
    shown, columns, group = _choose(table, labels)
    chosen = _chosen(table)
    _draw_table(shown, columns, chosen, labels, group=group)
    _draw_notes(history, text, shown, table, dense)
    _draw_scatter(shown, chosen, labels, group=group)
    return _select(table, chosen)


def _chosen(table: pd.DataFrame) -> list[str]:
    """Return the ids that the view names, else the plan that is open."""
    view = view_state.view()
    named = [id for id in view.plans if id in table.index]
    return named or [id for id in table.index if id == view.plan]


def _choose(table: pd.DataFrame, labels: Mapping[str, str]) -> tuple[pd.DataFrame, list[str], str]:
    """Draw the filter, the grouping and the choice of columns; return what is shown."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="plans-bar"):
        words = st.text_input(
            "Find", key="plans-words", max_chars=80, placeholder="name, score, text …",
            persist_state="session", width="stretch",
        )  # fmt: skip
        group = st.selectbox(
            "Group by", ["", *GROUPS], format_func=lambda name: name or _NONE,
            key="plans-group", persist_state="session", width=190,
        )  # fmt: skip
        with st.popover("Filter", icon=":material/filter_list:", key="plans-filter"):
            scores = st.pills(
                "Score", sorted(set(table["score"])), selection_mode="multi",
                key="plans-scores", persist_state="session", format_func=wording.plain,
            )  # fmt: skip
            most = st.number_input(
                "Perplexity, at most", 1.0, None, None,
                key="plans-most", persist_state="session", placeholder="any",
            )  # fmt: skip
        with st.popover("Columns", icon=":material/view_column:", key="plans-columns-open"):
            names = [str(name) for name in table.columns if name != "plan"]
            columns = st.multiselect(
                "Columns",
                names,
                default=[n for n in names if column_of(n).is_usual and table[n].notna().any()],
                format_func=lambda name: wording.plain(labels[name]),
                key="plans-columns",
                persist_state="session",
            )
    wanted = Wanted(words=words or "", scores=tuple(scores or ()), most=most)
    return plan_rows.filtered(table, wanted, group=group), list(columns), group


def _draw_table(
    shown: pd.DataFrame,
    columns: Sequence[str],
    chosen: Sequence[str],
    labels: Mapping[str, str],
    *,
    group: str,
) -> None:
    if shown.empty:
        st.caption("No plan fits the filter.")
        return
    config: dict[str, Any] = {
        "plan": st.column_config.TextColumn("plan", width="medium", pinned=True),
        "made": st.column_config.DatetimeColumn("made", format="distance"),
    }
    for name in shown.columns:
        column = column_of(str(name))
        if column.format:
            config[str(name)] = st.column_config.NumberColumn(
                wording.plain(labels[str(name)]), format=column.format, help=column.help
            )
        elif name not in config:
            config[str(name)] = st.column_config.TextColumn(column.label, help=column.help)
    first = ["plan", *([group] if group else [])]
    event = st.dataframe(
        shown,
        hide_index=True,
        height="auto" if len(shown) <= 8 else 340,
        alt=f"{len(shown)} plans",
        # A table that is sorted stays as it is while rows are chosen in it; one in which others
        # are to be marked is made anew.
        key=f"plans-list-{_digest(shown.index)}-{session_state.widget(_STEP) or 0}",
        placeholder="–",
        column_order=[*first, *(name for name in columns if name not in first)],
        column_config=config,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": _places(shown, chosen)}},
    )
    rows = [int(row) for row in event["selection"]["rows"]]
    picked = [str(shown.index[row]) for row in rows if row < len(shown)]
    if set(picked) != {id for id in chosen if id in shown.index}:
        hidden = [id for id in view_state.view().plans if id not in shown.index]
        _take([*hidden, *picked])
        st.rerun()


def _places(shown: pd.DataFrame, ids: Sequence[str]) -> list[int]:
    return [list(shown.index).index(id) for id in ids if id in shown.index]


def _digest(ids: Iterable[str]) -> str:
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:8]


def _take(ids: Sequence[str], *, is_outside: bool = False) -> None:
    """Choose plans; outside of the table, it must mark them."""
    chosen = tuple(dict.fromkeys(ids))[: view_fields.MAX_PLANS]
    view_state.change(plans=chosen)
    session_state.remember(_CHOSEN, list(chosen))
    if is_outside:
        session_state.remember(_STEP, (session_state.widget(_STEP) or 0) + 1)


def _draw_notes(
    history: History, text: str, shown: pd.DataFrame, table: pd.DataFrame, dense: Measured
) -> None:
    notes = []
    if math.isfinite(dense.kept):
        notes.append(f"The dense model has {dense.kept:.2f} on the same windows.")
    if len(shown) < len(table):
        notes.append(f"{len(shown)} of {len(table)} plans are shown.")
    open_plans = [plan for plan in history.plans if plan.id == view_state.view().plan]
    if open_plans:
        notes.append(f"Open: {wording.plain(shared.title(open_plans[0]))}.")
    if text:
        notes.append(wording.plain(plan_rows.text_label(history, text)) + ".")
    st.caption(" ".join(notes) or "Nothing was measured yet.", help=plan_names.RULE)


def _draw_scatter(
    shown: pd.DataFrame, chosen: Sequence[str], labels: Mapping[str, str], *, group: str
) -> None:
    """Draw any two columns against one another; points that are picked are chosen."""
    names = plan_rows.numeric(shown)
    if len(names) < 2:
        return
    with st.container(horizontal=True, gap="small"):
        x = _axis("Across", names, labels, "parameters gone", key="plans-x")
        y = _axis("Up", names, labels, "kept", key="plans-y")
    atlas = view_state.view().atlas
    event = draw_picture(
        scatter(
            shown,
            x=x,
            y=y,
            titles=(_titled(x, labels), _titled(y, labels)),
            group=group,
            marked=chosen,
            palette=frame.palette(),
        ),
        key=f"plans-scatter-{_digest([*shown.index, x, y, '', *chosen])}",
        made=recipes.code("trade", atlas=atlas) if atlas else "",
        command="\n".join(commands.of_plan(str(id)) for id in shown.index),
        on_select="rerun",
        selection_mode=("points", "box", "lasso"),
    )
    picked = [str(shown.index[row]) for row in lasso.chosen_rows(event) if row < len(shown)]
    if picked and set(picked) != set(chosen):
        _take(picked, is_outside=True)
        st.rerun()


def _titled(name: str, labels: Mapping[str, str]) -> str:
    """Return a column's label with its unit."""
    return f"{labels[name]}, %" if "%%" in column_of(name).format else labels[name]


def _axis(
    label: str, names: Sequence[str], labels: Mapping[str, str], default: str, *, key: str
) -> str:
    return str(
        st.selectbox(
            label,
            names,
            index=list(names).index(default) if default in names else 0,
            format_func=lambda name: wording.plain(labels[name]),
            key=key,
            persist_state="session",
            width=220,
        )
    )


def _select(table: pd.DataFrame, chosen: Sequence[str]) -> list[str]:
    """Draw the choice by name; return the ids of the plans that are chosen."""
    if session_state.widget(_CHOSEN) is None:
        session_state.remember(_CHOSEN, list(chosen))
    present = [id for id in session_state.widget(_CHOSEN) if id in table.index]
    session_state.remember(_CHOSEN, present)
    picked = st.multiselect(
        "Look at one plan, or compare several",
        list(table.index),
        format_func=lambda id: str(table["plan"].get(id, id)),
        max_selections=view_fields.MAX_PLANS,
        placeholder="Choose plans: here, in the table, or in the picture",
        key=_CHOSEN,
    )
    if set(picked) != set(chosen):
        _take_picked(picked)
    return list(picked)


def _take_picked(picked: Sequence[str]) -> None:
    view_state.change(plans=tuple(picked))
    session_state.remember(_STEP, (session_state.widget(_STEP) or 0) + 1)
    st.rerun()
