"""Trust: how sure each network is, by other texts, other runs and data without networks."""

import streamlit as st

from app import assessments, atlas_frame, components, figures, recipes
from app.assessments import FIGURES, MEANING, SPEAKS
from app.caches import trust as cache
from app.figures.trust import null_histogram, size_chart, trust_scatter
from fnprune_core.networks import NetworkAtlas
from fnprune_core.verdicts import Assessment

SHOWN = {
    "networks": "Networks",
    "nulls": "Against nulls",
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


def choose(names: list[str], *, key: str) -> str:
    """Ask for one of the figures."""
    return st.segmented_control(
        "Figure",
        names,
        format_func=lambda name: FIGURES[name].title,
        default=names[0],
        required=True,
        key=f"{key}-{'-'.join(names)}",
        label_visibility="collapsed",
    )


def show_networks(atlas: NetworkAtlas, network: int, found: Assessment) -> None:
    """Draw all networks in one figure; a click on a point selects its network."""
    table = cache.table(atlas.id, found)
    name = choose(list(assessments.available(table)), key="trust-figure")
    shown = trust_scatter(
        table,
        FIGURES[name],
        selected=network,
        limits=assessments.limits_of(found, name),
        palette=components.palette(),
    )
    event = components.picture(
        shown,
        key=f"trust-{name}-{network}",
        made=recipes.code("trust", atlas=atlas.id),
        on_select="rerun",
        selection_mode="points",
    )
    st.caption(MEANING[name])
    points = event["selection"]["points"] if event else []
    if points and points[0]["point_index"] != network:
        atlas_frame.select(int(points[0]["point_index"]))
        st.rerun()
    assessments.table(atlas, network, table, COLUMNS, key="trust-table")


def show_nulls(atlas: NetworkAtlas, network: int, found: Assessment) -> None:
    """Draw a figure of the networks beside the same figure of data without networks."""
    names = assessments.comparable(found)
    table = cache.table(atlas.id, found)
    names = [name for name in names if name in table]
    if not names:
        st.info("The nulls have not been measured yet.", icon=":material/info:")
        return
    name = choose(names, key="trust-null")
    components.picture(
        null_histogram(
            table,
            FIGURES[name],
            assessments.null_values(found, name),
            selected=network,
            palette=components.palette(),
        ),
        key="trust-nulls",
        made=recipes.code("trust-nulls", atlas=atlas.id),
    )
    for null, text in SPEAKS.items():
        st.caption(f"{text} {assessments.convergence(found, null)}")


def show_variance(atlas: NetworkAtlas, network: int, found: Assessment) -> None:
    """Draw what each network explains alone, and what is lost without it."""
    components.picture(
        figures.variance_bars(cache.table(atlas.id, found), palette=components.palette()),
        key="trust-variance",
        made=recipes.code("trust", atlas=atlas.id),
    )


def show_sizes(atlas: NetworkAtlas, network: int, found: Assessment) -> None:
    """Draw reproducibility by the number of networks, and the suggestion."""
    if found.sizes is None:
        st.info("This curve has not been measured yet.", icon=":material/info:")
        return
    components.picture(
        size_chart(
            found.sizes.table(),
            suggested=found.sizes.suggested(),
            palette=components.palette(),
        ),
        key="trust-sizes",
        made=recipes.code("trust-sizes", atlas=atlas.id),
    )
    st.caption(assessments.suggestion(found.sizes, atlas.n_networks))


SECTIONS = {
    "networks": show_networks,
    "nulls": show_nulls,
    "variance": show_variance,
    "k": show_sizes,
}
opened = atlas_frame.open_atlas(
    "Trust", "How sure each network is: in other texts, in other runs, and against chance."
)
if opened is not None:
    with components.explaining():
        assessments.measure(opened[0])
        found = assessments.current(opened[0].id)
        assessments.figures_of(cache.table(opened[0].id, found).iloc[opened[1]])
        SECTIONS[atlas_frame.section(SHOWN, key="trust-shown")](*opened, found)
