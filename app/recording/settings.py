"""The forms in which settings are chosen; what is set stays while the session lasts."""

from typing import Any

import streamlit as st

from app.pruning.checks import MOST_PERCENT
from app.shell import glossary, resources, view_state
from app.widgets import frame
from fnprune_core import workflows
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import SettingsError
from fnprune_core.plans.allocation import ALLOCATIONS, WEIGHTED
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.compensation import COMPENSATIONS
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.scores.units import SCORES

#: Key of the number of networks, so that a page can set it.
K = "ica-k"
TOKENS = [4096, 8192, 16384, 32768, 65536, 131072, 262144]
_COMPENSATION = """What makes up for what goes, computed on the recording.

- None: nothing.
- Bias: the mean output of the units that go is added.
- Least squares: the columns of the units that stay are refitted, layer by layer, in seconds.
- Reconstruction: after that, what stays of the MLPs is trained end to end towards the dense
  model's predictions; takes minutes for each plan."""
LABELS = {
    "model": "Whole model",
    "layer": "Each layer by itself",
    "fastica": "FastICA",
    "picard": "Picard",
    "cube": "cube",
    "logcosh": "log cosh",
    "recording": "Whole recording",
    "session": "Each session",
}


def choice(label: str, options: list[str], *, key: str, tip: str | None = None) -> str:
    """Ask for one of few options."""
    return st.segmented_control(
        label,
        options,
        format_func=LABELS.__getitem__,
        default=options[0],
        required=True,
        key=key,
        help=tip,
        persist_state="session",
    )


def recording_settings() -> RecordingSettings:
    """Ask how texts are cut; the defaults suit most."""
    tokens = st.select_slider(
        "Tokens to read at most",
        TOKENS,
        value=16384,
        format_func=lambda n: f"{n:,}",
        key="record-tokens",
        persist_state="session",
    )
    with st.expander("How texts are cut", icon=":material/tune:"):
        window = st.number_input(
            "Window, tokens",
            16,
            8192,
            512,
            key="record-window",
            persist_state="session",
            help=glossary.tip("run"),
        )
        dummy = st.number_input(
            "Dummy tokens at the start of each window",
            0,
            64,
            4,
            key="record-dummy",
            persist_state="session",
            help=glossary.tip("dummy"),
        )
        pack = st.toggle(
            "Join short documents of a domain", key="record-pack", persist_state="session"
        )
        seed = st.number_input(
            "Seed of the draw",
            0,
            999_999,
            None,
            placeholder="none: from all documents in turn",
            key="record-seed",
            persist_state="session",
            help="Where more text is there than is read: another seed reads other windows, and so "
            "shows how far networks and plans hang on the text.",
        )
    return RecordingSettings(
        window=int(window),
        n_dummy_tokens=int(dummy),
        max_tokens=tokens,
        pack=pack,
        seed=None if seed is None else int(seed),
    )


