"""A network in its texts: coloured tokens, strongest passages and words, time course."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import components, figures, resources
from app.markup import token_strip
from fnprune_core.networks import NetworkAtlas


def strip(
    pieces: Sequence[str],
    values: NDArray[np.floating],
    *,
    limit: float,
    centre: int | None = None,
    first: int | None = None,
) -> None:
    """Draw tokens coloured by the strength of a network."""
    st.html(
        token_strip(
            pieces, values, limit=limit, palette=components.palette(), centre=centre, first=first
        )
    )


def session_titles(tokens: pd.DataFrame) -> list[str]:
    """Return what each session is: its number, domain and document."""
    firsts = tokens.groupby("session", observed=True).first()
    return [
        f"{number}: {domain}, {document}"
        for number, domain, document in zip(
            firsts.index, firsts["domain"], firsts["document"], strict=True
        )
    ]


def top_words(atlas: NetworkAtlas, network: int) -> None:
    """Draw the tokens on which a network is strongest on average."""
    frame = atlas.top_tokens(network, n=12)
    st.dataframe(
        frame.assign(text=[repr(text)[1:-1] for text in frame["text"]]),
        hide_index=True,
        alt=f"Tokens on which network {network} is strongest on average",
        column_config={
            "text": st.column_config.TextColumn("token"),
            "mean": st.column_config.NumberColumn("mean strength", format="%.2f"),
            "count": st.column_config.NumberColumn("times"),
        },
    )


def time_course(atlas: NetworkAtlas, network: int) -> None:
    """Draw the time course over a session, and the session's text coloured by it."""
    titles = session_titles(atlas.tokens)
    strongest = resources.passages(atlas.id, network)[0].session
    session = st.selectbox(
        "Session",
        range(len(titles)),
        index=strongest,
        format_func=titles.__getitem__,
        key=f"atlas-session-{network}",
    )
    values, texts, n_dummy = resources.session_course(atlas.id, network, session)
    components.picture(
        figures.time_course(
            values, texts, network=network, n_dummy_tokens=n_dummy, palette=components.palette()
        ),
        key="time-course",
    )
    with st.container(height=260, border=True):
        strip(texts, values, limit=resources.strength(atlas.id, network), first=0)


def passages(atlas: NetworkAtlas, network: int) -> None:
    """Draw the passages in which the network is strongest."""
    limit = resources.strength(atlas.id, network)
    for passage in resources.passages(atlas.id, network):
        place = f"{passage.domain} · {passage.document} · token {passage.position}"
        st.caption(f"{components.plain(place)} · strength {passage.values[passage.centre]:.1f}")
        strip(passage.pieces, passage.values, limit=limit, centre=passage.centre)
