"""Single units that are to stay, or to go, whatever their score: pinned by number or by lasso."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from app.shell import choices, resources, session_state, view_state, wording
from app.shell.jobs.job import describe_error
from app.widgets import frame
from app.widgets.controls import button
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError, SettingsError
from fnprune_core.inputs.files import shortened
from fnprune_core.inputs.numbers import whole_number
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.plan import PlanSettings

Side = Literal["stay", "go"]
SAID = {"stay": "stays", "go": "goes"}
_TEXT, _WRONG = "pins-text", "pins-wrong"
_MOST_ROWS = 1000


def with_pins(settings: PlanSettings) -> PlanSettings:
    """Return the settings with the view's pinned units."""
    view = view_state.view()
    return settings.with_(pinned_keep=view.stay, pinned_remove=view.go)


def units_in(text: str, layout: UnitLayout) -> tuple[int, ...]:
    """Return the flat units of a list such as "3:17, 3:20-25"; spaces or commas part them.

    Raises
    ------
    SettingsError
        If a part is no unit, or there is no such unit; it names the part.
    """
    units: list[int] = []
    for word in text.replace(",", " ").replace(";", " ").split():
        layer, _, indices = word.partition(":")
        first, dash, last = indices.partition("-")
        try:
            number, low = whole_number(layer), whole_number(first)
            high = whole_number(last) if dash else low
        except ValueError as error:
            raise SettingsError(
                f"{shortened(word)!r} is not a unit.",
                hint='Write units as layer:index, several as in "3:17, 3:20-25".',
            ) from error
        if number >= layout.n_layers:
            raise SettingsError(
                f"{word!r}: there is no layer {layer}.",
                hint=f"Layers run from 0 to {layout.n_layers - 1}.",
            )
        width = layout.widths[number]
        if high >= width or low > high:
            raise SettingsError(
                f"{word!r}: layer {layer} has no such units.",
                hint=f"Its units run from 0 to {width - 1}, smaller number first.",
            )
        units.extend(layout.flat(number, np.arange(low, high + 1)).tolist())
    if not units:
        raise SettingsError(
            "No unit is given.", hint='Write units as layer:index, such as "3:17, 3:20-25".'
        )
    return tuple(sorted(set(units)))


def pin(units: Iterable[int], side: Side) -> None:
    """Pin units to one side; those pinned to the other change over."""
    new = set(units)
    view = view_state.view()
    stay, go = set(view.stay) - new, set(view.go) - new
    (stay if side == "stay" else go).update(new)
    choices.pin(stay, go)


def unpin(units: Iterable[int]) -> None:
    """Remove the pins of units."""
    unpinned, view = set(units), view_state.view()
    choices.pin(set(view.stay) - unpinned, set(view.go) - unpinned)


def buttons(units: Iterable[int], *, key: str) -> None:
    """Draw the buttons that pin selected units, or take their pins away."""
    chosen_units = tuple(sorted({int(unit) for unit in units}))
    view = view_state.view()
    pinned = set(chosen_units) & {*view.stay, *view.go}
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        button(
            "Pin to stay",
            "keep",
            key=f"{key}-stay",
            does=pin,
            args=(chosen_units, "stay"),
            is_off=not set(chosen_units) - set(view.stay),
        )
        button(
            "Pin to go",
            "content_cut",
            key=f"{key}-go",
            does=pin,
            args=(chosen_units, "go"),
            is_off=not set(chosen_units) - set(view.go),
        )
        button(
            "Unpin",
            "keep_off",
            key=f"{key}-off",
            does=unpin,
            args=(chosen_units,),
            is_off=not pinned,
        )
        if pinned:
            st.caption(f"{wording.count(len(pinned), 'unit')} of them pinned")


