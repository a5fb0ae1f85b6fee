"""Panels of the Trust page: the measuring, its progress, and the meaning of each measure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.atlas import atlas_tasks
from app.atlas.reliability import data as cache
from app.atlas.reliability.figures import TrustFigure
from app.figures.markup import signed
from app.shell import glossary, view_state, wording
from app.shell.caches import trust
from app.shell.jobs.job import Job
from app.widgets import controls, job_progress
from app.widgets.controls import button
from fnprune_core.atlas.membership import HIGH
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.reliability import assess
from fnprune_core.reliability.results import ENOUGH, SPEAKS_TO, Assessment, SizeCurve

KIND = "assess"
NULLS = {"gaussian": "Gaussian null", "shift": "shift null"}
#: Figure of a null → the column of the networks that is read against it.
OF_NULL = {"kurtosis": "kurtosis", "again": "again_seeds", "r": "reproducibility"}
FIGURES = {
    "reproducibility": TrustFigure(column="reproducibility", title="split-half r"),
    "again_bootstrap": TrustFigure(column="again_bootstrap", title="found again, bootstraps"),
    "again_seeds": TrustFigure(column="again_seeds", title="found again, seeds"),
    "kurtosis": TrustFigure(column="kurtosis", title="kurtosis of the map", is_share=False),
}
MEANING = {
    "reproducibility": (
        "The documents are divided in two halves, each half is decomposed by itself, and a "
        "network's two partners are compared. A high value means that the network does not "
        "depend on which texts were read. Each half has only half of the tokens."
    ),
    "again_bootstrap": (
        "Sessions are drawn anew with replacement and decomposed. Shown is Iq (how much alike the "
        "maps of a cluster are, less how much they resemble all others) times the share of the "
        "runs in which the cluster was found: a map that one run alone has found is not stable."
    ),
    "again_seeds": (
        "ICA starts from other random numbers on the same data. A high value means that the "
        "algorithm agrees with itself. That alone does not make a network real: heavy-tailed "
        "units are found again, too."
    ),
    "kurtosis": (
        "How sparse the map is: 0 for a normal distribution, high when few units carry it."
    ),
}
SPEAKS = {
    "gaussian": (
        "Gaussian null: the units' loadings are drawn from a normal distribution with the "
        "observed covariance of all components. Variance is as it was, and there is nothing for "
        "ICA to find. It applies to all measures."
    ),
    "shift": (
        "Shift null: every unit is shifted in time by itself within each session. It keeps its "
        "values and its mean in each session, but no longer rises and falls together with "
        "others. It applies to kurtosis and to split-half r, where it also shows what domains "
        "alone, through the session means, would reproduce; not to what is found again."
    ),
}

_SHARES = ("reproducibility", "again_bootstrap", "again_seeds")


def current(atlas_id: str) -> Assessment:
    """Return the stored assessment, with what a running job has measured so far."""
    assessment = trust.assessment(atlas_id)
    job = job_progress.job_of(KIND)
    if job is None or not job.is_active or job.inputs["atlas"] != atlas_id:
        return assessment
    measured_parts: dict[str, Any] = {event.part: event.result for event in _events(job)}
    return replace(assessment, **measured_parts)


def _events(job: Job) -> list[assess.Measured]:
    return [event for event in job.events if isinstance(event, assess.Measured)]


def measure(atlas: NetworkAtlas) -> None:
    """Draw the parts that are measured and those to do, the button, and the progress."""
    measured_parts = dict(trust.assessment_key(atlas.id))
    no_halves = cache.why_no_halves(atlas.id)
    possible_parts = [n for n in assess.PARTS if not (no_halves and n in assess.NEED_HALVES)]
    missing_parts = [name for name in possible_parts if name not in measured_parts]
    job = job_progress.job_of(KIND)
    if no_halves:
        st.info(
            wording.sentence(f"No reproducibility for this recording. {no_halves}"),
            icon=":material/info:",
        )
    if job is not None and job.is_active:
        watch(job)
        return
    job_progress.follow(KIND)
    if missing_parts:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            task = atlas_tasks.assess(atlas=atlas.id, parts=missing_parts)
            label = "Measure the rest" if measured_parts else "Measure"
            button(label, "fact_check", kind="primary", does=job_progress.start, args=(task,))
            names = ", ".join(assess.PARTS[name].title.lower() for name in missing_parts)
            st.caption(
                f"To do: {names}. Together they take some minutes; each appears when it is done, "
                "and finished ones are kept if you stop.",
                width="stretch",
            )


def watch(job: Job) -> None:
    """Poll the job in a fragment; the page runs again whenever there is more to show."""
    st.fragment(_poll, run_every=1.0)(job.id, len(_events(job)))


def _poll(job_id: str, n_seen: int) -> None:
    job = job_progress.running(job_id)
    if job is None or len(_events(job)) > n_seen:
        st.rerun()
    else:
        job_progress.draw_progress(job)


def figures_of(row: pd.Series) -> None:
    """Draw the figures of one network.

    Parameters
    ----------
    row : Series
        Its row of the table that `app.atlas.reliability.data.table` returns.
    """
    with st.container(horizontal=True):
        if "reproducibility" in row:
            spread = row["reproducibility_sd"]
            spread_text = f" ± {spread:.2f}" if spread == spread else ""
            text = f"{row['reproducibility']:.2f}{spread_text}"
            help_text = f"Mean and SD over splits. {MEANING['reproducibility']}"
            st.metric("Split-half r", text, help=help_text)
        for kind in ("bootstrap", "seeds"):
            name = f"again_{kind}"
            if name in row:
                iq, share, r = (
                    row[f"{measure_name}_{kind}"] for measure_name in ("iq", "runs", "match")
                )
                st.metric(
                    FIGURES[name].title.capitalize(),
                    f"{row[name]:.2f}",
                    help=f"Iq {iq:.2f} in {100 * share:.0f} % of the runs; r {signed(r, '.2f')} "
                    "between this network and the most central map of the cluster. "
                    f"{MEANING[name]}",
                )
        st.metric(
            "Alone explains", f"{100 * row['variance_alone']:.2f} %", help=glossary.tip("variance")
        )
        st.metric(
            "Left out, lost",
            f"{100 * row['variance_left_out']:.2f} %",
            help=glossary.tip("variance"),
        )
        st.metric("Kurtosis", f"{row['kurtosis']:.1f}", help=MEANING["kurtosis"])


def limits_of(assessment: Assessment, column: str) -> Mapping[str, float]:
    """Return the nulls' 95th percentiles that a column may be read against."""
    return {
        NULLS[null]: limit
        for (null, figure), limit in assessment.limits().items()
        if OF_NULL[figure] == column
    }


