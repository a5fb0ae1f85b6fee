"""Trust page: how sure each network is, by other texts, other runs and data without networks."""

import streamlit as st

from app.atlas import random_directions
from app.atlas.reliability import data as cache
from app.atlas.reliability import panels
from app.atlas.reliability.figures import null_histogram, size_chart, trust_scatter
from app.atlas.reliability.panels import FIGURES, MEANING, SPEAKS
from app.figures import networks
from app.shell import recipes, resources
from app.shell.caches import directions
from app.shell.jobs.job import describe_error
from app.widgets import atlas_frame, frame, lasso
from app.widgets.controls import choose
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.reliability.assess import unreadable_parts
from fnprune_core.reliability.results import Assessment

SHOWN = {
    "networks": "Networks",
    "nulls": "Against nulls",
    "directions": "Random directions",
    "variance": "Variance",
    "k": "How many networks",
}
COLUMNS = {
    "reproducibility": "split-half r",
    "reproducibility_sd": "± SD",
    "again_bootstrap": "found again, bootstraps",
    "iq_bootstrap": "Iq",
    "runs_bootstrap": "share of runs",
    "match_bootstrap": "r to the cluster",
    "again_seeds": "found again, seeds",
    "variance_alone": "% alone",
    "variance_left_out": "% left out",
    "kurtosis": "kurtosis",
}


def show_networks(atlas: NetworkAtlas, network: int, assessment: Assessment) -> None:
    """Draw all networks in one figure; a click on a point selects its network."""
    table = cache.table(atlas.id, assessment)
    titles = {name: figure.title for name, figure in FIGURES.items() if name in table}
    name = choose("Figure", titles, key=f"trust-figure-{'-'.join(titles)}")
    picture = trust_scatter(
        table,
        FIGURES[name],
        selected=network,
        limits=panels.limits_of(assessment, name),
        palette=frame.palette(),
    )
    event = draw_picture(
        picture,
        key=f"trust-{name}-{network}",
        made=recipes.code("trust", atlas=atlas.id),
        on_select="rerun",
        selection_mode="points",
    )
    st.caption(MEANING[name])
    if name == "reproducibility":
        st.caption(assessment.recurrence_sentence())
    picked = lasso.chosen_rows(event)
    if picked and picked[0] != network:
        atlas_frame.select(picked[0])
        st.rerun()
    panels.table(atlas, network, table, COLUMNS, key="trust-table")


def show_nulls(atlas: NetworkAtlas, network: int, assessment: Assessment) -> None:
    """Draw a figure of the networks beside the same figure of data without networks."""
    table = cache.table(atlas.id, assessment)
    measured = panels.comparable(assessment)
    titles = {name: FIGURES[name].title for name in measured if name in table}
    if not titles:
        st.info("The nulls have not been measured yet.", icon=":material/info:")
        return
    name = choose("Figure", titles, key=f"trust-null-{'-'.join(titles)}")
    draw_picture(
        null_histogram(
            table,
            FIGURES[name],
            panels.null_values(assessment, name),
            selected=network,
            palette=frame.palette(),
        ),
        key="trust-nulls",
        made=recipes.code("trust-nulls", atlas=atlas.id),
    )
    for null, text in SPEAKS.items():
        st.caption(f"{text} {panels.convergence(assessment, null)}")


def show_directions(atlas: NetworkAtlas, network: int, assessment: Assessment) -> None:
    """Draw statistics of networks beside the same of random directions."""
    random_directions.offer(atlas, key="trust")
    st.caption(assessment.recurrence_sentence())
    random_directions.show_all(atlas)


def show_variance(atlas: NetworkAtlas, network: int, assessment: Assessment) -> None:
    """Draw what each network explains alone, and what is lost without it."""
    draw_picture(
        networks.variance_bars(cache.table(atlas.id, assessment), palette=frame.palette()),
        key="trust-variance",
        made=recipes.code("trust", atlas=atlas.id),
    )
    st.caption(directions.explained(atlas.id))
    random_directions.show(
        directions.beside(atlas.id, "variance"), network, "By itself it explains {} % of it"
    )


def show_sizes(atlas: NetworkAtlas, network: int, assessment: Assessment) -> None:
    """Draw reproducibility by the number of networks, and the suggestion."""
    if assessment.sizes is None:
        st.info("This curve has not been measured yet.", icon=":material/info:")
        return
    draw_picture(
        size_chart(
            assessment.sizes.table(),
            suggested=assessment.sizes.suggested(),
            palette=frame.palette(),
        ),
        key="trust-sizes",
        made=recipes.code("trust-sizes", atlas=atlas.id),
    )
    st.caption(panels.suggestion(assessment.sizes, atlas.n_networks))


SECTIONS = {
    "networks": show_networks,
    "nulls": show_nulls,
    "directions": show_directions,
    "variance": show_variance,
    "k": show_sizes,
}
atlas_and_network = atlas_frame.open_atlas(
    "Trust", "How reliable each network is: in other texts, in other runs, and against chance."
)
if atlas_and_network is not None:
    with frame.explaining():
        panels.measure(atlas_and_network[0])
        for error in unreadable_parts(resources.workspace(), atlas_and_network[0].id):
            frame.error(describe_error(error))
        assessment = panels.current(atlas_and_network[0].id)
        panels.figures_of(
            cache.table(atlas_and_network[0].id, assessment).iloc[atlas_and_network[1]]
        )
        SECTIONS[atlas_frame.section(SHOWN, key="trust-shown")](*atlas_and_network, assessment)
