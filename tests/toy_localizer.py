"""A localizer with words that its conditions share."""

from dataclasses import replace

import numpy as np
import tiny

from fnprune_core.localizers.decoding import DecodingSettings
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.localizers.stimuli import Item, Localizer, localizer_of
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Workspace

QUICK = DecodingSettings(n_permutations=99)


def toy(
    *,
    n_templates: int = 8,
    n_items: int = 4,
    n_words: int = 5,
    conditions=("up", "down"),
    **options,
) -> Localizer:
    """Return items of toy words; the first condition likes the first half of the vocabulary."""
    rng = np.random.default_rng(3)
    items = []
    for place, condition in enumerate(conditions):
        words = np.array_split(np.array(tiny.WORDS[1:]), len(conditions))[place]
        for template in range(n_templates):
            items += [
                Item(
                    condition=condition,
                    template=f"{template}",
                    text=" ".join(rng.choice(words, n_words)),
                )
                for _ in range(n_items)
            ]
    return localizer_of(items, name="toy", **{"has_templates": True, **options})


def forget_directions(workspace: Workspace, id: str) -> None:
    """Store a result as it was before random directions were read with localizers."""
    folder = workspace.folder("localizers", id)
    result = replace(LocalizerResult.load(folder), directions={})
    result.save(folder, read_manifest(folder)["inputs"])
