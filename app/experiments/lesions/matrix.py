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
from app.experiments.lesions.tasks import KIND, LesionsSoFar, Read
from app.shell import glossary, recipes, resources, view_state, wording
from app.shell.jobs import Job
from app.shell.wording import plain
from app.widgets import frame, job_progress
from app.widgets.browser_events import is_narrow, pick_cells
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.lesions.run import LesionOrder, graded
from fnprune_core.lesions.statistics import DoubleDissociation
from fnprune_core.lesions.study import LEVEL, LesionStudy

_FEW = 20
_MOST_SAID = 6
_POLL_S = 2.0
STRENGTHS = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0)
HOW = (
    "Cells say how much more the loss rises than under random lesions of the same size, matched "
    "by layer and magnitude. A diamond: the effect stands out from random lesions and holds "
    "over the texts, both after correction for all cells (Benjamini–Hochberg, q ≤ 0.05). A ring: "
    "only before it. Matched unit by unit: units of a network act together, so that part "
    "of an effect is that they are silenced at once."
)


def live(job: Job, atlas: NetworkAtlas) -> None:
    """Draw a study under way; polled in a fragment of its own."""
    st.fragment(_live, run_every=_POLL_S)(job.id, atlas, is_narrow())


def _live(job_id: str, atlas: NetworkAtlas, narrow: bool) -> None:
    job = resources.jobs().job(job_id)
    if job is None or not job.is_active:
        st.rerun()
    else:
        job_progress.draw_progress(job)
        found = so_far(job)
        if found is not None and cache.is_matrix(found):
            _matrix(found, atlas, key="lesions-live", narrow=narrow, pick=False)


def so_far(job: Job) -> LesionStudy | None:
    """Return what a job has found."""
    events = [event.study for event in job.events if isinstance(event, LesionsSoFar)]
    return events[-1] if events else None


def show(found: LesionStudy, atlas: NetworkAtlas) -> None:
    """Draw a matrix, the selected cell, and what dissociates."""
    left, right = st.columns([5, 4], gap="large")
    with left:
        _matrix(found, atlas, key="lesions-matrix", narrow=is_narrow(), pick=True)
    with right:
        row, column = selected(found)
        _cell(found, row, column, atlas)
        _curve(found, row, atlas)
    _dissociations(found, atlas)
    _protocol(found)


def selected(found: LesionStudy) -> tuple[int, int]:
    """Return the selected cell: of the view's network, else where the effect is largest."""
    view = view_state.view()
    rows = [i for i, lesion in enumerate(found.lesions) if lesion.networks == (view.network,)]
    if rows and 0 <= view.column < len(found.columns):
        return rows[0], view.column
    row = strongest_rows(found, _shown(found))[0]
    values = found.effects.excess[row]
    return row, int(np.nanargmax(values)) if np.isfinite(values).any() else 0


def _shown(found: LesionStudy) -> Shown:
    return EXCESS if np.isfinite(found.effects.excess).any() else CHANGE


def _matrix(found: LesionStudy, atlas: NetworkAtlas, *, key: str, narrow: bool, pick: bool) -> None:
    shown = _shown(found)
    order = strongest_rows(found, shown)
    rows: Sequence[int] = order
    if len(order) > _FEW:
        which = st.segmented_control(
            "Rows", [f"The {_FEW} strongest", f"All {len(order)}"],
            default=f"The {_FEW} strongest", required=True, key=f"{key}-rows",
            label_visibility="collapsed",
        )  # fmt: skip
        rows = order if which == f"All {len(order)}" else order[:_FEW]
    cell = selected(found) if pick else None
    if cell is not None and cell[0] not in rows:
        rows = [*rows, cell[0]]
    draw_picture(
        lesion_matrix(
            found,
            rows,
            names=cache.names(atlas.id, found.lesions),
            shown=shown,
            selected=cell,
            is_narrow=narrow,
            palette=frame.palette(),
        ),
        key=key,
        note=pick,
        made=_made("lesions", atlas) if pick else "",
    )
    if not pick:
        return

    def picked(_: int, place: tuple[float | None, ...]) -> None:
        x, y = place[:2]
        if x is not None and y is not None and round(y) < len(rows):
            lesion = found.lesions[rows[round(y)]]
            view_state.change(network=lesion.networks[0], column=round(x))

    pick_cells(f"{key}-pick", chart=key, on_pick=picked)
    st.caption(
        HOW
        if shown is EXCESS
        else "Loss change from the healthy model; without random "
        "lesions there is nothing to test against."
    )


