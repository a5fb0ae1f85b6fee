"""What the prune lab keeps of an atlas: the words that drive each network, what rules look at."""

from collections.abc import Iterable

import numpy as np
import streamlit as st

from app.figures.markup import visible
from app.pruning.lab import rules
from app.shell import resources
from fnprune_core.errors import FnpruneError

N_WORDS = 8


@st.cache_data(max_entries=4, show_spinner="Reading what drives the networks")
def words(id: str) -> list[list[str]]:
    """Return the tokens that drive each network most, strongest first, as they can be shown."""
    opened = resources.atlas(id)
    return [_shown(opened.top_tokens(k, n=30)["text"]) for k in range(opened.n_networks)]


def _shown(texts: Iterable[str]) -> list[str]:
    shown: list[str] = []
    for text in texts:
        word = visible(text.strip()) or ("⏎" if "\n" in text else "␣")
        if word not in shown:
            shown.append(word)
    return shown[:N_WORDS]


def known(id: str) -> rules.Known:
    """Return what rules may look at: numbers, domains, and tags by the decoding and by people."""
    opened, decoded = resources.atlas(id), resources.tags(id)
    try:
        said = resources.annotations(id)
        by_hand = [said.of(k).tags for k in range(opened.n_networks)]
    except FnpruneError:  # the editor of names tells what is damaged
        by_hand = [()] * opened.n_networks
    names = [[tag.name for tag in found] for found in decoded]
    return rules.Known(
        table=resources.network_table(id),
        domain_share=opened.domain_share(),
        domain_names=opened.domain_names,
        tags=[{*a, *b} for a, b in zip(names, by_hand, strict=True)],
        serving=frozenset(k for k, found in enumerate(names) if set(found) & set(rules.SERVING)),
    )


def variance_meter(id: str) -> list[float]:
    """Return each network's variance alone, relative to the largest: (K,), 0 where unknown."""
    values = resources.network_table(id)["variance_alone"].to_numpy(dtype=np.float64)
    values = np.nan_to_num(values)
    return [float(v) for v in values / max(float(values.max()), 1e-12)]