def show(atlas: NetworkAtlas) -> None:
    """Draw the pinned units, and the form that pins more of them by number."""
    view = view_state.view()
    counts_text = ", ".join(
        f"{len(units):,} pinned to {word}"
        for word, units in (("stay", view.stay), ("go", view.go))
        if units
    )
    if counts_text:  # not in the label: with another one the expander would close
        st.caption(f"Single units: {counts_text}.")
    with st.expander("Single units", icon=":material/keep:"):
        st.caption(
            "Pinned units are kept or removed whatever their score; those removed count towards "
            "the ratio. To pin several at once, draw around them on the map below or on the page "
            "Embedding."
        )
        _draw_form(atlas.layout)
        if view.stay or view.go:
            _list_pins(atlas)
        if choices.can_undo_pin():
            st.button("Undo the last pinning", icon=":material/undo:", on_click=choices.undo_pin)


def _draw_form(layout: UnitLayout) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        st.text_input(
            "Units, as layer:index", key=_TEXT, placeholder="3:17, 3:20-25", width="stretch"
        )
        for side, label, icon in (
            ("stay", "To stay", "keep"),
            ("go", "To go", "content_cut"),
        ):
            button(label, icon, key=f"pins-{side}", does=_pin_typed, args=(layout, side))
    failure = session_state.widget(_WRONG)
    if failure:
        frame.error(failure)


def _pin_typed(layout: UnitLayout, side: Side) -> None:
    """Pin the typed units; text that cannot be read stays in its place, with a message below."""
    try:
        pin(units_in(str(session_state.widget(_TEXT) or ""), layout), side)
    except FnpruneError as error:
        session_state.remember(_WRONG, describe_error(error))
    else:
        session_state.forget(_WRONG)
        session_state.remember(_TEXT, "")


def table(atlas: NetworkAtlas, stay: tuple[int, ...], go: tuple[int, ...]) -> pd.DataFrame:
    """Return one row per pinned unit: unit, layer, index, pinned, network, name, z."""
    units = np.array([*stay, *go], dtype=np.int64)
    layer, index = atlas.layout.locate(units)
    label, value = atlas.strongest
    names = [resources.network_name(atlas.id, int(k)) for k in label[units]]
    return pd.DataFrame(
        {
            "unit": units,
            "layer": layer,
            "index": index,
            "pinned": [SAID["stay"]] * len(stay) + [SAID["go"]] * len(go),
            "network": label[units],
            "name": names,
            "z": value[units].round(2),
        }
    ).sort_values(["layer", "index"], ignore_index=True)


def _list_pins(atlas: NetworkAtlas) -> None:
    view, n = view_state.view(), atlas.layout.n_units
    missing_units = [unit for unit in (*view.stay, *view.go) if unit >= n]
    if missing_units:
        st.warning(
            f"{wording.count(len(missing_units), 'pinned unit')} of a link are not in this model.",
            icon=":material/warning:",
        )
        st.button("Remove these pins", on_click=unpin, args=(missing_units,))
    rows = table(
        atlas,
        tuple(unit for unit in view.stay if unit < n),
        tuple(unit for unit in view.go if unit < n),
    )
    listed = rows.head(_MOST_ROWS)
    event = st.dataframe(
        listed,
        hide_index=True,
        height=min(36 * (len(listed) + 1), 290),
        key=f"pins-{atlas.id}-{len(rows)}",
        on_select="rerun",
        selection_mode="multi-row",
        alt=f"{len(rows)} pinned units",
        column_config={"unit": None},
    )
    if len(rows) > _MOST_ROWS:
        st.caption(f"The first {_MOST_ROWS:,} of {len(rows):,} are listed.")
    chosen_units = [
        int(listed["unit"].iloc[i]) for i in event["selection"]["rows"] if i < len(listed)
    ]
    with st.container(horizontal=True, gap="xsmall"):
        button(
            f"Unpin the {wording.count(len(chosen_units), 'selected unit')}",
            "keep_off",
            does=unpin,
            args=(chosen_units,),
            is_off=not chosen_units,
        )
        st.button("Unpin all", icon=":material/delete:", on_click=choices.pin, args=((), ()))
