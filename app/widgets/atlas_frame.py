"""The head of every page of the atlas: its title, the selected network, what is missing."""

from collections.abc import Sequence

import streamlit as st

from app.shell import glossary, resources, session_state, view_fields, view_state
from app.shell.caches import networks, trust
from app.shell.jobs import tasks
from app.widgets import frame, job_progress
from app.widgets.controls import button, choose
from fnprune_core.atlas.membership import shares_sentence
from fnprune_core.atlas.network_atlas import NetworkAtlas

MEMBERS, BY_Z = "Members", "By |z|"
_RULE = "units of a network"
ONE_MAP = "z over the units of this map; not a test over subjects."


def open_atlas(title: str, text: str, *, picker: bool = True) -> tuple[NetworkAtlas, int] | None:
    """Draw a page's heading; return the atlas and the selected network.

    Without an atlas, say what to do and return None.

    Parameters
    ----------
    picker : bool
        Whether the page lets the selected network be changed in its head.
    """
    view = view_state.view()
    if not view.atlas:
        frame.heading(title, text)
        frame.no_networks()
        return None
    atlas = resources.atlas(view.atlas)
    network = min(view.network, atlas.n_networks - 1)
    if network != view.network:
        st.info(
            f"There is no network {view.network}: they run from 0 to {atlas.n_networks - 1}.",
            icon=":material/info:",
        )
        view_state.change(network=network)
    if picker:
        left, right = st.columns([5, 6], vertical_alignment="bottom")
        with left:
            frame.heading(title, text)
        with right:
            pick_network(atlas, network)
    return atlas, network


def pick_network(atlas: NetworkAtlas, network: int) -> None:
    """Draw the selected network's name, and the buttons that change it."""
    n = atlas.n_networks
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="picker"):
        for way, icon, shortcut, to in (
            ("Previous", "arrow_back", "Left", network - 1),
            ("Next", "arrow_forward", "Right", network + 1),
        ):
            key = f"atlas-{way}"
            button(way, icon, key=key, shortcut=shortcut, does=select, args=(to % n,))
        key = f"picked-network-{network}"
        st.selectbox(
            "Selected network",
            range(n),
            index=network,
            format_func=lambda k: label(atlas.id, k),
            key=key,
            on_change=lambda: select(int(session_state.widget(key))),
            width="stretch",
            help=glossary.tip("component"),
        )


def label(atlas_id: str, network: int) -> str:
    """Return a network's number and name, as plain text."""
    return f"{network} · {resources.network_name(atlas_id, network)}"


def select(network: int) -> None:
    """Select another network in the view."""
    view_state.change(network=network)


def viewed_session(atlas: NetworkAtlas, otherwise: int) -> int:
    """Return the session in the view, or another where the atlas has no such session."""
    session = view_state.view().session
    return session if 0 <= session < len(networks.session_titles(atlas.id)) else otherwise


def pick_session(
    atlas: NetworkAtlas,
    current: int,
    *,
    key: str,
    numbers: Sequence[int] = (),
    label: str = "Session",
    help: str | None = None,
) -> None:
    """Draw the choice of a session; another one is in the view when the page runs again.

    Parameters
    ----------
    numbers : sequence of int, optional
        The sessions in the order in which they are offered; by number if not given.
    """
    titles = networks.session_titles(atlas.id)
    offered = list(numbers or range(len(titles)))
    key = f"{key}-{current}"
    st.selectbox(
        label,
        offered,
        index=offered.index(current),
        format_func=titles.__getitem__,
        key=key,
        on_change=lambda: select_session(int(session_state.widget(key))),
        help=help,
    )


def select_session(session: int) -> None:
    """Select another session in the view, and no token of it."""
    view_state.change(session=session, token=-1)


def threshold(key: str, *, tip: str | None = None) -> float:
    """Draw the slider of the threshold on |z| that all pages share; return it."""
    help_text = "  \n".join(
        paragraph for paragraph in (glossary.tip("threshold"), tip) if paragraph
    )
    z = view_state.view().z
    session_state.remember(key, z)  # the slider in a picture may have moved it since
    st.slider(
        "Threshold |z|",
        *view_fields.Z_RANGE,
        step=0.1,
        key=key,
        help=help_text,
        on_change=lambda: view_state.change(z=session_state.widget(key)),
    )
    return z


def units_rule(
    atlas: NetworkAtlas, key: str, *, tip: str | None = None, has_slider: bool = False
) -> float | None:
    """Draw the choice of which units count as a network's own; return |z|, or None for members.

    Members that halves of the documents agree on come first. Until they are measured, the
    strongest units stand in, and the page says so and offers to measure. Below the choice stands
    what share of the units either rule marks, also where units are not active together.

    Parameters
    ----------
    has_slider : bool
        Whether a picture of the page has the slider of |z| already.
    """
    with st.container(gap="xsmall"):
        if atlas.known_members is None:
            z = view_state.view().z if has_slider else threshold(key, tip=tip)
            st.caption(f"Strongest units (|z| > {z:g}); not checked on halves of the documents.")
            job_progress.offer(
            "members", "Check on halves", "fact_check",
            lambda: tasks.measure_members(atlas=atlas.id),
            done="Members were measured", key=f"{key}-members",
        )  # fmt: skip
            return z
        chosen = choose(
            "Units of a network",
            (MEMBERS, BY_Z),
            key=_RULE,
            default=MEMBERS,
            help=f"{glossary.tip('members')}  \n{tip or ''}",
            is_labelled=True,
            is_kept=True,
        )
        z_shown = units_shown(atlas) if has_slider or chosen != BY_Z else threshold(key, tip=tip)
        measured = trust.assessment(atlas.id)
        if measured.members is not None:
            st.caption(shares_sentence(measured.members, measured.shifted_members))
        return z_shown


def units_shown(atlas: NetworkAtlas) -> float | None:
    """Return the choice that `units_rule` drew last: |z|, or None for members."""
    by_z = atlas.known_members is None or session_state.widget(_RULE) == BY_Z
    return view_state.view().z if by_z else None


def section(choices: dict[str, str], *, key: str, label: str = "Picture") -> str:
    """Draw the choice between a page's pictures, kept in the URL; return the chosen one.

    Parameters
    ----------
    choices : dict
        Name in the URL (letters, digits, hyphens) → title.
    """
    viewed_section = view_state.view().show
    current = viewed_section if viewed_section in choices else next(iter(choices))
    chosen = choose(label, choices, key=key, default=current)
    if chosen != current:
        view_state.change(show=chosen)
    return chosen


def offer_cortex(atlas: NetworkAtlas) -> None:
    """Lay out the cortex of an atlas that has none: by itself, once a visit, and then if asked."""
    job = job_progress.follow("lay_out", on_done="The cortex is laid out")
    if job_progress.is_active("lay_out"):
        return
    begun = f"layout of {atlas.id} begun"
    is_first = job is None and not session_state.widget(begun)
    if not is_first:
        st.caption("The units of this atlas have no places yet: until then, its layers are shown.")
    if is_first or st.button("Lay out the cortex", icon=":material/grid_on:", key="atlas-lay-out"):
        session_state.remember(begun, True)
        job_progress.run(tasks.lay_out(atlas=atlas.id))
