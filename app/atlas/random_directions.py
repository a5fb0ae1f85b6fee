"""A statistic of a network beside that of random directions, as pages say it."""

import pandas as pd
import streamlit as st

from app.atlas.direction_tasks import DIRECTIONS, measure_directions
from app.figures.markup import signed
from app.shell import view_state
from app.shell.caches import directions as cache
from app.widgets import job_progress
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
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    st.dataframe(
        pd.concat(tables)[["statistic", "kind", *list(tables[0].columns[1:-1])]],
        hide_index=True,
        alt="Statistics of networks beside those of random directions",
        column_config={
            "statistic": text("statistic", width="small"),
            "kind": text("directions", width="small"),
            "networks": number("networks, median", format="%.2f"),
            "directions": number("directions, median", format="%.2f"),
            "difference": number(format="%+.2f"),
            "limit": number("95th percentile", format="%.2f"),
            "above": number("networks above"),
        },
    )
    st.dataframe(
        pd.DataFrame(totals).T.rename_axis("of").reset_index(),
        hide_index=True,
        alt="Figures of all networks, and of all random directions of each kind",
        column_config={
            "of": text("of"),
            "differ": number("domains differ", help="Corrected p below 0.05."),
            "named": number("named after a domain"),
            "hold": number(
                "name holds",
                help="On documents that it was not given from, around the mean of each session.",
            ),
            "silhouette": number("silhouette of groups", format="%.2f"),
            "mean_r": number("mean |r| of pairs", format="%.2f"),
        },
    )
    for kind, keeps in KINDS.items():
        st.caption(f"{kind.capitalize()}: {keeps}")


def offer(atlas: NetworkAtlas, *, key: str) -> None:
    """Offer to make random directions, where there are none."""
    job_progress.follow(
        DIRECTIONS, on_done=lambda job: view_state.notify("Random directions were read")
    )
    if cache.are_made(atlas.id) or job_progress.is_active(DIRECTIONS):
        return
    st.button(
        "Compare with random directions",
        icon=":material/casino:",
        key=f"directions-{key}",
        help=f"{ABOUT} Reads the recording once more, and is kept.",
        on_click=lambda: job_progress.start(measure_directions(atlas=atlas.id)),
    )
