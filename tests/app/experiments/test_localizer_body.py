"""A contrast in the body: from a threshold on, however many units respond."""

from types import SimpleNamespace

import numpy as np
import pytest

from app.experiments.localizers import body
from fnprune_core.localizers.glm import Contrast


def result(t: np.ndarray, q: np.ndarray) -> SimpleNamespace:
    """A result of so many units, as the page reads it."""
    zeros = np.zeros_like(t)
    units = Contrast(effect=t, standard_error=zeros + 1, effect_size=t, t=t, p=q, q=q, df=zeros + 9)
    return SimpleNamespace(units=units, alive=np.ones(len(t), dtype=bool))


@pytest.mark.parametrize("share", [0.66, 0.02, 0.0])
def test_at_most_a_twentieth_of_the_units_is_coloured_at_first(share) -> None:
    t = np.random.default_rng(0).standard_normal(4000) * 5
    reached = np.quantile(np.abs(t), 1 - share) if share else np.inf
    found = result(t, np.where(np.abs(t) >= reached, 0.01, 0.5))
    threshold = body.first_threshold(found)
    coloured = float((np.abs(t) > threshold).mean())
    assert coloured <= body.STRONGEST + 0.005
    if share and share < body.STRONGEST:  # fewer respond: colours begin where q does
        assert threshold == pytest.approx(reached, abs=0.051)
