"""Networks on a person's own text: how strong each is at every token, and how unusual that is."""

import numpy as np
from numpy.typing import NDArray

from fnprune_core.networks import NetworkAtlas


def usual_strength(atlas: NetworkAtlas) -> NDArray[np.float64]:
    """Return each network's root mean square strength over the recording's usable tokens: (K,).

    Strengths of different networks compare as multiples of it.
    """
    usable = atlas.time_courses[:, ~atlas.is_dummy]
    mean_square = np.square(usable, dtype=np.float64).mean(axis=1)
    return np.asarray(np.sqrt(np.maximum(mean_square, 1e-24)))
