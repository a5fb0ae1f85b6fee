"""A network in its texts: coloured tokens, strongest passages and words, time course."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.atlas.networks import options
from app.figures import markup
from app.figures.networks import time_course
from app.shell import recipes, view_state, wording
from app.shell.caches import networks
from app.widgets import atlas_frame, controls, frame, token_reader
from app.widgets.controls import button, choose
from app.widgets.picture import draw_picture
from app.widgets.search.copy_link import copy_link
from fnprune_core.atlas.network_atlas import NetworkAtlas, Passage
from fnprune_core.atlas.statistics.networks import session_course

MOST_HITS = 200
_KINDS = {False: "Strongest", True: "One from each decile"}


def show_texts(atlas: NetworkAtlas, network: int) -> None:
    """Draw the passages that activate a network, and the words on which it is strongest."""
    page_options = options.options()
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Passages", anchor=False)
        deciles = choose(
            "Which passages",
            _KINDS,
            key="atlas-passages",
            default=page_options.deciles,
            help="The strongest alone mislead: the deciles show what a network does on ordinary "
            "tokens, from the strongest tenth to the weakest.",
        )
        options.change(deciles=bool(deciles))
        passages(atlas, network, deciles=bool(deciles), pole=page_options.pole)
    with right:
        st.subheader("Strongest words", anchor=False)
        top_words(atlas, network, page_options.pole)


def top_words(atlas: NetworkAtlas, network: int, pole: int) -> None:
    """Draw the tokens on which a network, or one of its poles, is strongest on average."""
    table = atlas.top_tokens(network, n=12, pole=pole)
    if table.empty:
        st.caption("No word is on this side on average.")
        return
    controls.table(
        table.assign(text=[repr(markup.visible(text))[1:-1] for text in table["text"]]),
        alt=f"Tokens on which network {network} is strongest on average",
        columns={"text": "token", "mean": ("mean strength", "%.2f"), "count": "times"},
    )


def passages(atlas: NetworkAtlas, network: int, *, deciles: bool, pole: int) -> None:
    """Draw a network's passages; a token that is pressed is shown in the time course."""
    find_passages = networks.deciles if deciles else networks.passages
    passages_of_pole = find_passages(atlas.id, network, pole)
    if not passages_of_pole:
        st.caption("No token activates this pole.")
        return
    limit = networks.strength(atlas.id, network)
    for number, passage in enumerate(passages_of_pole):
        place = f"{passage.domain} · {passage.document} · token {passage.position}"
        rank = f"decile {11 - number} · " if number else "strongest · "
        sentence = (
            f"{rank if deciles else ''}{place} · strength {passage.values[passage.centre]:.2f}"
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(wording.plain(sentence), width="content")
            copy_link(
                view_state.link(
                    "atlas",
                    network=network,
                    session=passage.session,
                    token=passage.position,
                    show=options.COURSE,
                ),
                what=f"passage {number + 1}",
                key=f"passage-link-{number}",
            )
        token_reader.reader(
            passage.pieces,
            passage.values,
            limit=limit,
            key=f"passage-{'decile' if deciles else 'top'}-{number}",
            on_pick=partial(_go_to, passage),
            marks=(passage.centre,),
            height=None,
            first=passage.position - passage.centre,
            name=f"Passage {number + 1} of network {network}; a token opens the time course there",
        )


def _go_to(passage: Passage, index: int) -> None:
    """Open the time course at a token of a passage."""
    options.open_course()
    token = passage.position + index - passage.centre
    view_state.change(session=passage.session, token=token)


def show_course(atlas: NetworkAtlas, network: int) -> None:
    """Draw the time course over a session, its text, and the networks at the picked token."""
    view = view_state.view()
    session = atlas_frame.viewed_session(atlas, networks.passages(atlas.id, network, 0)[0].session)
    _session_chooser(atlas, session)
    values, texts, n_dummy = session_course(atlas, network, session)
    token = view.token if 0 <= view.token < len(texts) else None
    word_positions = _search_words(atlas, network, session)
    draw_picture(
        time_course(
            values,
            texts,
            network=network,
            n_dummy_tokens=n_dummy,
            palette=frame.palette(),
            selected=token,
        ),
        key="time-course",
        made=recipes.code("time-course", atlas=atlas.id, network=network, session=session),
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.caption("Press a token to see all networks there.")
        token_reader.reader(
            texts,
            values,
            limit=networks.strength(atlas.id, network),
            key="course-reader",
            on_pick=lambda index: view_state.change(session=session, token=index),
            selected=token,
            marks=word_positions,
            height=380,
            name=f"Session {session}, coloured by network {network}",
        )
    with right:
        show_token(atlas, session, token, texts)


def show_token(atlas: NetworkAtlas, session: int, token: int | None, texts: Sequence[str]) -> None:
    """Draw the networks that are active at the picked token."""
    if token is None:
        st.caption("No token is picked yet.")
        return
    token_text = markup.visible(texts[token]).replace("\n", "↵")
    st.markdown(f"**Networks at “{wording.plain(token_text)}”**, token {token}")
    columns = np.flatnonzero(atlas.tokens["session"].to_numpy() == session)
    column = int(columns[token])
    values = atlas.time_courses[:, column].astype(np.float64)
    if atlas.is_dummy[column]:
        values = np.full(len(values), np.nan)
    token_reader.token_networks(atlas, values, key="course-networks")


def _session_chooser(atlas: NetworkAtlas, session: int) -> None:
    """Draw the session's title and the buttons that turn to another session."""
    n_sessions = len(networks.session_titles(atlas.id))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        for label, icon, step in (
            ("Previous session", "chevron_left", -1),
            ("Next session", "chevron_right", 1),
        ):
            button(
                label,
                icon,
                is_off=not 0 <= session + step < n_sessions,
                key=f"course-{icon}",
                does=atlas_frame.select_session,
                args=(session + step,),
            )
        atlas_frame.pick_session(atlas, session, key="course-session")


def _search_words(atlas: NetworkAtlas, network: int, session: int) -> list[int]:
    """Draw the search in all texts; return the positions in this session that were found."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        words = st.text_input(
            "Find in all texts",
            key="course-words",
            max_chars=80,
            placeholder="a word, or several",
            width=260,
            icon=":material/search:",
        )
        if not words:
            return []
        columns = networks.found_words(atlas.id, words)
        if not len(columns):
            st.caption(f"“{wording.plain(words)}” is nowhere in the recording.")
            return []
        strength, counts = atlas.time_courses[network, columns], ~atlas.is_dummy[columns]
        sentence = f"Found {wording.count(len(columns), 'time')}"
        if counts.any():
            mean_strength = atlas.time_courses[network, ~atlas.is_dummy].mean()
            sentence += (
                f", mean strength {strength[counts].mean():.2f}; "
                f"over all tokens {mean_strength:.2f}"
            )
        if n_left_out := int((~counts).sum()):
            sentence += f"; {wording.count(n_left_out, 'dummy token')} left out, listed last"
        st.caption(f"{sentence}.")
    order = np.lexsort((-np.abs(strength), ~counts))[:MOST_HITS]
    _show_hits(atlas, columns[order], strength[order], words)
    rows = atlas.tokens.iloc[columns]
    return [int(p) for p in rows["position"][(rows["session"] == session).to_numpy()]]


def _show_hits(
    atlas: NetworkAtlas, columns: NDArray[np.int64], strength: NDArray[np.float32], words: str
) -> None:
    """Draw the places of the searched words, strongest first; a picked row opens its place."""
    rows = atlas.tokens.iloc[columns]
    table = rows[["domain", "document", "session", "position"]].assign(
        strength=strength.round(3),
        text=[_around(atlas, int(token)) for token in columns],
    )
    places = rows[["session", "position"]].to_numpy().tolist()
    controls.table(
        table[["strength", "text", "domain", "document", "session", "position"]],
        height=min(240, 38 + 35 * len(table)),
        key=f"course-hits-{words}",
        on_row=lambda row: view_state.change(session=places[row][0], token=places[row][1]),
        alt=f"Where “{words}” stands, by the network's strength there",
    )


def _around(atlas: NetworkAtlas, token: int) -> str:
    """Return a token with its neighbours in the session, on one line."""
    first, last = max(0, token - 6), min(len(atlas.tokens), token + 7)
    session = atlas.tokens["session"].to_numpy()
    columns = np.arange(first, last)
    columns = columns[session[columns] == session[token]]
    return markup.joined([markup.visible(str(text)) for text in atlas.tokens["text"].iloc[columns]])
