"""Panels of the Probe page: the coloured tokens, and the networks of the text."""

import numpy as np
import streamlit as st

from app.atlas import random_directions
from app.figures.distinct import network_colours
from app.shell import resources, view_state, wording
from app.shell.caches import networks
from app.widgets import frame
from app.widgets.gallery import bar_list
from app.widgets.token_reader import reader, token_networks
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.probe import Reading

COLOURING = {"selected": "Selected network", "strongest": "Strongest network"}


def select_token(token: int) -> None:
    """Select a token of the text in the view."""
    view_state.change(token=token, session=-1)


def selected_token(reading: Reading) -> int | None:
    """Return the token of the text that the view has selected."""
    view = view_state.view()
    return view.token if view.session == -1 and 0 <= view.token < reading.n_tokens else None


def show_tokens(atlas: NetworkAtlas, network: int, reading: Reading, colouring: str) -> None:
    """Draw the text coloured by the selected network, or each token by its strongest one."""
    is_dummy = reading.is_dummy
    if colouring == "strongest":
        strongest, relative = reading.strongest(), reading.relative()
        colours = network_colours(frame.palette(), atlas.n_networks)
        strongest_values = np.abs(relative[strongest, np.arange(reading.n_tokens)])
        names = [f"network {k}" for k in range(atlas.n_networks)]
        reader(
            reading.pieces,
            np.where(is_dummy, np.nan, strongest_values),
            limit=6.0,
            key="probe-tokens-strongest",
            on_pick=select_token,
            selected=selected_token(reading),
            hues=[colours[k] for k in strongest],
            tips=[names[k] for k in strongest],
            name="Tokens in the colour of their strongest network",
        )
        return
    rarity = reading.rarity[network]
    reader(
        reading.pieces,
        np.where(is_dummy, np.nan, reading.strengths[network]),
        limit=networks.strength(atlas.id, network),
        key="probe-tokens",
        on_pick=select_token,
        selected=selected_token(reading),
        tips=[share_of_tokens(float(share)) for share in rarity],
        name=f"Tokens, coloured by network {network}",
    )


def share_of_tokens(share: float) -> str:
    """Return how rare a strength is, in words."""
    if share <= 0:
        return "stronger than on any token recorded"
    percent_text = "less than 0.1 %" if share < 0.001 else f"{share * 100:.1f} %"
    return f"as strong on {percent_text} of the tokens recorded"


def facts(reading: Reading) -> None:
    """Draw how the text was read."""
    sentences = [
        wording.count(reading.n_tokens, "token"),
        f"the first {int(reading.is_dummy.sum()):,} left out"
        if reading.n_windows == 1
        else f"read in {reading.n_windows} windows, each without memory of the one before",
    ]
    log_probabilities = reading.log_probability[~np.isnan(reading.log_probability)]
    if len(log_probabilities):
        sentences.append(f"perplexity {np.exp(-log_probabilities.mean()):,.1f}")
    st.caption(" · ".join(sentences))


def legend(atlas: NetworkAtlas, reading: Reading, *, n: int = 12) -> None:
    """Draw which colour is which network, by the number of tokens it is strongest on."""
    strongest = reading.strongest()
    counts = np.bincount(strongest[strongest >= 0], minlength=atlas.n_networks)
    order = [int(k) for k in np.argsort(-counts, kind="stable")[:n] if counts[k]]
    colours = network_colours(frame.palette(), atlas.n_networks)
    bar_list(
        [
            {
                "id": k,
                "name": f"{k} · {resources.network_name(atlas.id, k)}",
                "note": wording.count(int(counts[k]), "token"),
                "share": counts[k] / counts.max(),
                "colour": colours[k],
            }
            for k in order
        ],
        key="probe-legend",
        on_pick=lambda k: view_state.change(network=k),
        selected=view_state.view().network,
        name="Networks by the number of tokens on which they are strongest",
        oneway=True,
    )
    if np.count_nonzero(counts) > n:
        n_more = np.count_nonzero(counts) - n
        st.caption(f"and {wording.count(int(n_more), 'network')} more")


def ranking(atlas: NetworkAtlas, reading: Reading, *, n: int = 12) -> None:
    """Draw the networks by their energy on the text relative to that in the recording."""
    energy = reading.energy()
    order = np.argsort(-energy, kind="stable")[:n]
    colours = frame.palette()
    bar_list(
        [
            {
                "id": int(k),
                "name": f"{k} · {resources.network_name(atlas.id, int(k))}",
                "note": f"{energy[k]:.1f}×",
                "share": float(energy[k] / max(energy[order[0]], 1e-12)),
                "colour": colours.accent if k == view_state.view().network else colours.quiet,
            }
            for k in order
        ],
        key="probe-ranking",
        on_pick=lambda k: view_state.change(network=k),
        selected=view_state.view().network,
        name="Networks by their energy on this text",
        oneway=True,
    )


def beside(network: int, reading: Reading) -> None:
    """Draw the selected network's energy on the text beside that of random directions."""
    found = reading.beside()
    if found is None:
        return
    st.caption(
        f"Network {network}: {found.text(network, '{:.1f}×')}. {int(found.is_above().sum())} of "
        f"{len(found.networks)} networks are above that.",
        help=random_directions.ABOUT,
    )


def at_token(atlas: NetworkAtlas, network: int, reading: Reading, token: int) -> None:
    """Draw all networks at the picked token."""
    piece = repr(reading.pieces[token])[1:-1]
    st.subheader(f"Token {token}: “{wording.plain(piece)}”", anchor=False)
    if reading.is_dummy[token]:
        st.caption("Left out: at the first tokens of a window the model only warms up.")
        return
    sentences = [
        f"Network {network}: strength {reading.strengths[network, token]:.2f}, "
        + share_of_tokens(float(reading.rarity[network, token]))
    ]
    log_p = float(reading.log_probability[token])
    if log_p == log_p:
        sentences.append(f"the model gave this token a probability of {np.exp(log_p):.2g}")
    st.caption(wording.plain(" · ".join(sentences)))
    token_networks(atlas, reading.strengths[:, token], key="probe-at-token")
