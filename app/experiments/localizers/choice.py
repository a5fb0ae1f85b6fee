"""Choosing a localizer: a ready one or one's own, its stimuli, and the button that runs it."""

import pandas as pd
import streamlit as st

from app.experiments.localizers import localizer_tasks
from app.shell import view_state, wording
from app.shell.jobs.job import describe_error
from app.widgets import controls, frame, job_progress
from app.widgets.controls import button
from app.widgets.picture import csv_button
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import TextError
from fnprune_core.localizers import ready_made
from fnprune_core.localizers.run import Found
from fnprune_core.localizers.stimuli import LEAST_BLOCKS, Localizer, read_localizer

OWN = "own"
_FORMAT = (
    "CSV or TSV in UTF-8 with two columns, condition and text, one item per line. A third "
    "column, template, says which items share a frame; templates are then what is resampled, and "
    "those that every condition has are paired. Keep conditions alike in all but what you want "
    f"to find, also in length. At least {LEAST_BLOCKS} templates, or {2 * LEAST_BLOCKS} items, of "
    "each."
)


def choose(runs: list[Found]) -> str:
    """Draw the choice among ready localizers and one's own; return its name, `OWN` or an id."""
    viewed_name = view_state.view().localizer
    own_ids = [finished.id for finished in runs if finished.name not in ready_made.READY]
    names = [*ready_made.READY, *own_ids, OWN]
    current = viewed_name if viewed_name in names else next(iter(ready_made.READY))
    names_run = {finished.name for finished in runs} | set(own_ids)
    titles = {name: localizer.title for name, localizer in ready_made.READY.items()}
    titles |= {finished.id: finished.title for finished in runs if finished.id in own_ids}
    titles[OWN] = "Your own"
    chosen = st.pills(
        "Localizer",
        names,
        format_func=lambda name: (
            (":material/check: " if name in names_run else "")
            + (":material/upload: " if name == OWN else "")
            + wording.plain(titles[name])
        ),
        default=current,
        required=True,
        key=f"localizer-{current}-{len(names_run)}",
        label_visibility="collapsed",
    )
    if chosen is not None and chosen != current:
        view_state.change(localizer=chosen, show="")
        st.rerun()
    return current


def upload() -> Localizer | None:
    """Return the localizer of an uploaded file; None while there is none that works."""
    file = st.file_uploader("File with conditions and texts", type=["csv", "tsv", "txt"])
    st.caption(_FORMAT)
    if file is None:
        return None
    try:
        name = ready_made.own_name(file.name.rpartition(".")[0] or file.name)
        localizer = read_localizer(file.getvalue(), name=name)
        conditions = list(localizer.conditions)
        if len(conditions) > 2:
            positive = st.multiselect(
                "Condition compared with the rest", conditions, default=conditions[:1],
                key=f"localizer-positive-{file.file_id}",
            )  # fmt: skip
            if not positive:
                st.info("Choose at least one condition.", icon=":material/info:")
                return None
            localizer = read_localizer(file.getvalue(), name=name, positive=positive)
    except TextError as error:
        frame.error(describe_error(error))
        return None
    return localizer


def show_stimuli(localizer: Localizer) -> None:
    """Draw the question of a localizer, an item of each condition, and all items on request."""
    if localizer.question:
        st.markdown(f"**{wording.plain(localizer.question)}**")
    n_templates = len(localizer.templates(localizer.positive[0]))
    counts = {len(localizer.texts(condition)) for condition in localizer.conditions}
    counts_text = " or ".join(map(str, sorted(counts)))
    paired_text = ", the same in each condition" if localizer.is_paired else ""
    contrast = localizer.contrast[0].upper() + localizer.contrast[1:]
    st.caption(
        f"{wording.plain(contrast)} · {counts_text} items per condition from {n_templates} "
        f"{wording.plain(localizer.unit)}{paired_text} · a block holds the items of one of them "
        f"and is read in a window of its own, conditions by turns. {wording.plain(localizer.note)}"
    )
    for column, condition in zip(
        st.columns(len(localizer.conditions)), localizer.conditions, strict=True
    ):
        with column, st.container(border=True, gap="xsmall"):
            side = "+" if condition in localizer.positive else "−"
            st.markdown(f"**{side} {wording.plain(condition)}**")
            template = localizer.templates(condition)[0]
            texts = [
                item.text
                for item in localizer.items
                if item.condition == condition and item.template == template
            ]
            for text in texts[:2]:
                st.caption(wording.plain(text).replace("\n", "  \n"))
    with st.expander("All stimuli", icon=":material/list:", on_change="rerun") as expander:
        if expander.open:
            table = pd.DataFrame(
                [(i.condition, i.template, i.text) for i in localizer.items],
                columns=["condition", "template", "text"],
            )
            csv_button(table, name=f"localizer-{localizer.name}", key="stimuli")
            controls.table(table, height=300, alt="Stimuli of the localizer")


def run(atlas: NetworkAtlas, localizer: Localizer) -> None:
    """Draw the button that runs a localizer, or the progress of the run."""
    if job_progress.is_active(localizer_tasks.KIND):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        button(
            "Run",
            "play_arrow",
            kind="primary",
            key="localizer-run",
            does=_start,
            args=(atlas.id, localizer),
        )
        st.caption(
            "The model reads every block once; the embedded model takes about half a minute.",
            width="stretch",
        )


def _start(atlas_id: str, localizer: Localizer) -> None:
    job_progress.start(
        localizer_tasks.localize(
            model=view_state.view().model,
            atlas=atlas_id,
            localizer=localizer,
        )
    )
