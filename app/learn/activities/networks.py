"""Activities on networks: a map with its threshold, and two atlases."""

import html
from dataclasses import replace

import numpy as np
import streamlit as st
from scipy.stats import norm

from app.figures import maps
from app.learn import data as cache
from app.learn import figures as drawn
from app.learn.activities.shared import pick_network
from app.learn.lesson import Finding
from app.shell import recipes, resources, session_state, view_fields
from app.shell.caches import atlas_maps, nilearn
from app.widgets import frame
from app.widgets.body import note
from app.widgets.body.note import PLACES
from app.widgets.body.scenes import brain_scene, network_scene
from app.widgets.body.viewer import viewer
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas

_FIRST_Z = 3.0
_FIRST_SHOWN = 4
_Z_KEY, _FAMILY = "lesson-map-z", "lesson"


def a_map(atlas: NetworkAtlas) -> Finding | None:
    """Draw a network and the real motor map at the same threshold."""
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    with left:
        network = pick_network(atlas, chapter="map", default=cache.most_selective(atlas.id))
    with right:
        z: float = st.slider("Threshold |z|", *view_fields.Z_RANGE, _FIRST_Z, 0.5, key=_Z_KEY)
    left, right = st.columns(2, gap="large")
    alive = atlas.decomposition.alive
    magnitude = np.abs(atlas.maps[network, alive])
    with left:
        st.subheader(f"Network {network} of the model", anchor=False)
        _draw_network(atlas, network, z)
    with right:
        st.subheader("Left or right hand, real brains", anchor=False)
        words, _ = nilearn.motor_facts(z)
        limit = max(atlas_maps.colour_limit(atlas.id, z), nilearn.motor_limit(z))
        viewer(
            replace(brain_scene(z=z, limit=limit, words=words), family=_FAMILY, solid=1.0),
            key="lesson-brain",
            mode=frame.palette().mode,
            on_threshold=_set_threshold,
        )
        st.caption(words)
        share, normal_share = float((magnitude > z).mean()), float(2 * norm.sf(z))
        with st.container(horizontal=True):
            st.metric("Units beyond the threshold", f"{int((magnitude > z).sum()):,}", border=True)
            st.metric(
                "A bell curve would have", f"{normal_share * len(magnitude):,.0f}", border=True
            )
        st.caption(f"{100 * share:.2f} % of the units, against {100 * normal_share:.2f} %.")
    n_far = int((magnitude > _FIRST_Z).sum())
    expected = float(2 * norm.sf(_FIRST_Z)) * len(magnitude)
    ratio = n_far / max(expected, 1e-9)
    supports = "more" if ratio > 2 else "same" if ratio > 0.67 else "fewer"
    return Finding(
        sentence=f"{n_far:,} of {len(magnitude):,} units of network {network} have |z| above 3; a "
        f"bell curve would have {expected:,.0f}: {ratio:.1f} times as many.",
        supports=supports,
    )


def _draw_network(atlas: NetworkAtlas, network: int, z: float) -> None:
    """Draw a network in the body; without places, by layers."""
    limit = max(atlas_maps.colour_limit(atlas.id, z), nilearn.motor_limit(z))
    if resources.cortex(atlas.id) is None:
        picture = maps.network_map(
            atlas.layer_map(network),
            atlas.depth_profile(network, z=z),
            network=network,
            threshold=z,
            limit=limit,
            palette=frame.palette(),
            labels=atlas_maps.grouping(atlas.id),
        )
        code = recipes.code("layers", atlas=atlas.id, network=network, z=z)
        draw_picture(picture, key="lesson-map", made=code)
        return
    words, table = nilearn.model_facts(atlas.id, network, z)
    scene = network_scene(atlas, network, z=z, limit=limit, words=words)
    note.draw(
        replace(scene, family=_FAMILY, solid=1.0),
        lambda: table,
        key="lesson-map",
        on_threshold=_set_threshold,
        file=f"fnprune-lesson-network-{network}",
        made=recipes.code("body", atlas=atlas.id, network=network, z=z),
        about=PLACES,
    )


def _set_threshold(z: float) -> None:
    """Move the lesson's slider to the viewers' own."""
    low, high = view_fields.Z_RANGE
    session_state.remember(_Z_KEY, min(max(round(2 * z) / 2, low), high))


def atlases(atlas: NetworkAtlas) -> Finding | None:
    """Draw the brain's named networks, and how many networks a unit of the model is in."""
    mode = frame.palette().mode
    left, right = st.columns(2, gap="large")
    names = cache.brain_networks()
    with left:
        st.subheader("300 regions of the brain", anchor=False)
        chosen = st.pills(
            "Networks of the brain",
            list(names),
            default=list(names)[:_FIRST_SHOWN],
            selection_mode="multi",
            format_func=spaced,
            wrap=True,
            key="lesson-brain-networks",
            label_visibility="collapsed",
        )
        if chosen:
            colours = cache.region_colours(list(names), mode)
            regions_text = ", ".join(f"{spaced(name)} ({names[name]} regions)" for name in chosen)
            st.image(
                cache.glass_brain(tuple(chosen), mode),
                width="stretch",
                alt=f"Regions of the brain's networks on a glass brain: {regions_text}.",
            )
            st.html(_legend([(spaced(name), colours[name]) for name in chosen]))
            st.caption(f"{regions_text}. Seen from the left side, the back and above, by nilearn.")
        else:
            st.caption("Choose a network to light it up.")
    with right:
        st.subheader(f"{atlas.layout.n_units:,} units of the model", anchor=False)
        z: float = st.slider(
            "Threshold |z|", *view_fields.Z_RANGE, _FIRST_Z, 0.5, key="lesson-atlas-z"
        )
        picture = drawn.membership_bars(
            cache.networks_per_unit(atlas.id, z), z=z, palette=frame.palette()
        )
        draw_picture(picture, key="lesson-members")
    counts = cache.networks_per_unit(atlas.id, _FIRST_Z)
    members = int(counts[1:].sum())
    overlap_share = int(counts[2:].sum()) / max(members, 1)
    supports = "none" if overlap_share < 0.05 else "some" if overlap_share <= 0.6 else "most"
    return Finding(
        sentence=f"At |z| above 3, {members:,} of {counts.sum():,} units are in some network; "
        f"{100 * overlap_share:.0f} % of these are in two or more.",
        supports=supports,
    )


def spaced(name: str) -> str:
    """Return DefaultMode as “Default mode”."""
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return words.capitalize()


def _legend(rows: list[tuple[str, str]]) -> str:
    palette = frame.palette()
    spans = "".join(
        '<span style="display:inline-flex;align-items:center;gap:6px;margin-right:14px">'
        f'<span style="width:12px;height:12px;border-radius:6px;background:{colour}"></span>'
        f"{html.escape(name)}</span>"
        for name, colour in rows
    )
    return f'<div style="font-size:.86rem;color:{palette.text}">{spans}</div>'