def ica_settings() -> GroupICA:
    """Ask for K, scope and algorithm."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        k = st.number_input(
            "Networks (K)",
            2,
            1024,
            64,
            key=K,
            width=150,
            persist_state="session",
            help=f"{glossary.tip('n_components')}  \nMore tokens bear more networks; 64 suits "
            "16,000 tokens.",
        )
        scope = choice("Scope", ["model", "layer"], key="ica-scope")
        algorithm = choice("Algorithm", ["fastica", "picard"], key="ica-algorithm")
        runs = st.number_input(
            "Runs",
            1,
            50,
            5,
            key="ica-runs",
            width=130,
            persist_state="session",
            help=f"From different random starts.  \n{glossary.tip('stability')}",
        )
    with st.expander("More settings", icon=":material/tune:"):
        fun = choice("Contrast", ["cube", "logcosh"], key="ica-fun")
        normalize = choice(
            "Scale units over",
            ["recording", "session"],
            key="ica-normalize",
            tip="Over each session, as is usual for fMRI, differences between domains vanish.",
        )
        max_iter = st.number_input(
            "Iterations at most", 10, 5000, 400, key="ica-iterations", persist_state="session"
        )
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="ica-seed", persist_state="session")
    return GroupICA(
        n_components=int(k),
        scope=scope,
        algorithm=algorithm,
        fun=fun,
        n_runs=int(runs),
        normalize=normalize,
        max_iter=int(max_iter),
        seed=int(seed),
    )


def plan_settings() -> PlanSettings:
    """Ask for ratios of units and heads, score, allocation and compensation.

    Raises `FnpruneError`, once all is drawn, where the choices cannot be met.
    """
    ratio, attention_ratio = _shares()
    score = st.selectbox(
        "Score",
        list(SCORES),
        key="prune-score",
        format_func=lambda name: SCORES[name].label,
        persist_state="session",
    )
    compensation = st.segmented_control(
        "Compensation",
        list(COMPENSATIONS),
        format_func=lambda name: COMPENSATIONS[name].label,
        default="least-squares",
        required=True,
        key="prune-compensation",
        persist_state="session",
        help=f"{glossary.tip('compensation')}\n\n{_COMPENSATION}",
    )
    more = _more_plan_settings()
    view = view_state.view()
    n_networks = resources.atlas(view.atlas).n_networks
    preserved = tuple(k for k in range(n_networks) if k not in view.dropped)
    chosen = PlanSettings(
        score=score,
        ratio=ratio,
        attention_ratio=attention_ratio,
        allocation=more["allocation"],
        layer_weights=_weights(more["weights"]),
        compensation=compensation,
        sink_units=more["sink_units"],
        preserved=preserved if view.dropped else None,
        seed=more["seed"],
    )
    _say_what_goes(chosen)
    model = resources.language_model(view.model)
    if model is not None:
        workflows.check_attention_ratio(model, workflows.canonical_settings(chosen))
    return chosen


def _shares() -> tuple[float, float]:
    """Ask how much goes: of the units, and of attention."""
    percent = st.slider(
        "Units to remove, %",
        0,
        MOST_PERCENT,
        20,
        key="prune-ratio",
        persist_state="session",
        help=glossary.tip("ratio"),
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
    return percent / 100, heads / 100


def _more_plan_settings() -> dict[str, Any]:
    """Ask for allocation, sink units a layer and the random score's seed; weights as text."""
    weights = ""
    with st.expander("More settings", icon=":material/tune:"):
        allocation = st.segmented_control(
            "Allocation over layers",
            list(ALLOCATIONS),
            default="protect-ends",
            required=True,
            key="prune-allocation",
            persist_state="session",
        )
        if allocation == WEIGHTED:
            weights = st.text_input(
                "Weights of the layers",
                key="prune-weights",
                persist_state="session",
                placeholder="0, 0.5, 1, …",
                help="How much of its units each layer gives beside the others, first layer "
                "first; 0 exempts it. Empty: all alike. “Divide the cut by search” finds them.",
            )
        sinks = st.number_input(
            "Sink units kept in each layer",
            0,
            64,
            4,
            key="prune-sinks",
            persist_state="session",
            help=glossary.tip("sinks"),
        )
        seed = st.number_input(
            "Seed of the random score",
            0,
            2**31 - 1,
            0,
            key="prune-seed",
            persist_state="session",
        )
    return {
        "allocation": allocation,
        "weights": weights,
        "sink_units": int(sinks),
        "seed": int(seed),
    }


def _weights(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise SettingsError(
            f"Weights of layers are numbers, and {text!r} are none.",
            hint="Write one for each layer, with commas: 0, 0.5, 1.",
        ) from error


def _say_what_goes(chosen: PlanSettings) -> None:
    """Say what the ratios are of all parameters, and what heads this model has to give."""
    model = resources.language_model(view_state.view().model)
    if model is None:
        if chosen.attention_ratio:
            st.caption("Which heads the model has is known once it is loaded.")
        return
    text = f"About {workflows.expected_share(model, chosen):.1%} of all parameters go."
    if chosen.attention_ratio:
        layout = model.attention
        n = layout.groups.widths[0]
        heads = layout.heads_per_group
        each = "one head each" if heads == 1 else f"{heads} query heads each"
        text += (
            f" Attention: {len(layout.groups.widths)} layers of {n} KV groups, {each}; "
            f"about {round(chosen.attention_ratio * layout.groups.n_units)} of "
            f"{layout.groups.n_units} go."
        )
        if not model.architecture.attention.has_head_size:
            text += (
                f" {model.architecture.family} models cannot be exported in the uniform form with "
                "fewer heads; masked and per layer they can."
            )
    st.caption(frame.plain(text))
