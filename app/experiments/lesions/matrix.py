"""The matrix of lesions: a cell beside its random lesions, strength, dissociations in words."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.experiments.lesions import data as cache
from app.experiments.lesions.cell import HOW, code, draw_cell, draw_curve
from app.experiments.lesions.figures import (
    CHANGE,
    EXCESS,
    Shown,
    strongest_rows,
)
from app.experiments.lesions.lesion_tasks import LesionsSoFar
from app.experiments.lesions.matrix_figures import lesion_matrix
from app.figures.markup import signed
from app.shell import glossary, view_state, wording
from app.shell.jobs.job import Job
from app.shell.wording import plain
from app.widgets import frame, job_progress
from app.widgets.browser_events import is_narrow, pick_cells
from app.widgets.controls import choose
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.lesions.statistics import DoubleDissociation
from fnprune_core.lesions.study import LEVEL, LesionStudy
from fnprune_core.probability import p_text

_FEW = 20
_MOST_SAID = 6
_POLL_S = 2.0


def live(job: Job, atlas: NetworkAtlas) -> None:
    """Draw a study under way; polled in a fragment of its own."""
    st.fragment(_draw_live, run_every=_POLL_S)(job.id, atlas, is_narrow())


def _draw_live(job_id: str, atlas: NetworkAtlas, narrow: bool) -> None:
    job = job_progress.running(job_id)
    if job is None:
        st.rerun()
    else:
        job_progress.draw_progress(job)
        study = so_far(job)
        if study is not None and cache.is_matrix(study):
            _draw_matrix(study, atlas, key="lesions-live", narrow=narrow, is_pickable=False)


def so_far(job: Job) -> LesionStudy | None:
    """Return the study that a job has reported so far."""
    events = [event.study for event in job.events if isinstance(event, LesionsSoFar)]
    return events[-1] if events else None


def show(study: LesionStudy, atlas: NetworkAtlas) -> None:
    """Draw a matrix, the selected cell, and the double dissociations."""
    left, right = st.columns([5, 4], gap="large")
    with left:
        _draw_matrix(study, atlas, key="lesions-matrix", narrow=is_narrow(), is_pickable=True)
    with right:
        row, column = selected(study)
        draw_cell(study, row, column, atlas)
        draw_curve(study, row, atlas)
    _draw_dissociations(study, atlas)
    st.caption(protocol_text(study))


def selected(study: LesionStudy) -> tuple[int, int]:
    """Return the selected cell: of the view's network, else where the effect is largest."""
    view = view_state.view()
    rows = [i for i, lesion in enumerate(study.lesions) if lesion.networks == (view.network,)]
    if rows and 0 <= view.column < len(study.columns):
        return rows[0], view.column
    row = strongest_rows(study, _shown_quantity(study))[0]
    values = study.effects.excess[row]
    return row, int(np.nanargmax(values)) if np.isfinite(values).any() else 0


def _shown_quantity(study: LesionStudy) -> Shown:
    return EXCESS if np.isfinite(study.effects.excess).any() else CHANGE


def _draw_matrix(
    study: LesionStudy, atlas: NetworkAtlas, *, key: str, narrow: bool, is_pickable: bool
) -> None:
    quantity = _shown_quantity(study)
    order = strongest_rows(study, quantity)
    rows: Sequence[int] = order
    if len(order) > _FEW:
        chosen_rows = choose(
            "Rows",
            [f"The {_FEW} strongest", f"All {len(order)}"],
            key=f"{key}-rows",
            default=f"The {_FEW} strongest",
        )
        rows = order if chosen_rows == f"All {len(order)}" else order[:_FEW]
    cell = selected(study) if is_pickable else None
    if cell is not None and cell[0] not in rows:
        rows = [*rows, cell[0]]
    draw_picture(
        lesion_matrix(
            study,
            rows,
            names=cache.names(atlas.id, study.lesions),
            shown=quantity,
            selected=cell,
            is_narrow=narrow,
            palette=frame.palette(),
        ),
        key=key,
        note=is_pickable,
        made=code("lesions", atlas) if is_pickable else "",
    )
    if not is_pickable:
        return

    def select_cell(_: int, place: tuple[float | None, ...]) -> None:
        x, y = place[:2]
        if x is not None and y is not None and round(y) < len(rows):
            lesion = study.lesions[rows[round(y)]]
            view_state.change(network=lesion.networks[0], column=round(x))

    pick_cells(f"{key}-pick", chart=key, on_pick=select_cell)
    st.caption(
        HOW
        if quantity is EXCESS
        else "Loss change from the healthy model; without random "
        "lesions there is nothing to test against."
    )


