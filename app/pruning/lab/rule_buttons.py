"""The buttons of the rules that decide on many networks at once, each with what it would change."""

from collections.abc import Collection

import streamlit as st

from app.pruning.lab import data as cache
from app.pruning.lab import rules
from app.pruning.lab.rules import RULES, Effect, Known, Terms
from app.shell import resources, view_state, wording
from fnprune_core.atlas.network_atlas import NetworkAtlas

_PENDING = "rule that waits for a word"
_ICONS = {"prune": "content_cut", "keep": "check", "keep only": "check"}


def bar(atlas: NetworkAtlas) -> None:
    """Draw the rules, undo, and a question where a rule would drop what serves all texts."""
    known, dropped = cache.known(atlas.id), view_state.view().dropped
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="lab-rules"):
        for name in ("all", "none", "invert"):
            found = rules.effect(RULES[name], Terms(), known, dropped)
            st.button(
                RULES[name].label,
                key=f"rule-{name}",
                on_click=_press,
                args=(atlas.id, name, Terms()),
                disabled=not found.n_changed,
            )
        with st.popover("Rules", icon=":material/rule:", key="rules-popover"):
            _trust_rule(atlas.id, known, dropped)
            _domain_rules(atlas.id, known, dropped)
            _strength_rule(atlas.id, known, dropped)
            _tag_rule(atlas.id, known, dropped)
        st.button(
            "Undo",
            icon=":material/undo:",
            shortcut="U",
            key="rule-undo",
            on_click=view_state.undo,
            disabled=not view_state.can_undo(),
        )
    _ask(atlas.id, known, dropped)


def _trust_rule(id: str, known: Known, dropped: Collection[int]) -> None:
    measured = rules.trust_columns(known.table)
    if not measured:
        return
    st.markdown("**Not to be trusted**")
    statistic = st.selectbox(
        "Statistic",
        measured,
        format_func=rules.TRUST.__getitem__,
        key="rule-statistic",
        label_visibility="collapsed",
    )
    least = st.slider(f"{rules.TRUST[statistic]} below", 0.0, 1.0, 0.5, 0.05, key="rule-least")
    _offer(id, "trust", Terms(statistic=statistic, least=least), known, dropped)


def _domain_rules(id: str, known: Known, dropped: Collection[int]) -> None:
    st.markdown("**What serves domains**")
    chosen = st.pills(
        "Domains",
        known.domain_names,
        format_func=wording.plain,
        selection_mode="multi",
        default=[known.domain_names[0]],
        wrap=True,
        key="rule-domains",
        label_visibility="collapsed",
    )
    percent = st.slider(
        "Share of its energy in one of them over, %", 5, 95, 50, 5, key="rule-share"
    )
    terms = Terms(domains=tuple(chosen), share=percent / 100)
    with st.container(horizontal=True, gap="xsmall"):
        for name in ("prune-domains", "keep-domains", "only-domains"):
            _offer(id, name, terms, known, dropped)


def _strength_rule(id: str, known: Known, dropped: Collection[int]) -> None:
    n = len(known.networks)
    st.markdown("**The strongest, by variance**")
    count = st.number_input(
        "How many", 1, n, max(n // 2, 1), key="rule-count", label_visibility="collapsed"
    )
    _offer(id, "strongest", Terms(count=int(count)), known, dropped)


def _tag_rule(id: str, known: Known, dropped: Collection[int]) -> None:
    present = sorted({tag for tags in known.tags for tag in tags})
    st.markdown("**Tagged**")
    if not present:
        st.caption("No network has a tag. Give one under Name and note on its page.")
        return
    chosen = st.pills(
        "Tags",
        present,
        format_func=wording.plain,
        selection_mode="multi",
        wrap=True,
        key="rule-tags",
        label_visibility="collapsed",
    )
    _offer(id, "tagged", Terms(tags=tuple(chosen)), known, dropped)


def _offer(id: str, name: str, terms: Terms, known: Known, dropped: Collection[int]) -> None:
    """Draw a rule's button: it says how many networks would change."""
    rule = RULES[name]
    found = rules.effect(rule, terms, known, dropped)
    st.button(
        button_label(name, found),
        icon=f":material/{_ICONS[rule.does]}:",
        key=f"rule-{name}",
        on_click=_press,
        args=(id, name, terms),
        disabled=not found.n_changed,
        help=f"{wording.count(len(found.found), 'network')} found, "
        f"{len(found.pruned)} would be pruned and {len(found.kept)} kept that are not now.",
    )


def button_label(name: str, found: Effect) -> str:
    """Return what a rule's button says: the deed, and how many networks it changes."""
    does = RULES[name].does
    if does == "keep only":
        return f"Keep only these {len(found.found)}"
    return f"{does.capitalize()} {found.n_changed} of these {len(found.found)}"


def _press(id: str, name: str, terms: Terms) -> None:
    """Apply a rule, or ask first where it would drop networks that serve all texts."""
    found = rules.effect(RULES[name], terms, cache.known(id), view_state.view().dropped)
    if found.serving:
        view_state.remember(_PENDING, (id, name, terms))
    else:
        _apply(name, terms, found)


def _apply(name: str, terms: Terms, found: Effect) -> None:
    view_state.forget(_PENDING)
    view_state.drop(found.dropped, why=RULES[name].says(terms))


def _ask(id: str, known: Known, dropped: Collection[int]) -> None:
    """Ask whether a rule may drop networks of position or attention sinks."""
    pending = view_state.widget(_PENDING)
    if pending is None:
        return
    of_atlas, name, terms = pending
    found = rules.effect(RULES[name], terms, known, dropped)
    if of_atlas != id or not found.serving:
        view_state.forget(_PENDING)
        return
    which = "; ".join(
        wording.plain(f"{k} · {resources.network_name(id, k)}") for k in sorted(found.serving)
    )
    many = len(found.serving) != 1
    st.warning(
        f"{wording.plain(RULES[name].says(terms).removeprefix('rule: ').capitalize())} would "
        f"also prune {'networks that look' if many else 'a network that looks'} like position or "
        f"attention sink: {which}. {'They serve' if many else 'It serves'} the model's working, "
        "not one kind of text: all texts may suffer.",
        icon=":material/warning:",
    )
    spared = found.sparing()
    with st.container(horizontal=True, gap="xsmall", key="rule-ask"):
        st.button(
            f"Spare {'them' if many else 'it'}",
            icon=":material/check:",
            key="rule-spare",
            on_click=_apply,
            args=(name, terms, spared),
            disabled=not spared.n_changed,
        )
        st.button(
            f"Prune {'them' if many else 'it'} too",
            icon=":material/content_cut:",
            key="rule-confirm",
            on_click=_apply,
            args=(name, terms, found),
        )
        st.button("Cancel", key="rule-cancel", on_click=view_state.forget, args=(_PENDING,))
