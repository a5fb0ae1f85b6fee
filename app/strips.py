"""Strips of coloured tokens on a page."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import components
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
