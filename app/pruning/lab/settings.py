"""The form of a plan: ratios, score, allocation, compensation."""

import streamlit as st

from app.pruning import form_words
from app.pruning.checks import MOST_PERCENT
from app.pruning.lab import amount
from app.shell import glossary, resources, session_state, view_state, wording
from app.widgets.controls import choose, number
from fnprune_core.errors import SettingsError
from fnprune_core.models.attention_modules import UNPROVEN
from fnprune_core.plans.allocation import ALLOCATIONS
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import head_planner, planner
from fnprune_core.pruning.compensation import COMPENSATIONS
from fnprune_core.scores.units import SCORES


def plan_settings() -> PlanSettings:
    """Return the chosen ratios of units and heads, score, allocation and compensation.

    The amount stands on the page, the rest opens beside it. Raises `FnpruneError`, once all is
    drawn, where the choices cannot be met.
    """
    amount_asked = amount.choose()
    with st.popover(
        chosen_text(), icon=":material/tune:", key="lab-form", width="stretch",
        help="Score, compensation, attention, allocation",
    ):  # fmt: skip
        score = st.selectbox(
            "Score",
            list(SCORES),
            key="prune-score",
            format_func=lambda name: SCORES[name].label,
            persist_state="session",
        )
        compensation = st.selectbox(
            "Compensation",
            list(COMPENSATIONS),
            index=list(COMPENSATIONS).index("least-squares"),
            format_func=lambda name: COMPENSATIONS[name].label,
            key="prune-compensation",
            persist_state="session",
            help=explained_compensations(),
        )
        heads = st.slider(
            "Attention to remove, %",
            0,
            MOST_PERCENT,
            0,
            key="prune-attention",
            persist_state="session",
            help="Share of all KV groups: a key and value head with the query heads that read it. "
            "Scored, allocated and compensated as the units are; each layer keeps at least one.",
        )
        allocation, weights = _choose_allocation()
        sinks = st.number_input(
            "Sink units kept in each layer",
            0,
            64,
            None,
            placeholder="as many as the score needs",
            key="prune-sinks",
            persist_state="session",
            help=glossary.tip("sinks"),
        )
        seed = number("Seed of the random score", 0, 2**31 - 1, 0, key="prune-seed")
    form_words.write_present()
    view = view_state.view()
    n_networks = resources.atlas(view.atlas).n_networks
    preserved = tuple(k for k in range(n_networks) if k not in view.dropped)
    settings = PlanSettings(
        score=score,
        attention_ratio=heads / 100,
        allocation=allocation,
        layer_weights=_weights(weights),
        compensation=compensation,
        sink_units=None if sinks is None else int(sinks),
        preserved=preserved if view.dropped else None,
        seed=int(seed),
    )
    settings = amount.settled(settings, amount_asked)
    model = resources.language_model(view.model)
    if settings.attention_ratio:
        _show_heads(settings)
    if model is not None:
        head_planner.check_attention_ratio(model, planner.canonical_settings(settings))
    return settings


def chosen_text() -> str:
    """Return the score and the compensation that are chosen, in a few words."""
    score = session_state.widget("prune-score") or "network-energy"
    compensation = session_state.widget("prune-compensation") or "least-squares"
    heads = session_state.widget("prune-attention")
    more = f", {heads} % of attention" if heads else ""
    return f"{SCORES[score].label}, {COMPENSATIONS[compensation].label.lower()}{more}"


def explained_compensations() -> str:
    """Return the tooltip of the choice of compensation: an explanation of each row."""
    rows = "\n".join(f"- {row.label}: {row.does}." for row in COMPENSATIONS.values())
    return (
        f"{glossary.tip('compensation')}\n\nWhat makes up for what goes, computed on the "
        f"recording.\n\n{rows}"
    )


def _choose_allocation() -> tuple[str, str]:
    """Draw the allocation; return it, and the text of the weights that it takes."""
    allocation = choose(
        "Allocation over layers",
        {name: row.label for name, row in ALLOCATIONS.items()},
        key="prune-allocation",
        default="protect-ends",
        is_labelled=True,
        is_kept=True,
    )
    if not ALLOCATIONS[allocation].takes_weights:
        return allocation, ""
    return allocation, st.text_input(
        "Weights of the layers",
        key="prune-weights",
        persist_state="session",
        placeholder="0, 0.5, 1, …",
        help="How much of its units each layer gives beside the others, first layer "
        "first; 0 exempts it. Empty: all alike. “Divide the cut by search” finds them.",
    )


def _weights(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise SettingsError(
            f"Weights of layers are numbers, and {text!r} are none.",
            hint="Write one for each layer, with commas: 0, 0.5, 1.",
        ) from error


def _show_heads(settings: PlanSettings) -> None:
    """Draw the heads that this model has, and how many go."""
    model = resources.language_model(view_state.view().model)
    if model is None:
        st.caption("Which heads the model has is known once it is loaded.")
        return
    if model.architecture.attention is UNPROVEN:
        st.caption("How this model's heads can be cut is not proven: leave its attention as it is.")
        return
    layout = model.attention
    n = layout.groups.widths[0]
    heads = layout.heads_per_group
    heads_text = "one head each" if heads == 1 else f"{heads} query heads each"
    text = (
        f"Attention: {len(layout.groups.widths)} layers of {n} KV groups, {heads_text}; "
        f"about {round(settings.attention_ratio * layout.groups.n_units)} of "
        f"{layout.groups.n_units} go. About "
        f"{100 * head_planner.expected_share(model, settings):.1f} % of all parameters go."
    )
    if not model.architecture.attention.has_head_size:
        text += (
            f" {model.architecture.family} models cannot be exported in the uniform form with "
            "fewer heads; masked and per layer they can."
        )
    st.caption(wording.plain(text))
