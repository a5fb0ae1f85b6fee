"""Carpet page: units over tokens, by layer or by network, in one session or in all of them."""

from dataclasses import replace

import streamlit as st

from app.atlas.carpet import data as cache
from app.atlas.carpet.figures import Span, overview_carpet, session_carpet, stretch_carpet
from app.shell import glossary, recipes, session_state, view_state
from app.widgets import atlas_frame, frame, lasso
from app.widgets.controls import choose, table
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas

SHOWN = {
    "network": "One session, by network",
    "layer": "One session, by layer",
    "all-network": "All sessions, by network",
    "all-layer": "All sessions, by layer",
}
STRETCHES = (16, 32, 48)


def show_session(atlas: NetworkAtlas, by: str) -> None:
    """Draw one session whole, and a stretch of it with its text."""
    numbers = cache.session_facts(atlas.id)["session"].tolist()
    session = atlas_frame.viewed_session(atlas, numbers[0])
    atlas_frame.pick_session(
        atlas, session, key="carpet-session-of", numbers=numbers, help=glossary.tip("run")
    )
    pieces, n_dummy = cache.tokens(atlas.id, session)
    values = cache.session_values(atlas.id, by, session)
    rows = replace(cache.rows(atlas.id, by)[1], selected=view_state.view().network)
    length = choose(
        "Tokens shown with their text",
        STRETCHES,
        key="carpet-length",
        default=STRETCHES[-1],
        help="Fewer are easier to read on a narrow screen.",
        is_labelled=True,
    )
    n_shown = min(length, len(pieces))
    last_start = len(pieces) - n_shown
    first = min(max(view_state.view().token, 0), last_start)
    if last_start:
        start = st.slider("From token", 0, last_start, first, key=f"carpet-from-{session}")
        if start != first:
            view_state.change(token=start)
            first = start
    code = recipes.code("carpet", atlas=atlas.id, session=session)
    stretch = slice(first, first + n_shown)
    draw_picture(
        stretch_carpet(
            values[:, stretch], pieces[stretch], rows, first=first, palette=frame.palette()
        ),
        key=f"carpet-stretch-{by}",
        made=code,
    )
    draw_picture(
        session_carpet(
            values,
            pieces,
            rows,
            n_dummy_tokens=n_dummy,
            stretch=Span(name="shown above", first=first, last=first + n_shown - 1),
            palette=frame.palette(),
        ),
        key=f"carpet-session-{by}",
        made=code,
    )


def show_all(atlas: NetworkAtlas, by: str) -> None:
    """Draw all sessions; a click on a square or a row opens one."""
    values = cache.overview(atlas.id, by)
    facts, spans, domains = cache.columns(atlas.id)
    numbers = facts["session"].tolist()
    rows = replace(cache.rows(atlas.id, by)[1], selected=view_state.view().network)
    draw_picture(
        overview_carpet(
            values,
            rows,
            sessions=spans,
            numbers=numbers,
            domains=domains,
            selected=view_state.view().session,
            palette=frame.palette(),
        ),
        key=f"carpet-all-{by}",
        made=recipes.code("carpet", atlas=atlas.id, session=numbers[0]),
        on_select=lambda: open_session(
            lasso.chosen_rows(session_state.widget(f"carpet-all-{by}")), by
        ),
        selection_mode="points",
    )
    st.caption("Choose a square above the carpet or a row of the table to open its session.")
    table(
        facts,
        height=300,
        key=f"carpet-sessions-{by}",
        on_row=lambda row: open_session([numbers[row]], by),
        alt="Sessions, by domain",
    )


def open_session(picked: list[int], by: str) -> None:
    """Select the picked session in the view, before the page runs again."""
    if picked:
        view_state.change(session=int(picked[0]), token=-1, show=by)
        session_state.remember("carpet-shown", by)


above, below = ("bright", "dark") if frame.palette().mode == "dark" else ("dark", "bright")
atlas_and_network = atlas_frame.open_atlas(
    "Carpet",
    f"Each row is a unit, each column a token: {above} is above the unit's mean, {below} below.",
)
if atlas_and_network is not None:
    with frame.explaining():
        section = atlas_frame.section(SHOWN, key="carpet-shown")
        if section.startswith("all-"):
            show_all(atlas_and_network[0], section.removeprefix("all-"))
        else:
            show_session(atlas_and_network[0], section)
