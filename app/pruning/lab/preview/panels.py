"""Panels of the preview: the effect of a plan, before anything is evaluated."""

import html
from contextlib import suppress
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
import streamlit as st

from app.figures.layer_profile import removal_profile
from app.pruning.lab.preview import body
from app.pruning.lab.preview import data as cache
from app.pruning.lab.preview.figures import Sheets, cost_bars, removed_sheets
from app.pruning.lab.preview.preview_tasks import prepare_preview
from app.shell import recipes, resources, session_state, view_state, wording
from app.shell.caches.colours import network_colours
from app.widgets import atlas_frame, browser_events, frame, job_progress, lasso, pinned_units
from app.widgets.controls import choose
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.preview import PreviewedPlan, why_not_previewed
from fnprune_core.scores.units import score_named

#: What dropping a network would change: in a few words, and explained.
COSTS = {
    "energy": (
        "output variance lost where the network is active",
        "In the tokens that the network rules: how much more of the layers' output variance goes "
        "when it is dropped, because other units are chosen. It is a fact of the plan, and no "
        "loss: on the built-in model, over networks dropped one by one, its rank correlation with "
        "the loss where each is active was 0.63 (16 networks) and 0.41 (10) at 40 % and 0.00 at "
        "20 %; with the loss on all of the text there was none.",
    ),
    "tokens": (
        "weight of the text that stops counting",
        "Each network with the others left as they are: by how much the weight of all tokens "
        "falls if it is dropped (for one that is dropped: by how much it fell).",
    ),
}


def _can_show(settings: PlanSettings | None, atlas: NetworkAtlas) -> TypeGuard[PlanSettings]:
    """Whether the atlas's preview was prepared, and knows the score of these settings."""
    is_known = settings is not None and not why_not_previewed(settings.score)
    return is_known and cache.is_prepared(atlas.id)


def show(atlas: NetworkAtlas, settings: PlanSettings | None) -> None:
    """Draw what would go: the sizes before and after, and the hole in the body."""
    if not cache.is_prepared(atlas.id):
        offer(atlas)
        return
    if settings is None:  # why is said beside Apply
        return
    with frame.explaining():
        reason = why_not_previewed(settings.score)
        if reason:
            st.info(
                f"This score is not previewed: {wording.plain(reason)}. Apply makes the plan.",
                icon=":material/info:",
            )
        else:
            preview = cache.previewed(atlas.id, cache.relevant(settings))
            st.html(sizes_table(preview))
            if resources.cortex(atlas.id) is not None:
                body.show_lesion(atlas, _sheets(atlas, preview))


def show_details(atlas: NetworkAtlas, settings: PlanSettings | None) -> None:
    """Draw the preview by layer and by unit, when it is asked for."""
    if not _can_show(settings, atlas):
        return
    preview = cache.previewed(atlas.id, cache.relevant(settings))
    st.caption(_agreement_text(atlas, settings, preview))
    has_body = resources.cortex(atlas.id) is not None
    expander = st.expander(
        "What would go, by layer and by unit",
        icon=":material/layers:",
        key="preview-details",
        on_change="rerun",
        expanded=not has_body,
    )
    if expander.open:
        with expander:
            _draw(atlas, settings, preview)


def losses(atlas: NetworkAtlas, settings: PlanSettings | None) -> pd.DataFrame | None:
    """Return what each network loses under the form, or None where that cannot be told."""
    if _can_show(settings, atlas):
        with suppress(FnpruneError):  # the preview tells of it in its own place
            return cache.losses(atlas.id, cache.relevant(settings), atlas_frame.units_shown(atlas))
    return None


def offer(atlas: NetworkAtlas) -> None:
    """Prepare the preview: by itself, once a visit, where the model is at hand; else if asked."""
    job = job_progress.follow("preview")
    if job_progress.is_active("preview"):
        return
    view = view_state.view()
    begun = f"preview of {atlas.id} begun"
    is_at_hand = view.model == frame.EXAMPLE_MODEL or resources.language_model(view.model)
    # Begun while what became of Apply is untold, it would take that job's place.
    applied = job_progress.job_of("prune")
    is_told = applied is None or applied.state == "done"
    is_first = bool(is_at_hand) and job is None and is_told and not session_state.widget(begun)
    st.caption(
        "What would go is seen once the recording was read for it: once for this atlas, about 15 "
        "seconds. Each choice is then answered at once."
    )
    is_pressed = st.button("Prepare the preview", icon=":material/preview:", key="preview-prepare")
    if is_first or is_pressed:
        session_state.remember(begun, True)
        job_progress.run(prepare_preview(model=view.model, atlas=atlas.id))


def _draw(atlas: NetworkAtlas, settings: PlanSettings, preview: PreviewedPlan) -> None:
    code = recipes.code(
        "preview",
        atlas=atlas.id,
        model=view_state.view().model,
        settings=recipes.changed_settings(settings),
    )
    draw_picture(
        removal_profile(preview.n_removed, np.array(atlas.layout.widths), palette=frame.palette()),
        key="preview-profile",
        made=code,
    )
    _draw_map(atlas, preview, code)
    _offer_costs(atlas, settings, code)


def _sheets(atlas: NetworkAtlas, preview: PreviewedPlan) -> Sheets:
    view, n = view_state.view(), atlas.layout.n_units
    return cache.sheets(
        atlas.id,
        preview.keep,
        z=atlas_frame.units_shown(atlas),
        stay=tuple(unit for unit in view.stay if unit < n),
        go=tuple(unit for unit in view.go if unit < n),
    )


