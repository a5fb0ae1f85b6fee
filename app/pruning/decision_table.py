"""The table of decisions that led to a plan."""

import pandas as pd
import streamlit as st

from app.widgets import controls
from fnprune_core.plans.decision_log import Decision

_MOST_NAMED = 12


def draw(log: tuple[Decision, ...], *, key: str | None = None) -> None:
    """Draw a log of decisions, newest first."""
    controls.table(
        table(log),
        key=key,
        alt=f"{len(log)} decisions, newest first",
        columns={
            "time": st.column_config.DatetimeColumn(format="MMM D, HH:mm:ss"),
            "decision": st.column_config.TextColumn(width="medium"),
            "reason": st.column_config.TextColumn(width="large"),
        },
    )


def table(log: tuple[Decision, ...]) -> pd.DataFrame:
    """Return the log as a table, newest first."""
    return pd.DataFrame(
        {
            "time": pd.to_datetime(
                [decision.time for decision in log[::-1]],
                errors="coerce",
                utc=True,
                format="ISO8601",
            ),
            "decision": [decision.what for decision in log[::-1]],
            "not protected": [_networks_text(decision.pruned) for decision in log[::-1]],
            "protected": [_networks_text(decision.kept) for decision in log[::-1]],
            "about": [_networks_text(decision.noted) for decision in log[::-1]],
            "reason": [decision.reason for decision in log[::-1]],
        }
    )


def _networks_text(networks: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, networks[:_MOST_NAMED]))
    n_more = len(networks) - _MOST_NAMED
    return f"{listed} and {n_more} more" if n_more > 0 else listed
