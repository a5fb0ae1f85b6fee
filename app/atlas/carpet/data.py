"""Cached data of the Carpet page: the units that are drawn, and their z over sessions."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.atlas.carpet.figures import CarpetRows, Span
from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas.units import units_by_network
from fnprune_core.recording import carpet

N_ROWS = 448
N_COLUMNS = 768


@cached(max_entries=8)
def rows(atlas_id: str, by: str) -> tuple[NDArray[np.int64], CarpetRows]:
    """Return the units of a carpet, as flat indices and as rows.

    By layer: evenly spaced. By network: of the units whose strongest network it is, those with
    the largest |z|, the positive ones first; networks follow their strongest domain.
    """
    atlas = resources.atlas(atlas_id)
    if by == "layer":
        units, _ = carpet.spread_units(atlas.layout.widths, N_ROWS)
    else:
        units = units_by_network(atlas, max(2, N_ROWS // atlas.n_networks))
    layer, index = atlas.layout.locate(units)
    return units, CarpetRows(
        layer=layer,
        index=index,
        network=atlas.strongest[0][units],
        by=by,
        n_units=atlas.layout.n_units,
    )


def tokens(atlas_id: str, session: int) -> tuple[list[str], int]:
    """Return a session's tokens as text, and how many of the first are dummies."""
    recording = resources.recording(resources.atlas(atlas_id).decomposition.recording_id)
    in_session = recording.session_slice(session)
    texts = recording.tokens["text"].iloc[in_session].astype(str).tolist()
    return texts, int(recording.is_dummy[in_session].sum())


@cached(max_entries=8, spinner="Reading the session")
def session_values(atlas_id: str, by: str, session: int) -> NDArray[np.float32]:
    """Return z of the carpet's units over a session: (rows, tokens)."""
    recording = resources.recording(resources.atlas(atlas_id).decomposition.recording_id)
    return carpet.session_z(recording, session, rows(atlas_id, by)[0])


def session_facts(atlas_id: str) -> pd.DataFrame:
    """Return one row per session: session, domain, document, tokens; sorted by domain."""
    table = resources.atlas(atlas_id).tokens
    grouped = table.groupby("session", observed=True)
    frame = grouped.first()[["domain", "document"]].astype(str)
    frame["tokens"] = grouped.size()
    return frame.reset_index().sort_values(["domain", "session"], kind="stable", ignore_index=True)


def columns(atlas_id: str) -> tuple[pd.DataFrame, list[Span], list[Span]]:
    """Return the sessions in the order of the overview, and the spans of sessions and domains."""
    facts = session_facts(atlas_id)
    per_session = max(1, N_COLUMNS // len(facts))
    first = 0
    sessions: list[Span] = []
    domains: list[Span] = []
    rows = zip(*(facts[name].tolist() for name in facts), strict=True)
    for session, domain, document, n_tokens in rows:
        last = first + min(per_session, n_tokens) - 1
        name = f"session {session}: {domain}, {document}"
        sessions.append(Span(name=name, first=first, last=last))
        if domains and domains[-1].name == domain:
            domains[-1] = replace(domains[-1], last=last)
        else:
            domains.append(Span(name=domain, first=first, last=last))
        first = last + 1
    return facts, sessions, domains


@cached(max_entries=4, spinner="Reading all sessions")
def overview(atlas_id: str, by: str) -> NDArray[np.float32]:
    """Return z of the carpet's units over all sessions, pooled: (rows, columns)."""
    recording = resources.recording(resources.atlas(atlas_id).decomposition.recording_id)
    facts, spans, _ = columns(atlas_id)
    bins = [
        (session, span.last - span.first + 1)
        for session, span in zip(facts["session"].tolist(), spans, strict=True)
    ]
    return carpet.pooled_sessions(recording, rows(atlas_id, by)[0], bins)
