"""Cached data of the prune lab: strong words of networks, facts of rules, the model's size."""

from collections.abc import Iterable

import numpy as np

from app.figures.markup import visible
from app.pruning.lab import rules
from app.pruning.lab.preview import data as preview
from app.shell import resources, view_state
from app.shell.caches import networks, trust
from app.shell.caching import cached
from fnprune_core.errors import FnpruneError
from fnprune_core.models.footprint import Dimensions
from fnprune_core.models.language_model import LanguageModel

N_WORDS = 8


@cached(max_entries=4, spinner="Reading what the networks go with")
def words(id: str) -> list[list[str]]:
    """Return the tokens on which each network is strongest, as they can be shown."""
    atlas = resources.atlas(id)
    return [_readable_words(atlas.top_tokens(k, n=30)["text"]) for k in range(atlas.n_networks)]


def _readable_words(texts: Iterable[str]) -> list[str]:
    words_shown: list[str] = []
    for text in texts:
        word = visible(text.strip()) or ("⏎" if "\n" in text else "␣")
        if word not in words_shown:
            words_shown.append(word)
    return words_shown[:N_WORDS]


def rule_facts(id: str) -> rules.Known:
    """Return the facts that rules look at: numbers, domains, tags by the decoding and by people."""
    atlas, decoded = resources.atlas(id), networks.tags(id)
    try:
        notes = resources.annotations(id)
        own_tags = [notes.of(k).tags for k in range(atlas.n_networks)]
    except FnpruneError:  # the editor of names tells what is damaged
        own_tags = [()] * atlas.n_networks
    names = [[tag.name for tag in tag_names] for tag_names in decoded]
    return rules.Known(
        table=trust.network_table(id),
        domain_share=atlas.domain_share(),
        domain_names=atlas.domain_names,
        tags=[{*a, *b} for a, b in zip(names, own_tags, strict=True)],
        serving=frozenset(
            k for k, tag_names in enumerate(names) if set(tag_names) & set(rules.SERVING)
        ),
    )


def variance_meter(id: str) -> list[float]:
    """Return each network's variance alone, relative to the largest: (K,), 0 where unknown."""
    values = trust.network_table(id)["variance_alone"].to_numpy(dtype=np.float64)
    values = np.nan_to_num(values)
    return [float(v) for v in values / max(float(values.max()), 1e-12)]


def dimensions() -> Dimensions | None:
    """Return the sizes of the view's model: in memory, or as the preview knows it; else None."""
    view = view_state.view()
    model = resources.language_model(view.model)
    if model is not None:
        return _dimensions(model)
    return preview.preview_of(view.atlas).dimensions if preview.is_prepared(view.atlas) else None


@cached(max_entries=4)
def _dimensions(model: LanguageModel) -> Dimensions:
    return Dimensions.of(model)
