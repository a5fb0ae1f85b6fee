"""The linked views: what is selected in one of scatter, map, course and texts is so in all."""

import html
from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from app.atlas.networks.linked import options
from app.atlas.networks.linked.figures import network_scatter
from app.atlas.networks.linked.options import AXES
from app.figures.networks import time_course
from app.shell import recipes, resources, session_state, view_state, wording
from app.shell.caches import atlas_maps, networks
from app.shell.caches import networks as cache
from app.shell.caches.colours import network_colours
from app.shell.images import addresses
from app.widgets import frame, lasso, token_reader
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas, Passage
from fnprune_core.atlas.statistics.networks import session_course

_SCATTER = "linked-scatter"
_RINGED = 5
_PASSAGES = 4


def choose() -> bool:
    """Draw the switch between one network at a time and the linked views; return whether linked."""
    is_open = options.options().is_open
    chosen = st.toggle(
        "Linked views",
        is_open,
        key="linked-open",
        help="All networks by any two statistics, beside the selected one's map, time course and "
        "texts. What is selected in one is selected in all.",
    )
    if chosen != is_open:
        options.change(is_open=chosen)
        st.rerun()
    return chosen


def show(atlas: NetworkAtlas, network: int) -> None:
    """Draw the four views of an atlas, with a network selected."""
    left, right = st.columns(2, gap="medium")
    session, token = _place(atlas, network)
    with left, frame.explaining():
        _scatter(atlas, network, _strongest_at(atlas, session, token))
    with right, frame.explaining():
        _map(atlas, network)
    left, right = st.columns(2, gap="medium")
    with left, frame.explaining():
        _course(atlas, network, session, token)
    with right, frame.explaining():
        _texts(atlas, network, session, token)


def _place(atlas: NetworkAtlas, network: int) -> tuple[int, int]:
    """Return the session and token that are picked, else those of the strongest passage."""
    view = view_state.view()
    if 0 <= view.session < len(cache.session_titles(atlas.id)):
        return view.session, view.token
    passage = cache.passages(atlas.id, network, 0)[0]
    return passage.session, passage.position


def _strongest_at(atlas: NetworkAtlas, session: int, token: int) -> list[int]:
    """Return the networks that are strongest at a token, by their own usual strength."""
    columns = np.flatnonzero(atlas.tokens["session"].to_numpy() == session)
    if not 0 <= token < len(columns):
        return []
    values = np.abs(atlas.time_courses[:, columns[token]]) / cache.usual_strength(atlas.id)
    return [int(k) for k in np.argsort(-values, kind="stable")[:_RINGED]]


def _scatter(atlas: NetworkAtlas, network: int, ringed: Sequence[int]) -> None:
    table = cache.statistics(atlas.id)
    axes = [column for column in AXES if column in table and table[column].notna().any()]
    chosen = []
    for column, name in zip(st.columns(2), ("x", "y"), strict=True):
        with column:
            current = getattr(options.options(), name)
            current = current if current in axes else axes[0 if name == "x" else 1]
            chosen.append(
                st.selectbox(
                    f"On {name}",
                    axes,
                    index=axes.index(current),
                    format_func=AXES.__getitem__,
                    key=f"linked-{name}-{current}",
                    label_visibility="collapsed",
                )
            )
    if (chosen[0], chosen[1]) != (options.options().x, options.options().y):
        options.change(x=chosen[0], y=chosen[1])
    picture = network_scatter(
        table.assign(name=resources.network_names(atlas.id)),
        axes=((chosen[0], AXES[chosen[0]]), (chosen[1], AXES[chosen[1]])),
        colours=network_colours(atlas.id, frame.palette().mode),
        selected=network,
        ringed=ringed,
        palette=frame.palette(),
    )
    key = f"{_SCATTER}-{chosen[0]}-{chosen[1]}-{network}"
    draw_picture(
        picture,
        key=key,
        made=recipes.code("network-statistics", atlas=atlas.id),
        on_select=partial(_take, key),
        selection_mode="points",
    )


def _take(key: str) -> None:
    if picked := lasso.chosen_rows(session_state.widget(key)):
        view_state.change(network=picked[0])


def _map(atlas: NetworkAtlas, network: int) -> None:
    z = view_state.view().z
    limit = atlas_maps.colour_limit(atlas.id, z)
    address = addresses.atlas_url(atlas.id, f"networks/{network}.png", limit=f"{limit:.2f}")
    words = f"Network {network} in the body, |z| above {z:g}"
    st.html(
        f'<img src="{html.escape(address)}&amp;z={z:g}" alt="{words}" style="width: 100%; '
        'max-height: 330px; object-fit: contain; background: #0a0c0e; border-radius: 6px;">'
    )
    row = cache.statistics(atlas.id).iloc[network]
    facts = [
        f"{AXES[column]} {row[column]:.3g}"
        for column in ("reproducibility", "specificity", "units", "peak_layer")
        if column in row and row[column] == row[column]
    ]
    st.caption(wording.plain(f"{words}: {', '.join(facts)}."))


def _course(atlas: NetworkAtlas, network: int, session: int, token: int) -> None:
    values, texts, n_dummy = session_course(atlas, network, session)
    st.caption(wording.plain(f"Session {cache.session_titles(atlas.id)[session]}"))
    picture = time_course(
        values,
        texts,
        network=network,
        n_dummy_tokens=n_dummy,
        palette=frame.palette(),
        selected=token if 0 <= token < len(texts) else None,
    )
    draw_picture(picture, key="linked-course", note=False)


def _texts(atlas: NetworkAtlas, network: int, session: int, token: int) -> None:
    limit = networks.strength(atlas.id, network)
    with st.container(height=236, border=True):
        for number, passage in enumerate(cache.passages(atlas.id, network, 0)[:_PASSAGES]):
            first = passage.position - passage.centre
            place = token - first if passage.session == session else -1
            st.caption(wording.plain(f"{passage.domain} · {passage.document}"))
            token_reader.reader(
                passage.pieces,
                passage.values,
                limit=limit,
                key=f"linked-passage-{number}",
                on_pick=partial(_pick, passage),
                selected=place if 0 <= place < len(passage.pieces) else None,
                marks=(passage.centre,),
                height=None,
                first=first,
                name=f"Passage {number + 1} of network {network}; a token is shown in all views",
            )


def _pick(passage: Passage, index: int) -> None:
    view_state.change(session=passage.session, token=passage.position + index - passage.centre)