def _cell(found: LesionStudy, row: int, column: int, atlas: NetworkAtlas) -> None:
    lesion = found.lesions[row]
    name = cache.name(atlas.id, lesion)
    st.subheader(plain(name), anchor=False)
    columns = st.columns([3, 2], vertical_alignment="bottom")
    with columns[0]:
        _pick_row(found, row, atlas)
    with columns[1]:
        key = f"lesion-column-{row}-{column}"
        st.selectbox(
            "In", range(len(found.columns)), index=column, format_func=found.columns.__getitem__,
            key=key,
            on_change=lambda: view_state.change(
                network=lesion.networks[0], column=int(view_state.widget(key))
            ),
        )  # fmt: skip
    draw_picture(
        lesion_cell(found, row, column, name=name, palette=frame.palette()),
        key="lesion-cell",
        made=_made("lesion-cell", atlas, row=row, column=column),
    )
    st.markdown(verdict(found, row, column))
    st.caption(_match(found, row))


def _pick_row(found: LesionStudy, row: int, atlas: NetworkAtlas) -> None:
    key = f"lesion-row-{row}"
    st.selectbox(
        "Lesion", range(len(found.lesions)), index=row,
        format_func=lambda i: cache.name(atlas.id, found.lesions[i]), key=key,
        on_change=lambda: view_state.change(
            network=found.lesions[int(view_state.widget(key))].networks[0],
            column=max(view_state.view().column, 0),
        ),
    )  # fmt: skip


def verdict(found: LesionStudy, row: int, column: int) -> str:
    """Return in words what a cell says, and by which questions."""
    e, where = found.effects, plain(found.columns[column])
    p_lesions, p_texts, q = (v[row, column] for v in (e.p_lesions, e.p_texts, e.q))
    if not np.isfinite(q):
        return "Not tested: that takes two random lesions at least."
    excess = e.excess[row, column]
    if q <= LEVEL:
        said = "**More harm than random lesions**" if excess > 0 else "**Less than random lesions**"
    else:
        said = "**No sure difference to random lesions**"
    return (
        f"{said} in {where}: {excess:+.3f} nats per token. Stands out from random lesions: "
        f"p {p_lesions:.2g} (± {e.lesion_error[row, column]:.3f}). Holds over the texts: p "
        f"{p_texts:.2g} (± {e.text_error[row, column]:.3f}). Corrected: q {q:.2g}."
    )


def _match(found: LesionStudy, row: int) -> str:
    n = int(found.n_units[row])
    text = f"{wording.count(n, 'unit')} with |z| above {found.facts.settings.z:g}."
    if found.magnitude.shape[1] > 1:
        ratio = found.magnitude[row, 1:].mean() / found.magnitude[row, 0]
        text += (
            f" Its random lesions have as many in each layer, with {ratio:.0%} of their summed "
            "magnitude."
        )
    return text