def _agreement_text(atlas: NetworkAtlas, settings: PlanSettings, preview: PreviewedPlan) -> str:
    """Return how near the preview is to the plan: by measurement, where it is not exact."""
    plan = view_state.view().plan
    agreement = cache.agreement_with(plan, atlas.id, settings) if plan else None
    check = cache.preview_of(atlas.id).expected_agreement(settings)
    if agreement is not None:
        text = (
            f"Approximate: of the units that the applied plan removes, {100 * agreement:.1f} % are "
            "the same."
        )
    elif preview.is_exact:
        text = "The units that go are those of the plan, but for rounding."
    elif check is None:
        text = "Approximate: tokens are taken in groups that are alike."
    else:
        text = (
            f"Approximate: about {100 * check.agreement:.1f} % of these units go in the exact plan "
            f"too, measured on this recording with {check.n_dropped} of "
            f"{wording.count(atlas.n_networks, 'network')} dropped at random, at "
            f"{100 * check.ratio:.0f} %."
        )
    widest_layer = max(atlas.layout.widths)
    if preview.effective_tokens < widest_layer:
        text += (
            f" The protected networks leave the text the weight of only "
            f"{preview.effective_tokens:,.0f} tokens, fewer than the {widest_layer:,} units of a "
            "layer: what is chosen from so few may not hold elsewhere."
        )
    if settings.attention_ratio:
        text += " KV groups are counted in the sizes; which of them go is not previewed."
    return f"{text} Nothing is evaluated yet; Apply measures what it costs."


_SIZE = """<div title="{tip}"><span>{label}</span><b>{after}</b><small>{share} of {before}</small>
</div>"""


def sizes_table(preview: PreviewedPlan) -> str:
    """Return the model's sizes and operations, after and before, as HTML."""
    dense, pruned = preview.dense, preview.pruned
    n_removed, n_units = int(preview.n_removed.sum()), preview.layout.n_units
    facts = (
        ("MLP units", f"{n_units - n_removed:,}", f"{n_units:,}", n_removed / n_units, ""),
        (
            "Parameters",
            f"{pruned.n_parameters / 1e6:,.1f} M",
            f"{dense.n_parameters / 1e6:,.1f} M",
            1 - pruned.n_parameters / dense.n_parameters,
            "Of the whole model, embedding and attention too.",
        ),
        (
            "Memory",
            wording.size(pruned.n_bytes),
            wording.size(dense.n_bytes),
            1 - pruned.n_bytes / dense.n_bytes,
            "Of the weights, in the number format in which the model was loaded.",
        ),
        (
            "Operations per token",
            f"{pruned.macs_per_token / 1e6:,.1f} M",
            f"{dense.macs_per_token / 1e6:,.1f} M",
            1 - pruned.macs_per_token / dense.macs_per_token,
            "Multiplications with an addition, by formula: all matrices, the unembedding, and "
            "attention to a full window. Speed is measured on the page Export.",
        ),
    )
    cells = "".join(
        _SIZE.format(
            label=label, after=after, before=before, tip=html.escape(tip),
            share=f"−{100 * share:.1f} %" if share > 0 else "0 %",
        )
        for label, after, before, share, tip in facts
    )  # fmt: skip
    return f'<div class="lab-sizes">{cells}</div>'


def _draw_map(atlas: NetworkAtlas, preview: PreviewedPlan, code: str) -> None:
    """Draw each layer as a sheet; when asked, a lasso on it selects units."""
    is_selecting = st.toggle(
        "Select units on the map",
        key="preview-select",
        help="Draw around units with the mouse, and pin them.",
    )
    picture = removed_sheets(
        _sheets(atlas, preview),
        colours=network_colours(atlas.id, frame.palette().mode),
        palette=frame.palette(),
        can_select=is_selecting,
        is_narrow=browser_events.is_narrow(),
    )
    options: dict[str, Any] = {}
    if is_selecting:
        options = {"on_select": "rerun", "selection_mode": ("lasso", "box", "points")}
    event = draw_picture(
        picture,
        key="preview-map-select" if is_selecting else "preview-map",
        made=code,
        **options,
    )
    units = lasso.chosen_rows(event) if is_selecting else []
    if units:
        st.markdown(f"**{wording.count(len(units), 'unit')} selected**")
        pinned_units.buttons(units, key="preview-lasso")


def _offer_costs(atlas: NetworkAtlas, settings: PlanSettings, code: str) -> None:
    """Draw the cost of dropping each network; computed when it is asked for."""
    if not score_named(settings.score).uses_networks:
        st.caption("This score does not look at networks: dropping one would change nothing.")
        return
    expander = st.expander(
        "What dropping each network would change, estimated",
        icon=":material/price_change:",
        key="preview-costs-open",
        on_change="rerun",
    )
    if expander.open:
        with expander:
            _draw_costs(atlas, settings, code)


def _draw_costs(atlas: NetworkAtlas, settings: PlanSettings, code: str) -> None:
    column = choose(
        "Estimate",
        list(COSTS),
        words=lambda name: COSTS[name][0].capitalize(),
        key="preview-cost",
        default="energy",
        wrap=True,
    )
    names = resources.network_names(atlas.id)
    draw_picture(
        cost_bars(
            cache.network_costs(atlas.id, cache.relevant(settings)),
            column=column,
            says=COSTS[column][0],
            names=names,
            palette=frame.palette(),
        ),
        key="preview-costs",
        made=code,
    )
    st.caption(COSTS[column][1])
