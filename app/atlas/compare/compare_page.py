"""Compare page: two atlases side by side, their paired networks, and what chance would give."""

import numpy as np
import streamlit as st

from app.atlas.compare import data as cache
from app.atlas.compare import panels
from app.atlas.compare.likeness_figures import (
    likeness_chart,
    matrix_order,
    r_histogram,
    similarity_matrix,
)
from app.shell import recipes, wording
from app.widgets import atlas_frame, browser_events, frame
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.matching.atlases import IDENTITY_R, PUBLISHED_RHO, Match
from fnprune_core.probability import p_text

SHOWN = {"pairs": "Pairs", "matrix": "All correlations", "likeness": "Against chance"}


def nothing_to_compare() -> None:
    """Say how a second atlas can be made."""
    frame.empty(
        "Only one atlas yet",
        "Decompose the recording again with another seed or number of networks, or record other "
        "texts or another model and decompose them. Two atlases can then be compared here.",
        button="Decompose again",
        page=frame.DECOMPOSE,
        icon="compare_arrows",
    )


def show_matrix(atlas: NetworkAtlas, other: NetworkAtlas, match: Match, network: int) -> None:
    """Draw all correlations and how the pairs' r divide; a click selects a network."""
    rows, _ = matrix_order(match.similarity, match.pairs)
    code = recipes.code("match", atlas=atlas.id, other=other.id)

    def select_row(curve: int, place: tuple[float | None, ...]) -> None:
        if curve == 0 and place[1] is not None and 0 <= place[1] < len(rows):
            atlas_frame.select(int(rows[int(place[1])]))

    left, right = st.columns([3, 2], gap="medium")
    with left:
        browser_events.pick_cells("compare-cells", chart="compare-matrix", on_pick=select_row)
        draw_picture(
            similarity_matrix(
                match.similarity,
                match.pairs,
                selected=network,
                by=match.by,
                palette=frame.palette(),
            ),
            key="compare-matrix",
            made=code,
        )
    with right:
        draw_picture(
            r_histogram(match.r, threshold=IDENTITY_R, by=match.by, palette=frame.palette()),
            key="compare-histogram",
            made=code,
        )


def show_likeness(atlas: NetworkAtlas, other: NetworkAtlas) -> None:
    """Draw how alike the networks are within the texts that both recordings hold."""
    likeness = cache.likeness(atlas.id, other.id)
    low, high = np.quantile(likeness.null, [0.025, 0.975])
    with st.container(horizontal=True):
        st.metric("Mean |ρ| of pairs", f"{likeness.score:.3f}")
        st.metric("By chance", f"{low:.3f} to {high:.3f}")
        st.metric(
            "p", p_text(likeness.p), help=f"Of {len(likeness.null)} draws, and the data itself."
        )
    rho = likeness.consistency[likeness.pairs[:, 0], likeness.pairs[:, 1]]
    draw_picture(
        likeness_chart(
            np.asarray(rho),
            likeness.null,
            chance_rho=likeness.chance_rho,
            mark=PUBLISHED_RHO,
            palette=frame.palette(),
        ),
        key="compare-likeness",
        made=recipes.code("likeness", atlas=atlas.id, other=other.id),
    )
    st.caption(
        f"After the functional network fingerprint (arXiv 2601.22692): Spearman's ρ of time "
        f"courses within each of {likeness.n_sessions} sessions, averaged, over "
        f"{wording.plain(likeness.basis)}. By chance: the other atlas's time courses are shifted "
        "circularly within each session by one random offset, and paired anew. Networks that "
        "follow the position in a text count as alike, and two models that read the same words are "
        "always somewhat above chance, so look at how far."
    )


atlas_and_network = atlas_frame.open_atlas(
    "Compare", "Two atlases side by side: which network is which, and how alike they are."
)
if atlas_and_network is not None:
    atlas, network = atlas_and_network
    with frame.explaining():
        panels.identity(atlas, network)
        if not cache.others(atlas.id):
            nothing_to_compare()
        other = panels.choose_other(atlas)
        if other is not None:
            match = cache.match(atlas.id, other.id)
            panels.summary(atlas, other, match)
            panels.carry(atlas, other, match)
            section = atlas_frame.section(SHOWN, key="compare-shown")
            if section == "likeness":
                show_likeness(atlas, other)
            else:
                panels.selected_pair(atlas, other, match, network)
                if section == "matrix":
                    show_matrix(atlas, other, match, network)
                else:
                    panels.pair_table(atlas, other, match, network)
                for number, compared in enumerate((atlas, other)):
                    panels.unmatched(compared, match, number)
    with frame.explaining():
        st.subheader("Apply to other texts", anchor=False)
        panels.offer_to_apply(atlas)
