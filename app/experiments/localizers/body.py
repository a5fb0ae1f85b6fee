"""A localizer's contrast in the model's body: t of every unit, from a threshold on."""

from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from app import pages
from app.figures.markup import signed
from app.shell import resources, view_state
from app.shell.images import addresses, places
from app.widgets import atlas_frame
from app.widgets.body import note
from app.widgets.body.note import PLACES
from app.widgets.body.picks import select_unit
from app.widgets.body.scene import Scene, StatMap, Threshold
from app.widgets.body.scenes import atlas_scene
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.probability import p_text

_KEY = "localizer-viewer"
#: Of the units: where most respond, a map from q alone is coloured all over.
STRONGEST = 0.05
_STRONG = 0.9995
_UNIT_PAGE = pages.path("unit")
_NOTE = (
    "Warm where the first condition is stronger. Smoothing is for the eye alone: counts, t and q "
    f"are of single units. {PLACES}"
)


def show_contrast(atlas: NetworkAtlas, result: LocalizerResult, *, made: str) -> None:
    """Draw t of every unit in the body; a press selects its unit."""
    if resources.cortex(atlas.id) is None:
        atlas_frame.offer_cortex(atlas)
        return
    note.draw(
        scene(atlas, result),
        result.layer_table,
        key=_KEY,
        on_pick=partial(select_unit, atlas.id),
        on_threshold=None,
        file=f"fnprune-localizer-{result.localizer.name}-layers",
        made=made,
        about=_NOTE,
    )
    _picked_unit(atlas, result)


def first_threshold(result: LocalizerResult) -> float:
    """Return the |t| from which units are coloured at first.

    That at which q reaches 0.05, or that of the strongest twentieth where more units respond.
    """
    magnitude = np.abs(result.units.t[result.alive])
    strongest = float(np.quantile(magnitude, 1 - STRONGEST)) if magnitude.size else 1.0
    reached = result.units.threshold()
    return round(max(reached if np.isfinite(reached) else 0.0, strongest, 0.1), 1)


def scene(atlas: NetworkAtlas, result: LocalizerResult) -> Scene:
    """Return what the viewer shows."""
    t = result.units.t
    magnitude = np.abs(t[result.alive]) if result.alive.any() else np.abs(t)
    threshold = first_threshold(result)
    limit = max(float(np.quantile(magnitude, _STRONG)), 1.3 * threshold)
    unit = view_state.view().unit
    at = unit if 0 <= unit < atlas.layout.n_units else int(np.abs(t).argmax())
    name = f"localizers/{result.id}"
    return replace(
        atlas_scene(
            atlas.id,
            "",
            overlays=(StatMap(url=addresses.atlas_url(atlas.id, f"{name}.nii.gz"), limit=limit),),
            threshold=Threshold(
                value=threshold,
                low=0.5,
                high=round(max(float(magnitude.max()), threshold + 1.0), 1),
                label="Threshold |t|",
                quantity="t",
            ),
            at=places.of_unit(atlas.id, at),
            alternative=in_words(result),
            still=addresses.atlas_url(atlas.id, f"{name}.png", limit=round(limit, 2)),
            without="The table lists the units.",
            hint="Press, or Enter, selects the unit.",
            family="contrast",
            name="Contrast in the body",
        ),
        file=f"fnprune-localizer-{result.localizer.name}",
    )


def in_words(result: LocalizerResult) -> str:
    """Return what the picture shows: how many units respond, to which side, and where."""
    n, n_alive = result.n_responding(), int(result.alive.sum())
    contrast = result.localizer.contrast
    if not n:
        sentence = f"{contrast}: no unit of {n_alive:,} has q below 0.05."
        return sentence[0].upper() + sentence[1:]
    table = result.layer_table()
    total = table["positive"] + table["negative"]
    sentence = (
        f"{contrast}, t of every unit: {n:,} of {n_alive:,} units have q below 0.05 "
        f"({int(table['positive'].sum()):,} more in {' and '.join(result.localizer.positive)}, "
        f"{int(table['negative'].sum()):,} more in {' and '.join(result.localizer.negative)}), "
        f"most in layer {int(total.argmax())}. Colours begin at |t| {first_threshold(result):g}"
    )
    sentence += (
        f", the strongest {100 * STRONGEST:.0f} % of units; q is below 0.05 from "
        f"{result.units.threshold():.3g} on."
        if first_threshold(result) > result.units.threshold() + 0.05
        else ", where q is below 0.05."
    )
    return sentence[0].upper() + sentence[1:]


def _picked_unit(atlas: NetworkAtlas, result: LocalizerResult) -> None:
    """Draw the selected unit's contrast, and the way to its page."""
    unit = view_state.view().unit
    if not 0 <= unit < atlas.layout.n_units:
        return
    layer, index = (int(i) for i in atlas.layout.locate(unit))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"**Unit {index} of layer {layer}**, t {signed(result.units.t[unit], '.1f')}, "
            f"q {p_text(result.units.q[unit])}",
            width="stretch",
        )
        if st.button("Open the unit", icon=":material/my_location:", key="localizer-unit"):
            st.switch_page(_UNIT_PAGE)
