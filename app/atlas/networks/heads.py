"""The attention heads that carry a network: a picture by layer and head, and the first ones."""

import numpy as np
import pandas as pd
import streamlit as st

from app.atlas.atlas_tasks import HEADS, read_heads
from app.atlas.networks.figures import head_map
from app.shell import recipes, resources, view_state, wording
from app.shell.caches import networks as cache
from app.widgets import frame, job_progress, model_offer
from app.widgets.controls import table
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas

_MOST = 8


def show(atlas: NetworkAtlas, network: int) -> None:
    """Draw which heads carry a network, or offer to measure it for all networks at once."""
    st.subheader("Attention heads", anchor=False)
    job_progress.follow(HEADS, on_done="The heads are read")
    heads = cache.heads(atlas.id)
    if heads is None:
        _offer(atlas)
        return
    share, explained = heads.share[network], heads.explained[network]
    left, right = st.columns([3, 2], gap="large")
    with left:
        draw_picture(
            head_map(share, network=network, palette=frame.palette()),
            key="heads",
            made=recipes.code(
                "network-heads", atlas=atlas.id, network=network, model=view_state.view().model
            ),
        )
    with right:
        order = np.argsort(-share, axis=None, kind="stable")[:_MOST]
        layers, numbers = np.unravel_index(order, share.shape)
        table(
            pd.DataFrame(
                {
                    "layer": layers,
                    "head": numbers,
                    "share": 100 * share[layers, numbers],
                    "explained": 100 * explained[layers, numbers],
                }
            ),
            alt=f"The heads that carry most of network {network}",
            columns={
                "share": ("share of the network", "%.1f %%"),
                "explained": ("of the head", "%.1f %%"),
            },
        )
    st.caption(f"Largest share in one head: {heads.largest.text(network, '{:.1%}')}.")
    st.caption(
        "Share of the network: of all that its time course explains of what the heads write into "
        "the residual stream, how much lies in this head. Of the head: how much of its own output "
        "the network explains. Both go along in time; neither says that the head makes the network."
    )


def _offer(atlas: NetworkAtlas) -> None:
    if job_progress.is_active(HEADS):
        return
    model = model_offer.in_memory(atlas)
    recording = resources.recording(atlas.decomposition.recording_id)
    seconds = ""
    if model is not None:
        seconds = f", about {wording.duration(recording.n_tokens * model.seconds_per_token())}"
    st.caption(
        "A recording holds the units of the MLPs alone: for the heads its texts are read once "
        f"more, for all networks at once{seconds}."
    )
    model_offer.will_be_loaded(model)
    if st.button("Read the heads", icon=":material/hub:", key="heads-read"):
        job_progress.run(read_heads(view_state.view().model, atlas.id))
