import numpy as np
import pytest

from fnprune_core.errors import RatioError, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.pruning.presets import SeedPaper, preset_named

LAYOUT = UnitLayout((4,) * 30)


def test_the_ratio_is_what_the_threshold_lets_go_of_the_layers_that_are_not_exempt() -> None:
    scores = np.full(LAYOUT.n_units, 9.0)
    scores[:12] = 1.0  # of the first three layers, which stay
    scores[12:15] = [1.0, 2.0, 3.46]
    scores[-8:] = 1.0  # of the last two
    assert SeedPaper().ratio(scores, LAYOUT) == pytest.approx(3 / 120)
    assert SeedPaper(threshold=1.5).ratio(scores, LAYOUT) == pytest.approx(1 / 120)


def test_thresholds_that_let_nothing_or_a_whole_layer_go_are_refused() -> None:
    scores = np.full(LAYOUT.n_units, 9.0)
    with pytest.raises(RatioError, match=r"weakest has 9\.00"):
        SeedPaper().ratio(scores, LAYOUT)
    scores[20:24] = 1.0
    with pytest.raises(RatioError, match="All units of layer 5"):
        SeedPaper().ratio(scores, LAYOUT)
    with pytest.raises(SettingsError, match="above 0"):
        SeedPaper(threshold=-1.0)
    assert preset_named("seed-paper") is SeedPaper
