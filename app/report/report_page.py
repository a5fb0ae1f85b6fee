"""Report: everything that was done and found, in one file that prints."""

import streamlit as st

from app.report import report_tasks
from app.shell import resources, view_state, wording
from app.shell.jobs.job import Job
from app.widgets import atlas_frame, frame, job_progress
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.report import material, sections

KIND = "report"


def choose(atlas: NetworkAtlas) -> sections.ReportSettings | None:
    """Ask what is to be in the report; None where nothing is chosen."""
    st.subheader("What the report contains", anchor=False)
    chosen = []
    for key, row in sections.SECTIONS.items():
        if st.checkbox(f"**{row.title}**: {row.tells}", value=True, key=f"report-section-{key}"):
            chosen.append(key)
    left, right = st.columns(2)
    with left:
        n_detailed = st.slider(
            "Networks shown in full",
            0,
            atlas.n_networks,
            min(12, atlas.n_networks),
            key="report-networks",
            help="The most typical of each domain in turn, half a printed page each. The tables "
            "have all networks.",
            disabled="networks" not in chosen,
        )
    with right:
        z = atlas_frame.units_rule(atlas, "report-z")
    if not chosen:
        st.info("Choose at least one section.", icon=":material/info:")
        return None
    return sections.ReportSettings(sections=tuple(chosen), z=z, n_detailed=n_detailed)


def lacking(atlas: NetworkAtlas, settings: sections.ReportSettings) -> None:
    """Say what the report would lack, and how each is made."""
    st.subheader("What would be missing", anchor=False)
    m = material.Material(workspace=resources.workspace(), atlas=atlas, z=settings.z)
    found = sections.lacks(m, settings.sections)
    if not found:
        st.caption("Nothing: everything that these sections show has been measured.")
    for title, missing in found:
        where = f" Page {missing.page}, or:" if missing.page else ""
        st.markdown(f"**{title}.** {wording.sentence(missing.what)}{where}")
        st.code(missing.command, language="bash", wrap_lines=True)


def write(atlas: NetworkAtlas, settings: sections.ReportSettings | None) -> None:
    """Draw the button, the job, and what it wrote."""
    job_progress.follow(KIND, on_done="The report is written")
    job = job_progress.job_of(KIND)
    if job is not None and job.is_active:
        return
    order = (
        None if settings is None else report_tasks.ReportOrder(atlas=atlas.id, settings=settings)
    )
    pressed = st.button(
        "Write the report",
        type="primary",
        icon=":material/summarize:",
        key="report-write",
        disabled=order is None,
    )
    if pressed and order is not None:
        job_progress.run(report_tasks.report(order))
    if job is not None and job.state == "done" and job.inputs["atlas"] == atlas.id:
        take(job)
    options = "" if settings is None else f" --networks {settings.n_detailed}"
    if settings is not None and settings.z is not None:
        options += f" --z {settings.z:g}"
    if settings is not None and len(settings.sections) < len(sections.SECTIONS):
        options += f" --sections {','.join(settings.sections)}"
    st.code(f"fnprune report {atlas.id} report.html{options}", language="bash", wrap_lines=True)


def show(atlas: NetworkAtlas) -> None:
    """Draw the choice, the button, and what is lacking."""
    left, right = st.columns([3, 2], gap="large")
    with left, frame.explaining():
        settings = choose(atlas)
        write(atlas, settings)
    with right, frame.explaining():
        if settings is not None:
            lacking(atlas, settings)


def take(job: Job) -> None:
    """Offer what was written."""
    path = job.result
    if path.is_file():
        st.download_button(
            f"Report, {wording.size(path.stat().st_size)}",
            path.read_bytes,
            file_name=path.name,
            mime="text/html",
            icon=":material/download:",
            key="report-html",
            on_click="ignore",
        )
        st.caption(
            "One file that opens and prints in any browser. It needs no internet connection and "
            "carries its tables as CSV."
        )


frame.heading(
    "Report",
    "Methods, results, limits, commands and tables in one file, for reviewers.",
    terms=("unit_of_resampling", "fdr"),
)
with frame.explaining():
    if view_state.view().atlas:
        show(resources.atlas(view_state.view().atlas))
    else:
        frame.no_networks()
