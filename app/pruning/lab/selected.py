"""The selected network in the prune lab: its facts, whether it is protected, and why."""

import hashlib
import html
from collections.abc import Callable, Sequence

import streamlit as st

from app.figures.markup import visible
from app.pruning.lab import data as cache
from app.pruning.lab import rules
from app.shell import choices, resources, session_state, view_state, wording
from app.shell.caches import networks
from app.shell.images.stills import thumbnails
from app.shell.jobs.job import describe_error
from app.widgets import frame, network_order
from app.widgets.controls import button
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import NetworkDecision

_CARD = """<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start">
<img src="{image}" alt="Map of network {network}" style="flex:0 0 96px;width:96px;
aspect-ratio:6/5;border-radius:4px;{faded}">
<div style="flex:1 1 150px;min-width:0">
<div style="font-weight:600;overflow-wrap:anywhere">{network} · {name}</div>
<div style="font-family:IBM Plex Mono,monospace;font-size:.78rem;opacity:.75;
overflow-wrap:anywhere;margin:1px 0 4px">{words}</div></div>
<div style="flex:1 1 170px;max-width:230px;min-width:0">{domains}</div></div>"""
_DOMAIN = """<div style="display:grid;grid-template-columns:minmax(60px,44%) 1fr 40px;gap:6px;
align-items:center;font-size:.74rem;line-height:1.3"><span style="overflow:hidden;
text-overflow:ellipsis;white-space:nowrap" title="{name}">{name}</span><span style="height:5px;
border-radius:3px;background:{line}"><span style="display:block;height:100%;width:{width:.1f}%;
border-radius:3px;background:{colour}"></span></span><span style="text-align:right;
font-variant-numeric:tabular-nums">{width:.0f} %</span></div>"""
_MOST_DOMAINS = 4
_KEYS = {"Previous": "Previous", "Next": "Next", "Protect": "Protect", "Don't protect": "Unprotect"}
_REFUSED = "reason that could not be kept"


def decide(network: int, *, is_dropped: bool) -> None:
    """Protect one network by hand, or take its protection away."""
    other_dropped = {*view_state.view().dropped} - {network}
    choices.drop({*other_dropped, network} if is_dropped else other_dropped)


def show(
    atlas: NetworkAtlas,
    network: int,
    shown_networks: Sequence[int],
    decision: NetworkDecision | None,
) -> None:
    """Draw the selected network, with the buttons that move to the next one or decide on it.

    Parameters
    ----------
    shown_networks : sequence of int
        The table's networks, in its order: the arrows follow it.
    """
    is_dropped = network in view_state.view().dropped
    with st.container(border=True, gap="small"):
        st.html(card(atlas, network))
        present_decision = decision or NetworkDecision(what=choices.LINK if is_dropped else "")
        _draw_buttons(atlas, network, shown_networks, present_decision)
        _draw_decision(atlas, network, present_decision, is_dropped=is_dropped)


def card(atlas: NetworkAtlas, network: int) -> str:
    """Return the network's map, name, words and domains as HTML."""
    palette = frame.palette()
    share = cache.rule_facts(atlas.id).domain_share[network]
    order = (-share).argsort(kind="stable")[:_MOST_DOMAINS]
    domains = "".join(
        _DOMAIN.format(
            name=html.escape(visible(atlas.domain_names[d])),
            width=100 * share[d],
            line=palette.line,
            colour=palette.text if i == 0 else palette.quiet,
        )
        for i, d in enumerate(order)
    )
    is_dropped = network in view_state.view().dropped
    return _CARD.format(
        image=thumbnails(atlas.id, view_state.view().z, palette.mode)[network],
        network=network,
        name=html.escape(visible(resources.network_name(atlas.id, network))),
        words=html.escape(" ".join(cache.words(atlas.id)[network])),
        domains=domains,
        faded="filter:grayscale(1);opacity:.4" if is_dropped else "",
    )


def _draw_buttons(
    atlas: NetworkAtlas, network: int, shown_networks: Sequence[int], decision: NetworkDecision
) -> None:
    is_dropped = network in view_state.view().dropped
    previous_network, next_network = (
        network_order.neighbour(shown_networks, network, step) for step in (-1, 1)
    )
    with st.container(
        horizontal=True, gap="xsmall", vertical_alignment="center", key="lab-buttons"
    ):
        _button("Previous", "arrow_back", lambda: view_state.change(network=previous_network))
        _button("Next", "arrow_forward", lambda: view_state.change(network=next_network))
        _button("Protect", "shield", lambda: decide(network, is_dropped=False), off=not is_dropped)
        _button(
            "Don't protect",
            "remove_moderator",
            lambda: decide(network, is_dropped=True),
            off=is_dropped,
        )
        _reason_field(atlas, network, decision)
        st.page_link(frame.ATLAS, label="Its page", icon=":material/neurology:")


def _button(label: str, icon: str, action: Callable[[], None], *, off: bool = False) -> None:
    button(label, icon, is_off=off, key=f"lab-{_KEYS[label]}", does=action)


def _draw_decision(
    atlas: NetworkAtlas, network: int, decision: NetworkDecision, *, is_dropped: bool
) -> None:
    """Draw whether the network is protected, and how that came about."""
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        if is_dropped:
            st.badge("not protected", icon=":material/remove_moderator:", color="orange")
        else:
            st.badge("protected", icon=":material/shield:", color="green")
        if decision.what:
            st.caption(wording.plain(decision.what), width="content")
        for tag in networks.tags(atlas.id)[network]:
            if tag.name in rules.SERVING:
                st.badge(
                    f"follows {tag.name}: {tag.value:.2g} ({tag.measure})",
                    icon=":material/warning:",
                    color="orange",
                    help="It serves the model's working rather than a kind of text: without it, "
                    "all texts may suffer.",
                )
    refusal = session_state.recall(_REFUSED)
    if refusal is not None:
        frame.error(refusal)


def _reason_field(atlas: NetworkAtlas, network: int, decision: NetworkDecision) -> None:
    """Draw the field in which a reason is written."""
    # The field is made anew after each decision.
    digest = hashlib.sha256(repr(decision).encode()).hexdigest()[:8]
    key = f"lab-reason-{atlas.id}-{network}-{digest}"
    st.text_input(
        "Why",
        decision.reason,
        max_chars=decision_log.MAX_REASON,
        placeholder="Why? It goes with the plan",
        label_visibility="collapsed",
        key=key,
        on_change=_write_reason,
        args=(network, key),
    )


def _write_reason(network: int, key: str) -> None:
    reason = str(session_state.widget(key) or "").strip()
    standing = decision_log.standing(choices.decisions()).get(network)
    if reason == ("" if standing is None else standing.reason):
        return  # the field was left, or went, as it was
    try:
        choices.write_reason(network, reason)
    except FnpruneError as error:  # told under the field
        session_state.remember(_REFUSED, describe_error(error))
