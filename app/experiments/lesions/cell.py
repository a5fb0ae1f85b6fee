"""One cell of the matrix of lesions: beside its random lesions, in words, and by strength."""

import numpy as np
import streamlit as st

from app.experiments.lesions import data as cache
from app.experiments.lesions import form
from app.experiments.lesions.figures import (
    lesion_cell,
    strength_curve,
)
from app.experiments.lesions.lesion_tasks import KIND
from app.figures.markup import signed
from app.shell import recipes, session_state, view_state, wording
from app.shell.wording import plain
from app.widgets import frame, job_progress
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.lesions.order import LesionOrder, graded
from fnprune_core.lesions.study import LEVEL, LesionStudy
from fnprune_core.probability import p_text

STRENGTHS = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0)


HOW = (
    "Cells say how much more the loss rises than under random lesions of the same size, matched "
    "by layer and magnitude: the control of permuted random directions, for it is left to chance "
    "which units of a layer go, outside of the network. A diamond: the effect stands out from "
    "random lesions and holds over the texts, both after correction for all cells "
    "(Benjamini–Hochberg, q ≤ 0.05). A ring: only before it. Matched unit by unit: units of a "
    "network act together, so that part of an effect is that they are silenced at once."
)


def draw_cell(study: LesionStudy, row: int, column: int, atlas: NetworkAtlas) -> None:
    """Draw one cell: what a lesion costs in a column, beside its random lesions."""
    lesion = study.lesions[row]
    name = cache.name(atlas.id, lesion)
    st.subheader(plain(name), anchor=False)
    columns = st.columns([3, 2], vertical_alignment="bottom")
    with columns[0]:
        pick_row(study, row, atlas)
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
        made=code("lesion-cell", atlas, row=row, column=column),
    )
    st.markdown(verdict(study, row, column))
    st.caption(_match_text(study, row))


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


def draw_curve(study: LesionStudy, row: int, atlas: NetworkAtlas) -> None:
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
            made=code("lesion-curve", atlas, study=id),
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


def code(name: str, atlas: NetworkAtlas, **values: object) -> str:
    """Return the Python that makes a picture of the study again."""
    return recipes.code(
        name, atlas=atlas.id, study=values.pop("study", view_state.view().study), **values
    )


def pick_row(study: LesionStudy, row: int, atlas: NetworkAtlas) -> None:
    """Draw the choice of a lesion."""
    key = f"lesion-row-{row}"
    st.selectbox(
        "Lesion", range(len(study.lesions)), index=row,
        format_func=lambda i: cache.name(atlas.id, study.lesions[i]), key=key,
        on_change=lambda: view_state.change(
            network=study.lesions[int(session_state.widget(key))].networks[0],
            column=max(view_state.view().column, 0),
        ),
    )  # fmt: skip
