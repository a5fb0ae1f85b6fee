"""The matrix of lesions: a cell beside its random lesions, strength, dissociations in words."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.experiments.lesions import data as cache
from app.experiments.lesions import form
from app.experiments.lesions.figures import (
    CHANGE,
    EXCESS,
    Shown,
    lesion_cell,
    lesion_matrix,
    strength_curve,
    strongest_rows,
)
from app.experiments.lesions.lesion_tasks import KIND, LesionsSoFar
from app.figures.markup import signed
from app.shell import glossary, recipes, session_state, view_state, wording
from app.shell.jobs.job import Job
from app.shell.wording import plain
from app.widgets import frame, job_progress
from app.widgets.browser_events import is_narrow, pick_cells
from app.widgets.controls import choose
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.lesions.order import LesionOrder, graded
from fnprune_core.lesions.statistics import DoubleDissociation
from fnprune_core.lesions.study import LEVEL, LesionStudy
from fnprune_core.probability import p_text

_FEW = 20
_MOST_SAID = 6
_POLL_S = 2.0
STRENGTHS = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0)
HOW = (
    "Cells say how much more the loss rises than under random lesions of the same size, matched "
    "by layer and magnitude: the control of permuted random directions, for it is left to chance "
    "which units of a layer go, outside of the network. A diamond: the effect stands out from "
    "random lesions and holds over the texts, both after correction for all cells "
    "(Benjamini–Hochberg, q ≤ 0.05). A ring: only before it. Matched unit by unit: units of a "
    "network act together, so that part of an effect is that they are silenced at once."
)


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
        _draw_cell(study, row, column, atlas)
        _draw_curve(study, row, atlas)
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
        made=_code("lesions", atlas) if is_pickable else "",
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


def _draw_cell(study: LesionStudy, row: int, column: int, atlas: NetworkAtlas) -> None:
    lesion = study.lesions[row]
    name = cache.name(atlas.id, lesion)
    st.subheader(plain(name), anchor=False)
    columns = st.columns([3, 2], vertical_alignment="bottom")
    with columns[0]:
        _pick_row(study, row, atlas)
    with columns[1]:
        key = f"lesion-column-{row}-{column}"
        st.selectbox(
            "In", range(len(study.columns)), index=column, format_func=study.columns.__getitem__,
            key=key,
            on_change=lambda: view_state.change(
                network=lesion.networks[0], column=int(session_state.widget(key))
            ),
        )  # fmt: skip
    draw_picture(
        lesion_cell(study, row, column, name=name, palette=frame.palette()),
        key="lesion-cell",
        made=_code("lesion-cell", atlas, row=row, column=column),
    )
    st.markdown(verdict(study, row, column))
    st.caption(_match_text(study, row))


def _pick_row(study: LesionStudy, row: int, atlas: NetworkAtlas) -> None:
    key = f"lesion-row-{row}"
    st.selectbox(
        "Lesion", range(len(study.lesions)), index=row,
        format_func=lambda i: cache.name(atlas.id, study.lesions[i]), key=key,
        on_change=lambda: view_state.change(
            network=study.lesions[int(session_state.widget(key))].networks[0],
            column=max(view_state.view().column, 0),
        ),
    )  # fmt: skip


def verdict(study: LesionStudy, row: int, column: int) -> str:
    """Return the effect of a cell in words, with the p of each question."""
    effects, column_name = study.effects, plain(study.columns[column])
    p_lesions, p_texts, q = (
        v[row, column] for v in (effects.p_lesions, effects.p_texts, effects.q)
    )
    excess = effects.excess[row, column]
    if not np.isfinite(q):
        why = plain(study.why_untested()) or "Not tested yet: random lesions are still to be read."
        if not np.isfinite(excess):
            return why
        return (
            f"{signed(excess, '+.3f')} nats per token beyond random lesions in {column_name}. {why}"
        )
    if q <= LEVEL:
        comparison = (
            "**More harm than random lesions**" if excess > 0 else "**Less than random lesions**"
        )
    else:
        comparison = "**No reliable difference from random lesions**"
    return (
        f"{comparison} in {column_name}: {signed(excess, '+.3f')} nats per token. Stands out from "
        f"random lesions: p {p_text(p_lesions)} (± {effects.lesion_error[row, column]:.3f}). Holds "
        f"over the texts: p {p_text(p_texts)} (± {effects.text_error[row, column]:.3f}). "
        f"Corrected: q {p_text(q)}."
    )


def _match_text(study: LesionStudy, row: int) -> str:
    n = int(study.n_units[row])
    text = f"{wording.count(n, 'unit')} ({study.facts.settings.units})."
    if study.magnitude.shape[1] > 1:
        ratio = study.magnitude[row, 1:].mean() / study.magnitude[row, 0]
        text += (
            f" Its random lesions have as many in each layer, with {100 * ratio:.0f} % of their "
            "summed magnitude."
        )
    return text


def _draw_curve(study: LesionStudy, row: int, atlas: NetworkAtlas) -> None:
    """Draw the curve of strength of the selected lesion, or offer to measure it."""
    lesion = study.lesions[row]
    id = cache.curve(atlas.id, lesion.networks)
    st.subheader("By strength", anchor=False)
    if id is not None:
        draw_picture(
            strength_curve(
                cache.study(id), name=cache.name(atlas.id, lesion), palette=frame.palette()
            ),
            key="lesion-curve",
            made=_code("lesion-curve", atlas, study=id),
        )
        return
    st.caption(
        "Not measured for this lesion: doubled, halved, silenced and between, with its random "
        "lesions, on the built-in held-out texts."
    )
    if job_progress.is_active(KIND):
        return
    order = LesionOrder(
        decomposition_id=atlas.id,
        lesions=graded(lesion.networks, STRENGTHS),
        settings=study.facts.settings,
    )
    with frame.explaining():
        form.offer(
            atlas,
            order,
            label="Measure the curve",
            icon=":material/show_chart:",
            key="lesion-curve-start",
            title="Lesion by strength",
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


def _code(name: str, atlas: NetworkAtlas, **values: object) -> str:
    return recipes.code(
        name, atlas=atlas.id, study=values.pop("study", view_state.view().study), **values
    )
