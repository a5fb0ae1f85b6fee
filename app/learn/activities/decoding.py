"""The activity of the chapter on decoding: guess what a network goes with."""

import html

import numpy as np
import streamlit as st

from app.figures import markup, networks
from app.learn import data as cache
from app.learn.lesson import Finding
from app.shell import resources, session_state, wording
from app.shell.caches import directions
from app.widgets import frame
from app.widgets.controls import button
from app.widgets.picture import draw_picture
from fnprune_core.atlas.chance.beside import told
from fnprune_core.atlas.chance.names import is_named, least_share
from fnprune_core.atlas.network_atlas import NetworkAtlas

_ROUND = "round of the lesson's guessing"


def guessing(atlas: NetworkAtlas) -> Finding | None:
    """Show words of a network, take a guess, and show what it goes with."""
    share = atlas.domain_share()
    has_domain = is_named(atlas)
    selective = [
        k for k in np.flatnonzero(has_domain).tolist() if cache.favourite_words(atlas.id, k)
    ]
    if len(atlas.domain_names) < 2 or not selective:
        st.info("No network of this atlas follows one kind of text. Open the example instead.")
    else:
        order = np.random.default_rng(0).permutation(selective)
        round_index = int(session_state.widget(_ROUND) or 0)
        _draw_round(atlas, int(order[round_index % len(order)]), round_index)
    selective_share = float(has_domain.mean())
    supports = "none" if selective_share < 0.05 else "many" if selective_share <= 0.95 else "all"
    counts_text = ", ".join(
        f"{int(((share.argmax(axis=1) == d) & has_domain).sum())} {name}"
        for d, name in enumerate(atlas.domain_names)
    )
    return Finding(
        sentence=f"Of {atlas.n_networks} networks, over "
        f"{100 * least_share(len(atlas.domain_names)):.0f} % of the energy per token lies in one "
        f"kind of text for {told(directions.named(atlas.id), 'named', '{:.0f}')}: {counts_text}.",
        supports=supports,
    )


def _draw_round(atlas: NetworkAtlas, network: int, round_index: int) -> None:
    """Draw one round: the words, the guess, and the answer."""
    words = cache.favourite_words(atlas.id, network)
    with st.container(border=True):
        st.caption(f"Round {round_index + 1}: words on which a network is strongest")
        st.html(_words(words))
        guess = st.pills(
            "In which kind of text is it strongest?",
            list(atlas.domain_names),
            format_func=wording.plain,
            key=f"lesson-guess-{round_index}",
        )
    if guess is None:
        return
    share = atlas.domain_share()[network]
    guessed_share = share[atlas.domain_names.index(guess)]
    right = atlas.domain_names[int(share.argmax())]
    name = wording.plain(resources.network_name(atlas.id, network))
    if guess == right:
        st.success(f"Right: network {network}, “{name}”.", icon=":material/check:")
    else:
        st.error(
            f"It is {wording.plain(right)}: network {network}, “{name}”. "
            f"{wording.plain(guess)} has {100 * guessed_share:.0f} % of its "
            f"energy, {wording.plain(right)} {100 * share.max():.0f} %.",
            icon=":material/close:",
        )
    draw_picture(
        networks.domain_bars(share, atlas.domain_names, palette=frame.palette()),
        key="lesson-domains",
    )
    button(
        "Next network",
        "arrow_forward",
        key="lesson-next-guess",
        does=lambda: session_state.remember(_ROUND, round_index + 1),
    )


def _words(words: list[str]) -> str:
    palette = frame.palette()
    spans = "".join(
        f'<code style="font-size:1.05rem;padding:.2rem .6rem;background:{palette.surface};'
        f'border:1px solid {palette.line};border-radius:5px;color:{palette.text}">'
        f"{html.escape(repr(markup.visible(word))[1:-1])}</code>"
        for word in words
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:.5rem">{spans}</div>'