def _draw_dissociations(study: LesionStudy, atlas: NetworkAtlas) -> None:
    st.subheader("Double dissociations", anchor=False, help=glossary.tip("dissociation"))
    st.caption(
        "Two lesions, each of which harms one domain more than another beyond random lesions, "
        "the other way round: the classical sign that two abilities rest on different parts."
    )
    if not np.isfinite(study.contrasts.q).any():
        st.caption(plain(study.why_untested()) or "Not tested yet.")
        return
    every = study.dissociations
    if not every:
        n = int(np.isfinite(study.contrasts.q).sum())
        st.info(
            f"None. Of {n:,} contrasts between two domains, "
            f"{int((study.contrasts.q <= LEVEL).sum())} are significant after correction, and no "
            "two of them show significant harm in opposite directions.",
            icon=":material/info:",
        )
        return
    by_columns: dict[tuple[int, int], list[DoubleDissociation]] = {}
    for dissociation in every:
        by_columns.setdefault((dissociation.a, dissociation.b), []).append(dissociation)
    for (a, b), dissociations in list(by_columns.items())[:_MOST_SAID]:
        st.markdown(
            f"- {_dissociation_sentence(dissociations[0], study, atlas)}"
            f"{_other_pairs_text(len(dissociations) - 1, study, a, b)}"
        )


def _dissociation_sentence(
    dissociation: DoubleDissociation, study: LesionStudy, atlas: NetworkAtlas
) -> str:
    first_lesion, second_lesion = (
        plain(cache.name(atlas.id, study.lesions[row]))
        for row in (dissociation.first, dissociation.second)
    )
    a, b = (plain(study.columns[c]) for c in (dissociation.a, dissociation.b))
    return (
        f"**{a}** and **{b}**: without *{first_lesion}* {a} suffers more than {b} "
        f"({signed(dissociation.contrast[0], '+.2f')} ± {dissociation.error[0]:.2f} nats), without "
        f"*{second_lesion}* {b} more than {a} ({signed(dissociation.contrast[1], '+.2f')} ± "
        f"{dissociation.error[1]:.2f}); q {p_text(dissociation.q)}."
    )


def _other_pairs_text(n: int, study: LesionStudy, a: int, b: int) -> str:
    if not n:
        return ""
    verb = "shows" if n == 1 else "show"
    return f" {wording.count(n, 'other pair')} of networks {verb} the same."


def protocol_text(study: LesionStudy) -> str:
    """Return what was read, which lesions, what is not tested and why, and the study's check."""
    p, s = study.facts.protocol, study.facts.settings
    target = "zero" if s.towards == "zero" else "their mean"
    text = (
        f"{p.n_tokens:,} predictions in {wording.count(p.n_windows, 'window')} of {p.window} "
        f"tokens, text {p.text_sha256[:8]}, {p.dtype} on {p.device}; resampled over "
        f"{study.facts.unit}. {s.units.capitalize()} scaled towards {target}; "
        f"{s.sink_units} sink units spared per layer; "
        f"{wording.count(study.n_random, 'random lesion')} for each, seed {s.seed}"
        f"{'; their spread is moderated over all lesions (Smyth 2004)' if study.is_tested else ''}."
    )
    if untested := study.why_untested():
        text += f" {plain(untested)}"
    null_p = study.null_p
    if np.isfinite(null_p).any():
        share = float((null_p[np.isfinite(null_p)] < 0.05).mean())
        text += (
            " Check: random lesions tested against one another have p below 0.05 in "
            f"{100 * share:.1f} % of cells, where 5 % is nominal."
        )
    for failure in study.facts.failures:
        text += f" Left out: {plain(failure)}"
    return text