def _curve(found: LesionStudy, row: int, atlas: NetworkAtlas) -> None:
    """Draw the curve of strength of the selected lesion, or offer to measure it."""
    lesion = found.lesions[row]
    id = cache.curve(atlas.id, lesion.networks)
    st.subheader("By strength", anchor=False)
    if id is not None:
        draw_picture(
            strength_curve(
                cache.study(id), name=cache.name(atlas.id, lesion), palette=frame.palette()
            ),
            key="lesion-curve",
            made=_made("lesion-curve", atlas, study=id),
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
        settings=found.facts.settings,
    )
    has_model = resources.language_model(view_state.view().model) is not None
    st.button(
        "Measure the curve",
        icon=":material/show_chart:",
        key="lesion-curve-start",
        disabled=not has_model,
        on_click=form.start,
        args=(order, Read(), "Lesion by strength"),
    )
    if not has_model:
        st.caption("It takes the model: load it at the end of this page, with another study.")


def _dissociations(found: LesionStudy, atlas: NetworkAtlas) -> None:
    st.subheader("Double dissociations", anchor=False, help=glossary.tip("dissociation"))
    st.caption(
        "Two lesions, each of which harms one domain more than another beyond random lesions, "
        "the other way round: the classical sign that two abilities rest on different parts."
    )
    if not np.isfinite(found.contrasts.q).any():
        st.caption("Not tested: that takes two random lesions at least.")
        return
    every = found.dissociations
    if not every:
        n = int(np.isfinite(found.contrasts.q).sum())
        st.info(
            f"None. Of {n:,} contrasts between two domains, "
            f"{int((found.contrasts.q <= LEVEL).sum())} are sure after correction, and no two of "
            "them, with sure harm, point in opposite directions.",
            icon=":material/info:",
        )
        return
    best: dict[tuple[int, int], list[DoubleDissociation]] = {}
    for each in every:
        best.setdefault((each.a, each.b), []).append(each)
    for (a, b), held in list(best.items())[:_MOST_SAID]:
        st.markdown(f"- {_said(held[0], found, atlas)}{_more(len(held) - 1, found, a, b)}")


def _said(each: DoubleDissociation, found: LesionStudy, atlas: NetworkAtlas) -> str:
    first, second = (
        plain(cache.name(atlas.id, found.lesions[row])) for row in (each.first, each.second)
    )
    a, b = (plain(found.columns[c]) for c in (each.a, each.b))
    return (
        f"**{a}** and **{b}**: without *{first}* {a} suffers more than {b} "
        f"({each.contrast[0]:+.2f} ± {each.error[0]:.2f} nats), without *{second}* {b} more than "
        f"{a} ({each.contrast[1]:+.2f} ± {each.error[1]:.2f}); q {each.q:.2g}."
    )


def _more(n: int, found: LesionStudy, a: int, b: int) -> str:
    if not n:
        return ""
    verb = "shows" if n == 1 else "show"
    return f" {wording.count(n, 'other pair')} of networks {verb} the same."


def _protocol(found: LesionStudy) -> None:
    p, s = found.facts.protocol, found.facts.settings
    target = "zero" if s.towards == "zero" else "their mean"
    text = (
        f"{p.n_tokens:,} predictions in {wording.count(p.n_windows, 'window')} of {p.window} "
        f"tokens, text {p.text_sha256[:8]}, {p.dtype} on {p.device}; resampled over "
        f"{found.facts.unit}. Units with |z| above {s.z:g} scaled towards {target}; "
        f"{s.sink_units} sink units a layer spared; {s.n_random} random lesions each, seed "
        f"{s.seed}; their spread is moderated over all lesions (Smyth 2004)."
    )
    null = found.null_p
    if np.isfinite(null).any():
        share = float((null[np.isfinite(null)] < 0.05).mean())
        text += (
            f" Check: random lesions tested against one another have p below 0.05 in {share:.1%} "
            "of cells, where 5% is nominal."
        )
    for failure in found.facts.failures:
        text += f" Left out: {plain(failure)}"
    st.caption(text)


def _made(name: str, atlas: NetworkAtlas, **values: object) -> str:
    return recipes.code(
        name, atlas=atlas.id, study=values.pop("study", view_state.view().study), **values
    )
