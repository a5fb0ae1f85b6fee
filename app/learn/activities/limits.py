"""The activity of the last chapter: smoothing, and a table of breaks with their experiments."""

import numpy as np
import streamlit as st
from scipy.stats import norm

from app.learn import data as cache
from app.learn import figures as drawn
from app.learn.activities.shared import pick_network
from app.learn.lesson import Finding
from app.shell import resources
from app.widgets import frame
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.recording.sessions import document_codes

_ASKED = 2.0


def smoothing(atlas: NetworkAtlas) -> Finding | None:
    """Draw how much of a map's peaks smoothing leaves, and list where the analogy breaks."""
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    with left:
        network = pick_network(atlas, chapter="limits", default=cache.most_selective(atlas.id))
    with right:
        width: float = st.select_slider(
            "Smoothing: full width at half maximum, in places",
            cache.WIDTHS,
            value=_ASKED,
            key="lesson-width",
            help="A voxel of the motor map is 3 mm wide: 2 voxels are 6 mm.",
        )
    brain = cache.peak_left_in_the_brain()
    model = cache.peak_left(atlas.id, network, resources.cortex(atlas.id) is not None)
    width_index = cache.WIDTHS.index(width)
    curves = {"brain: motor map": brain, "model: units by number": model["number"]}
    sentence = (
        f"Smoothed over {width:g} places, {100 * brain[width_index]:.0f} % of the peaks of the "
        f"motor map are left, and {100 * model['number'][width_index]:.0f} % of those of network "
        f"{network} by number"
    )
    if "cortex" in model:
        curves["model: in this app's cortex"] = model["cortex"]
        sentence += (
            f"; {100 * model['cortex'][width_index]:.0f} % in the cortex, "
            "which was laid out to that end"
        )
    sentence += "."
    draw_picture(
        drawn.lines(
            curves, cache.WIDTHS, x_title="smoothing, in places", y_title="share of the peaks left",
            says=sentence + " The motor map ends at 7.9, and was smoothed when it was made.",
            palette=frame.palette(), marked=width,
        ),
        key="lesson-smoothing",
    )  # fmt: skip
    _draw_breaks(atlas, network)
    asked_index = cache.WIDTHS.index(_ASKED)
    gap = float(brain[asked_index] - model["number"][asked_index])
    supports = "less" if gap > 0.1 else "more" if gap < -0.1 else "as-much"
    return Finding(
        sentence=f"Over {_ASKED:g} places, {100 * brain[asked_index]:.0f} % of the motor map's "
        f"peaks are left and {100 * model['number'][asked_index]:.0f} % of those of "
        f"network {network}.",
        supports=supports,
    )


def _draw_breaks(atlas: NetworkAtlas, network: int) -> None:
    """Draw the table of breaks: where, the experiment that shows it, and its result here."""
    st.subheader("Six breaks, and the experiment that shows each", anchor=False)
    by_number = cache.likeness(atlas.id, network, has_cortex=False)["number"]
    counts = cache.networks_per_unit(atlas.id, 3.0)
    overlap_share = counts[2:].sum() / max(counts[1:].sum(), 1)
    words = cache.favourite_words(atlas.id, network)
    lag = cache.event_average(atlas.id, network, words[0]).peak if words else None
    largest_by_chance = float(norm.isf(0.5 / max(int(atlas.decomposition.alive.sum()), 1)))
    n_documents = len(np.unique(document_codes(atlas.tokens)))
    rows = [
        (
            "No neighbours",
            "Correlate units that are next to each other by number",
            f"r = {by_number[0]:.2f} (motor map: {cache.likeness_in_the_brain()[0]:.2f})",
        ),
        (
            "No blood",
            "Average a network around its word",
            "–" if lag is None else f"highest at lag {lag} (blood: about 5 s)",
        ),
        (
            "Networks overlap",
            "Count units that pass the threshold in several maps",
            f"{100 * overlap_share:.0f} % of members are in two or more",
        ),
        (
            "People are texts",
            "Ask for whom a result holds: one model, other texts",
            f"1 model, {n_documents} documents",
        ),
        (
            "z is no test",
            "Draw a map of noise alone, with as many units",
            f"its largest |z| is about {largest_by_chance:.1f}",
        ),
        (
            "A lesion is exact",
            "Silence a network, wake it, read again: the chapter Lesions",
            "the healthy model is back bit for bit",
        ),
    ]
    st.table(
        {
            "It breaks at": [row[0] for row in rows],
            "Experiment": [row[1] for row in rows],
            "Here": [row[2] for row in rows],
        },
        border="horizontal",
        alt="Where the analogy breaks, and the experiment that shows it",
    )
