import numpy as np
import pytest
from toy_localizer import QUICK, toy

from fnprune_core.localizers.decoding import DecodingSettings, decode
from fnprune_core.localizers.stimuli import Localizer


def features_of(localizer: Localizer, rng: np.random.Generator, *, shift: float = 0.0):
    """Return features of items in which blocks differ by themselves, and each item's block."""
    blocks = localizer.blocks()
    block = np.repeat(np.arange(len(blocks)), [len(b.items) for b in blocks])
    x = rng.normal(size=(len(block), 10)) + rng.normal(size=(len(blocks), 10))[block]
    x[:, 0] += shift * np.array([b.condition in localizer.positive for b in blocks])[block]
    return blocks, x, block


@pytest.mark.parametrize("has_templates", [True, False])
def test_decoding_of_noise_is_at_chance_and_its_p_is_honest(has_templates) -> None:
    found = toy(has_templates=has_templates, n_items=6, n_templates=6)
    rng = np.random.default_rng(0)
    made = [
        decode(found, *features_of(found, rng), settings=DecodingSettings(n_permutations=39))
        for _ in range(200)
    ]
    p = np.array([each.p for each in made])
    # Binomial: 200 draws at 0.05 and at 0.5 give up to 0.10 and from 0.40
    assert (p <= 0.05).mean() <= 0.10
    assert (p <= 0.5).mean() > 0.35
    assert np.mean([each.accuracy for each in made]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("conditions", [("up", "down"), ("a", "b", "c")])
def test_decoding_finds_what_was_planted(conditions) -> None:
    found = toy(conditions=conditions, positive=conditions[:-1], n_templates=10)
    blocks, x, block = features_of(found, np.random.default_rng(1), shift=5.0)
    made = decode(found, blocks, x, block, settings=QUICK)
    assert made.accuracy > 0.85
    assert made.p == pytest.approx(0.01)
    assert made.n_folds == 10
    assert made.by_block.mean() == pytest.approx(made.accuracy, abs=0.1)
    assert 0 < made.standard_error < 0.1
    again = decode(found, blocks, x, block, settings=QUICK)
    np.testing.assert_array_equal(made.null, again.null)
