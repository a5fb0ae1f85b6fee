import numpy as np
import tiny
from attention_inputs import inputs_of

from fnprune_core.scores.head_statistics import attention_statistics


@tiny.each_kind
def test_statistics_are_weighted_moments_of_what_the_heads_give(language_model, record_windows):
    """Windows of unequal length, in batches; every family reads them alike."""
    windows = tiny.toy_windows((20, 20, 20, 20, 20, 13, 32))
    recording = record_windows(language_model, windows)
    weights = np.random.default_rng(2).exponential(size=recording.n_tokens)
    found = attention_statistics(language_model, recording, weights)
    x = np.concatenate(inputs_of(language_model, recording.windows), axis=1)
    mean = weights @ x / weights.sum()
    np.testing.assert_allclose(found.mean, mean, rtol=1e-4, atol=1e-5)
    expected = weights @ np.square(x - mean) / weights.sum()
    np.testing.assert_allclose(found.variance, expected, rtol=1e-3, atol=1e-6)
    assert tiny.is_idle(language_model)
