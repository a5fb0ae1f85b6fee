"""Cached data of the Carpet page: the units that are drawn, and their z over sessions."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.atlas.carpet.figures import CarpetRows, Span
from app.figures import raster
from app.shell import resources
from app.shell.caching import cached

N_ROWS = 448
N_COLUMNS = 768


@cached(max_entries=8)
def rows(atlas_id: str, by: str) -> tuple[NDArray[np.int64], CarpetRows]:
    """Return the units of a carpet, as flat indices and as rows.

    By layer: evenly spaced. By network: of the units whose strongest network it is, those with
    the largest |z|, the positive ones first; networks follow their strongest domain.
    """
    atlas = resources.atlas(atlas_id)
    strongest = np.abs(atlas.maps).argmax(axis=0)
    if by == "layer":
        units, _ = raster.carpet_rows(atlas.layout.widths, N_ROWS)
    else:
        n_per_network = max(2, N_ROWS // atlas.n_networks)
        share = atlas.domain_share()
        order = np.lexsort((-share.max(axis=1), share.argmax(axis=1)))
        units = np.concatenate(
            [_members(atlas.maps[k], strongest == k, n_per_network) for k in order]
        )
    layer, index = atlas.layout.locate(units)
    return units, CarpetRows(
        layer=layer,
        index=index,
        network=strongest[units],
        by=by,
        n_units=atlas.layout.n_units,
    )


def _members(
    of_network: NDArray[np.floating], is_own: NDArray[np.bool_], n: int
) -> NDArray[np.int64]:
    units = np.flatnonzero(is_own & (of_network != 0))
    strongest_units = units[np.argsort(-np.abs(of_network[units]), kind="stable")[:n]]
    return strongest_units[np.argsort(-of_network[strongest_units], kind="stable")]


def tokens(atlas_id: str, session: int) -> tuple[list[str], int]:
    """Return a session's tokens as text, and how many of the first are dummies."""
    recording = resources.recording(resources.atlas(atlas_id).decomposition.recording_id)
    in_session = recording.session_slice(session)
    texts = recording.tokens["text"].iloc[in_session].astype(str).tolist()
    return texts, int(recording.is_dummy[in_session].sum())


@cached(max_entries=8, spinner="Reading the session")
def session_values(atlas_id: str, by: str, session: int) -> NDArray[np.float32]:
    """Return z of the carpet's units over a session: (rows, tokens)."""
    return _read(atlas_id, by, session)


def _read(atlas_id: str, by: str, session: int) -> NDArray[np.float32]:
    recording = resources.recording(resources.atlas(atlas_id).decomposition.recording_id)
    units, _ = rows(atlas_id, by)
    scale = np.maximum(recording.std[units], 1e-12)
    signals = recording.session(session)[:, units]
    return np.ascontiguousarray(((signals - recording.mean[units]) / scale).T, dtype=np.float32)


def session_facts(atlas_id: str) -> pd.DataFrame:
    """Return one row a session: session, domain, document, tokens; sorted by domain."""
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
    """Return z of the carpet's units over all sessions, pooled: (rows, columns).

    Dummy tokens are left out of the means: they would outshine the rest.
    """
    recording = resources.recording(resources.atlas(atlas_id).decomposition.recording_id)
    facts, spans, _ = columns(atlas_id)
    means = []
    for session, span in zip(facts["session"].tolist(), spans, strict=True):
        values = _read(atlas_id, by, session)
        is_dummy = recording.is_dummy[recording.session_slice(session)]
        values = np.where(is_dummy, np.nan, values)
        bins = np.array_split(values, span.last - span.first + 1, axis=1)
        means += [_mean(columns_of_bin) for columns_of_bin in bins]
    return np.stack(means, axis=1).astype(np.float32)


def _mean(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mean over columns that are not NaN, 0 where all are: (rows,)."""
    total = np.nan_to_num(values).sum(axis=1)
    return np.asarray(total / np.maximum((~np.isnan(values)).sum(axis=1), 1), dtype=np.float32)
