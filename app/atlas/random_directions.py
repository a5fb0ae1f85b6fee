"""A statistic of a network beside that of random directions, as pages say it."""

import pandas as pd
import streamlit as st

from app.atlas.atlas_tasks import DIRECTIONS, measure_directions
from app.figures.markup import signed
from app.shell.caches import directions as cache
from app.widgets import job_progress
from app.widgets.controls import button, table
from fnprune_core.atlas.chance.beside import STATISTICS, Beside
from fnprune_core.atlas.chance.directions import KINDS
from fnprune_core.atlas.network_atlas import NetworkAtlas

ABOUT = (
    "Random directions have as many maps as there are networks, with each map's values permuted "
    "among the units of a layer. A network above 95 % of them is more than a direction by chance."
)


def show(beside: Beside | None, network: int, says: str, *, form: str = "{:.2f}") -> None:
    """Draw a network's figure beside those of random directions, and whether it is above them.

    Parameters
    ----------
    says : str
        What the figure is, with {} in its place.
    """
    if beside is None:
        return
    own, usual = beside.networks[network], beside.control_median()
    text = (
        f"{says.format(form.format(own))}; {form.format(usual)} for random directions "
        f"(95th percentile {form.format(beside.limit())}), a difference of "
        f"{signed(own - usual, '+' + form[2:-1])}."
    )
    if beside.is_above()[network]:
        st.caption(text, help=ABOUT)
    else:
        st.warning(f"**Not above random directions.** {text}", icon=":material/casino:")


def show_all(atlas: NetworkAtlas) -> None:
    """Draw each statistic of networks beside that of random directions of each kind."""
    totals = cache.totals(atlas.id)
    if not totals:
        return
    found = {name: cache.beside(atlas.id, name) for name in STATISTICS}
    tables = [
        each.table().assign(statistic=STATISTICS[name].title)
        for name, each in found.items()
        if each is not None
    ]
    text = st.column_config.TextColumn
    table(
        pd.concat(tables)[["statistic", "kind", *list(tables[0].columns[1:-1])]],
        alt="Statistics of networks beside those of random directions",
        columns={
            "statistic": text("statistic", width="small"),
            "kind": text("directions", width="small"),
            "networks": ("networks, median", "%.2f"),
            "directions": ("directions, median", "%.2f"),
            "difference": "%+.2f",
            "limit": ("95th percentile", "%.2f"),
            "above": "networks above",
        },
    )
    table(
        pd.DataFrame(totals).T.rename_axis("of").reset_index(),
        alt="Figures of all networks, and of all random directions of each kind",
        columns={
            "of": "of",
            "explained": (
                "variance explained",
                "percent",
                "By all together. Rotated directions span the same space and explain the same.",
            ),
            "differ": ("domains differ", "", "Corrected p below 0.05."),
            "named": "named after a domain",
            "hold": (
                "name holds",
                "",
                "On documents that it was not given from, around the mean of each session.",
            ),
            "silhouette": ("silhouette of groups", "%.2f"),
            "mean_r": ("mean |r| of pairs", "%.2f"),
        },
    )
    for kind, keeps in KINDS.items():
        st.caption(f"{kind.capitalize()}: {keeps}")


def offer(atlas: NetworkAtlas, *, key: str) -> None:
    """Offer to make random directions, where there are none."""
    job_progress.follow(DIRECTIONS, on_done="Random directions were read")
    if cache.are_made(atlas.id) or job_progress.is_active(DIRECTIONS):
        return
    button(
        "Compare with random directions",
        "casino",
        key=f"directions-{key}",
        help=f"{ABOUT} Reads the recording once more, and is kept.",
        does=lambda: job_progress.start(measure_directions(atlas=atlas.id)),
    )
