"""Connectivity over a session on the connectome page: courses, one moment, states."""

import numpy as np
import streamlit as st

from app.atlas import random_directions
from app.atlas.connectome import data as cache
from app.atlas.connectome.dynamics_figures import dynamic_course, state_strip, states
from app.atlas.connectome.options import MOST_STATES, WIDTHS, ConnectomeOptions, change, options
from app.atlas.connectome.panels import arranged
from app.figures.markup import token_strip
from app.figures.matrix import Arrangement, matrix
from app.shell import recipes, view_state
from app.shell.caches import directions, networks
from app.widgets import atlas_frame, frame
from app.widgets.browser_events import pick_cells
from app.widgets.controls import choose
from app.widgets.picture import draw_picture
from fnprune_core.atlas.chance.beside import told
from fnprune_core.atlas.chance.over_time import N_PARTNERS, N_STATES, WINDOWS
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.statistics.networks import session_course


def choose_session(atlas: NetworkAtlas, network: int) -> int:
    """Draw the choice of session and window; return the session."""
    session = atlas_frame.viewed_session(atlas, networks.passages(atlas.id, network)[0].session)
    view_state.change(session=session)
    left, middle, right = st.columns([3, 2, 1], vertical_alignment="bottom")
    with left:
        atlas_frame.pick_session(atlas, session, key="connectome-session")
    page_options = options()
    n_tokens = int(np.bincount(atlas.tokens["session"].to_numpy()[~atlas.is_dummy])[session])
    widths = sorted(w for w in {*WIDTHS, page_options.width} if w <= n_tokens) or [max(8, n_tokens)]
    width = page_options.width if page_options.width in widths else widths[-1]
    with middle:
        picked_width = choose(
            "Tokens per window",
            widths,
            key=f"connectome-width-{n_tokens}",
            default=width,
            help="Short windows follow quick changes and are noisy; long ones are steady and slow.",
            is_labelled=True,
        )
    counts = [0, *range(2, MOST_STATES + 1)]
    with right:
        n = st.selectbox(
            "States", counts, index=counts.index(page_options.n_states), key="connectome-states",
            format_func=lambda n: str(n) if n else "none",
            help="Patterns that windows of all sessions fall into, by k-means, which finds as many "
            "as it is asked for.",
        )  # fmt: skip
    change(width=int(picked_width), n_states=int(n))
    return session


def show_time(atlas: NetworkAtlas, network: int) -> None:
    """Draw how the selected network's connectivity changes over a session, and one moment."""
    _, arranged_networks = arranged(atlas)
    session = choose_session(atlas, network)
    page_options = options()
    course = cache.course(atlas.id, session, page_options.width, network)
    token = view_state.view().token
    draw_picture(
        dynamic_course(course, names=cache.names(atlas.id), palette=frame.palette(), token=token),
        key="connectome-course",
        made=recipes.code(
            "dynamic", atlas=atlas.id, network=network, session=session, width=page_options.width
        ),
    )
    tokens = cache.session_windows(atlas.id, session, page_options.width).windows.effective_tokens
    st.caption(
        f"Windows of {page_options.width} tokens inside the session, tapered to count as "
        f"{tokens:.0f}. The band: 95 of 100 surrogates with the same spectra and a coupling that "
        "never changes stay in it in all windows. Click on a moment to see it."
    )

    def select_moment(_: int, place: tuple[float | None, ...]) -> None:
        if place[0] is not None:
            view_state.change(token=round(place[0]), session=session)

    pick_cells("connectome-moment", chart="connectome-course", on_pick=select_moment)
    _beside_random(atlas)
    if token >= 0:
        show_moment(atlas, network, session, arranged_networks)
    if page_options.n_states >= 2:
        show_states(atlas, session, page_options, arranged_networks)


def _beside_random(atlas: NetworkAtlas) -> None:
    """Say how often windows leave the band and what states go with, beside random directions."""
    random_directions.offer(atlas, key="connectome-time")
    found = directions.over_time(atlas.id)
    if "changes" in found["networks"]:
        st.caption(
            f"Of networks and their {N_PARTNERS} strongest partners "
            f"{told(found, 'changes')} leave the band in a session; by chance 5 %. With "
            f"{N_STATES} states {told(found, 'states')} of the windows lie in the commonest domain "
            f"of their state. Both of windows of {WINDOWS.width} tokens.",
            help=random_directions.ABOUT,
        )


def show_moment(
    atlas: NetworkAtlas, network: int, session: int, arranged_networks: Arrangement
) -> None:
    """Draw the window nearest to the chosen token: its text, and all networks' connectivity."""
    width, token = options().width, view_state.view().token
    dynamic = cache.session_windows(atlas.id, session, width)
    window = int(np.abs(dynamic.position - token).argmin())
    middle = int(dynamic.position[window])
    st.subheader(f"Around token {middle}", anchor=False)
    left, right = st.columns(2, gap="medium")
    strengths, texts, _ = session_course(atlas, network, session)
    first, last = max(middle - width // 2, 0), middle + width // 2
    with left:
        st.caption(f"The window's text, coloured by network {network}.")
        with st.container(height=380, border=True):
            st.html(
                token_strip(
                    texts[first:last],
                    strengths[first:last],
                    limit=networks.strength(atlas.id, network),
                    palette=frame.palette(),
                    first=first,
                )
            )
    with right:
        draw_picture(
            matrix(
                dynamic.matrix(window),
                arranged_networks,
                names=cache.names(atlas.id),
                measure=cache.MEASURES["fnc"],
                selected=network,
                palette=frame.palette(),
                height=420,
            ),
            key="connectome-moment-matrix",
        )
        chance = dynamic.windows.effective_tokens**-0.5
        st.caption(
            f"One window is noisy: unrelated networks reach |r| of about {chance:.2f} by chance, "
            "and more where tokens resemble their neighbours."
        )


def show_states(
    atlas: NetworkAtlas,
    session: int,
    page_options: ConnectomeOptions,
    arranged_networks: Arrangement,
) -> None:
    """Draw the states of all sessions, and this session's path through them."""
    dynamic, clusters = cache.states(atlas.id, page_options.width, page_options.n_states)
    st.subheader("States", anchor=False)
    code = recipes.code(
        "states", atlas=atlas.id, width=page_options.width, n_states=page_options.n_states
    )
    draw_picture(
        states(
            clusters.centres,
            clusters.share,
            arranged_networks,
            where=cache.state_domains(atlas.id, dynamic, clusters),
            palette=frame.palette(),
        ),
        key="connectome-state-matrices",
        made=code,
    )
    in_session = dynamic.session == session
    draw_picture(
        state_strip(
            clusters.label[in_session],
            dynamic.position[in_session],
            n_states=page_options.n_states,
            palette=frame.palette(),
        ),
        key="connectome-state-strip",
    )
