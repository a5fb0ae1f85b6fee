"""The buttons of the rules that decide on many networks at once, each with what it would change."""

from collections.abc import Collection

import streamlit as st

from app.pruning.lab import data as cache
from app.pruning.lab import rules
from app.pruning.lab.rules import RULES, Effect, Known, Terms
from app.shell import choices, resources, session_state, view_state, wording
from app.widgets.controls import button
from fnprune_core.atlas.network_atlas import NetworkAtlas

_PENDING = "rule that waits for a word"
_ICONS = {"prune": "remove_moderator", "keep": "shield", "keep only": "shield"}
#: The deed of a rule, as its button says it.
_DEEDS = {"prune": "Don't protect", "keep": "Protect"}


def bar(atlas: NetworkAtlas) -> None:
    """Draw the rules, undo, and a question where a rule would drop what serves all texts."""
    facts, dropped = cache.rule_facts(atlas.id), view_state.view().dropped
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="lab-rules"):
        for name in ("all", "none", "invert"):
            is_off = not rules.effect(RULES[name], Terms(), facts, dropped).n_changed
            pressed = (atlas.id, name, Terms())
            button(RULES[name].label, key=f"rule-{name}", does=_press, args=pressed, is_off=is_off)
        with st.popover("Rules", icon=":material/rule:", key="rules-popover"):
            _trust_rule(atlas.id, facts, dropped)
            _domain_rules(atlas.id, facts, dropped)
            _strength_rule(atlas.id, facts, dropped)
            _tag_rule(atlas.id, facts, dropped)
        button("Undo", "undo", key="rule-undo", does=choices.undo, is_off=not choices.can_undo())
    _ask_about_serving(atlas.id, facts, dropped)


def _trust_rule(id: str, facts: Known, dropped: Collection[int]) -> None:
    measured = rules.trust_columns(facts.table)
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
    lower_limit = st.slider(
        f"{rules.TRUST[statistic]} below", 0.0, 1.0, 0.5, 0.05, key="rule-least"
    )
    _rule_button(id, "trust", Terms(statistic=statistic, least=lower_limit), facts, dropped)


def _domain_rules(id: str, facts: Known, dropped: Collection[int]) -> None:
    st.markdown("**What serves domains**")
    chosen = st.pills(
        "Domains",
        facts.domain_names,
        format_func=wording.plain,
        selection_mode="multi",
        default=[facts.domain_names[0]],
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
            _rule_button(id, name, terms, facts, dropped)


def _strength_rule(id: str, facts: Known, dropped: Collection[int]) -> None:
    n = len(facts.networks)
    st.markdown("**The strongest, by variance**")
    count = st.number_input(
        "How many", 1, n, max(n // 2, 1), key="rule-count", label_visibility="collapsed"
    )
    _rule_button(id, "strongest", Terms(count=int(count)), facts, dropped)


def _tag_rule(id: str, facts: Known, dropped: Collection[int]) -> None:
    tags_in_use = sorted({tag for tags in facts.tags for tag in tags})
    st.markdown("**Tagged**")
    if not tags_in_use:
        st.caption("No network has a tag. Give one under Name and note on its page.")
        return
    chosen = st.pills(
        "Tags",
        tags_in_use,
        format_func=wording.plain,
        selection_mode="multi",
        wrap=True,
        key="rule-tags",
        label_visibility="collapsed",
    )
    _rule_button(id, "tagged", Terms(tags=tuple(chosen)), facts, dropped)


def _rule_button(id: str, name: str, terms: Terms, facts: Known, dropped: Collection[int]) -> None:
    """Draw a rule's button: it says how many networks would change."""
    rule = RULES[name]
    effect = rules.effect(rule, terms, facts, dropped)
    button(
        button_label(name, effect),
        _ICONS[rule.does],
        key=f"rule-{name}",
        does=_press,
        args=(id, name, terms),
        is_off=not effect.n_changed,
        help=f"{wording.count(len(effect.found), 'network')} found, "
        f"{len(effect.pruned)} would lose their protection, and {len(effect.kept)} gain it.",
    )


def button_label(name: str, effect: Effect) -> str:
    """Return the label of a rule's button: the deed, and how many networks it changes."""
    deed = RULES[name].does
    if deed == "keep only":
        return f"Protect only these {len(effect.found)}"
    return f"{_DEEDS[deed]} {effect.n_changed} of these {len(effect.found)}"


def _press(id: str, name: str, terms: Terms) -> None:
    """Apply a rule, or ask first where it would drop networks that serve all texts."""
    effect = rules.effect(RULES[name], terms, cache.rule_facts(id), view_state.view().dropped)
    if effect.serving:
        session_state.remember(_PENDING, (id, name, terms))
    else:
        _apply(name, terms, effect)


def _apply(name: str, terms: Terms, effect: Effect) -> None:
    session_state.forget(_PENDING)
    choices.drop(effect.dropped, why=RULES[name].says(terms))


def _ask_about_serving(id: str, facts: Known, dropped: Collection[int]) -> None:
    """Draw the question whether a rule may drop networks of position or attention sinks."""
    pending = session_state.widget(_PENDING)
    if pending is None:
        return
    of_atlas, name, terms = pending
    effect = rules.effect(RULES[name], terms, facts, dropped)
    if of_atlas != id or not effect.serving:
        session_state.forget(_PENDING)
        return
    network_names = "; ".join(
        wording.plain(f"{k} · {resources.network_name(id, k)}") for k in sorted(effect.serving)
    )
    is_plural = len(effect.serving) != 1
    st.warning(
        f"{wording.plain(RULES[name].says(terms).removeprefix('rule: ').capitalize())} would "
        f"also leave unprotected {'networks that look' if is_plural else 'a network that looks'} "
        f"like position or attention sink: {network_names}. "
        f"{'They serve' if is_plural else 'It serves'} the model's working, not one kind of "
        "text: all texts may suffer.",
        icon=":material/warning:",
    )
    effect_without_serving = effect.sparing()
    with st.container(horizontal=True, gap="xsmall", key="rule-ask"):
        button(
            f"Spare {'them' if is_plural else 'it'}",
            "check",
            key="rule-spare",
            does=_apply,
            args=(name, terms, effect_without_serving),
            is_off=not effect_without_serving.n_changed,
        )
        button(
            f"Leave {'them' if is_plural else 'it'} unprotected too",
            "remove_moderator",
            key="rule-confirm",
            does=_apply,
            args=(name, terms, effect),
        )
        st.button("Cancel", key="rule-cancel", on_click=session_state.forget, args=(_PENDING,))
