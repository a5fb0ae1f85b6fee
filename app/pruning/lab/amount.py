"""The amount that goes: a share of the MLP units or of all parameters, or a size to reach in MB."""

import streamlit as st

from app.pruning.checks import MOST_PERCENT
from app.pruning.lab import data as cache
from app.shell import glossary, resources, session_state, view_state
from app.widgets import model_offer, pinned_units
from fnprune_core.errors import SettingsError
from fnprune_core.export.size import SizeGoal, ratio_for
from fnprune_core.models.footprint import Dimensions
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.planner import canonical_settings

#: What the amount can be told in, by its name in the form's words.
UNITS = {"units": "% of MLP units", "parameters": "% of parameters", "megabytes": "MB to reach"}
_FIRST_PERCENT = 20
_FIRST_SMALLER = 0.2  # a size to begin with: so much smaller than the dense model


def choose() -> float | SizeGoal | None:
    """Draw the amount and what it is of; return a ratio of MLP units or a size.

    None where a size is asked for before the model's own is known.
    """
    unit = session_state.widget("prune-unit") or "units"
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        if unit == "units":
            percent = _slider("Units to remove, %", "prune-ratio", help=glossary.tip("ratio"))
        elif unit == "parameters":
            percent = _slider(
                "Parameters to remove, %",
                "prune-smaller",
                help="Of all parameters of the model, embedding and attention too. The share of "
                "MLP units follows, to one unit.",
            )
        else:
            n_megabytes = _megabytes(cache.dimensions())
        st.selectbox(
            "In",
            list(UNITS),
            format_func=UNITS.__getitem__,
            key="prune-unit",
            persist_state="session",
            width=150,
        )
    if unit == "units":
        return percent / 100
    if cache.dimensions() is None:
        model_offer.loaded(needed_for="to turn a size into units", key="prune-amount")
        return None
    if unit == "parameters":
        return SizeGoal(smaller=percent / 100)
    return SizeGoal(n_bytes=round(n_megabytes * 1e6))


def _slider(label: str, key: str, *, help: str) -> int:
    percent: int = st.slider(
        label, 0, MOST_PERCENT, _FIRST_PERCENT, key=key, persist_state="session", help=help
    )
    return percent


def _megabytes(dimensions: Dimensions | None) -> int:
    if session_state.widget("prune-megabytes") is None:
        n_bytes = 0 if dimensions is None else dimensions.parameter_bytes
        session_state.remember(
            "prune-megabytes", max(1, round((1 - _FIRST_SMALLER) * n_bytes / 1e6))
        )
    dense = "" if dimensions is None else f"The dense model has {_dense_text(dimensions)}. "
    n_megabytes: int = st.number_input(
        "Size of the weights, MB",
        1,
        99_999,
        key="prune-megabytes",
        persist_state="session",
        help=f"{dense}In the number format in which the model was loaded, as the exports uniform "
        "and per layer keep it. The share of MLP units follows, to one unit.",
    )
    return n_megabytes


def _dense_text(dimensions: Dimensions) -> str:
    return f"{dimensions.parameter_bytes / 1e6:,.0f} MB in {dimensions.dtype}"


def settled(settings: PlanSettings, amount: float | SizeGoal | None) -> PlanSettings:
    """Return the settings with the ratio that the amount comes to, and draw which one that is.

    Raises
    ------
    SettingsError
        If the size cannot be reached, or is not known yet.
    """
    if isinstance(amount, float):
        return settings.with_(ratio=amount)
    dimensions = cache.dimensions()
    if amount is None or dimensions is None:
        raise SettingsError(
            "How many units a size takes is known once the model is loaded.",
            hint="Load the model, or choose a share of MLP units.",
        )
    layout = resources.recording(view_state.view().recording).layout
    with_pins = canonical_settings(pinned_units.with_pins(settings))
    settings = settings.with_(ratio=ratio_for(amount, dimensions, layout, with_pins))
    st.caption(f"That takes {100 * settings.ratio:.1f} % of the MLP units.")
    return settings