def comparable(assessment: Assessment) -> list[str]:
    """Return the columns for which some null speaks."""
    columns = {OF_NULL[figure] for _, figure in assessment.limits()}
    return [name for name in FIGURES if name in columns]


def null_values(assessment: Assessment, column: str) -> dict[str, NDArray[np.float64]]:
    """Return the values of each null that speaks to a column."""
    return {
        NULLS[null]: getattr(getattr(assessment, null), figure)
        for null, figures in SPEAKS_TO.items()
        for figure in figures
        if OF_NULL[figure] == column and getattr(assessment, null) is not None
    }


def convergence(assessment: Assessment, null: str) -> str:
    """Return how many of a null's ICA runs converged, as a sentence."""
    measured = getattr(assessment, null)
    if measured is None:
        return "Not measured yet."
    return f"{measured.n_converged} of its {measured.n_runs} ICA runs converged."


def table(
    atlas: NetworkAtlas, network: int, values: pd.DataFrame, columns: Mapping[str, str], *, key: str
) -> None:
    """Draw all figures of all networks, sortable; a chosen row selects its network.

    Parameters
    ----------
    columns : mapping
        Column → heading, for those that are shown if they are there.
    """
    shown_values = values[["network", "name", *(name for name in columns if name in values)]].copy()
    shown_values.insert(
        0, "selected", ["▸" if k == network else "" for k in shown_values["network"]]
    )
    for name in ("variance_alone", "variance_left_out"):
        shown_values[name] *= 100
    bar, number = st.column_config.ProgressColumn, st.column_config.NumberColumn
    controls.table(
        shown_values,
        height=420,
        key=f"{key}-{network}",
        on_row=lambda row: view_state.change(network=int(shown_values["network"].iloc[row])),
        alt="What was measured of each network",
        columns={
            "selected": st.column_config.TextColumn("", width=24, pinned=True),
            "network": number("no.", width=48, pinned=True),
            "name": st.column_config.TextColumn("name", width="medium"),
            **{
                name: bar(title, min_value=0, max_value=1, format="%.2f", color="auto")
                if name in _SHARES
                else (title, "%.2f")
                for name, title in columns.items()
            },
        },
    )


def suggestion(curve: SizeCurve, n_networks: int) -> str:
    """Return a text on the K that the curve suggests, by which rule, and how far it carries."""
    rule = (
        f"Rule: n is how many networks have an r of {HIGH} or more between halves, the mean over "
        f"{curve.median.shape[1]} splits. Their number n grows with K while their share n / K "
        f"falls; the smallest K is taken at which the product is within {100 * (1 - ENOUGH):.0f} "
        "% of its best."
    )
    if not curve.is_whole:
        return rule
    suggested_k = curve.suggested()
    if suggested_k is None:
        return f"{rule} No K has such a network: record more documents."
    text = f"{rule} It suggests K = {suggested_k}; this atlas has {n_networks}."
    if curve.still_rises:
        text += (
            " That is the largest K tried, so that more may be better still. The rule counts the "
            "networks that come back, and not how well the usual one does."
        )
    return text
