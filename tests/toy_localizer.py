"""A localizer with words that its conditions share."""

import numpy as np
import tiny

from fnprune_core.localizers.decoding import DecodingSettings
from fnprune_core.localizers.stimuli import Item, Localizer, localizer_of

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
