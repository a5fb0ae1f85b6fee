"""A pass keeps of each unit what separate passes over its activations would."""

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.recording.reading import Moments, Reader
from fnprune_core.recording.record import signals_of

IDS = torch.from_numpy(np.random.default_rng(0).integers(3, 60, (3, 24)))


@tiny.each_kind
@pytest.mark.parametrize("n_dummy_tokens", [0, 2, 24])
def test_what_is_kept_equals_separate_passes(language_model, n_dummy_tokens) -> None:
    read = Reader(language_model, n_dummy_tokens=n_dummy_tokens).read(IDS)
    signals, log_p = signals_of(language_model, IDS)
    for window, x in enumerate(torch.from_numpy(signals)):
        kept = {name: torch.from_numpy(v[window]) for name, v in read.per_session.items()}
        largest = x.abs().amax(dim=0)
        in_use = largest > 0
        assert (largest / kept["scales"] <= 4096).all()
        assert (largest[in_use] / kept["scales"][in_use] > 2048).all()
        assert torch.equal(kept["scales"], torch.exp2(torch.log2(kept["scales"]).round()))
        stored = torch.from_numpy(read.signals[24 * window : 24 * (window + 1)])
        assert torch.equal(stored, (x / kept["scales"]).half())
        usable, dummy = x[n_dummy_tokens:], x[:n_dummy_tokens]
        nothing = torch.zeros(x.shape[1])
        variance, mean = (
            torch.var_mean(usable.double(), dim=0, correction=0)
            if len(usable)
            else (nothing, nothing)
        )
        assert ((kept["session_mean"] - mean).abs() <= 1e-6 * largest).all()
        torch.testing.assert_close(
            kept["session_m2"], variance.double() * len(usable), rtol=2e-5, atol=0
        )
        largest = dummy.abs().amax(dim=0) if len(dummy) else nothing
        assert torch.equal(kept["dummy_max"], largest)
    np.testing.assert_array_equal(read.log_probabilities, log_p)
    assert read.is_finite.all()


def test_moments_hold_where_units_hardly_vary() -> None:
    """Sums of plain squares would lose all digits of a variance far below the mean."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(1000 + 0.01 * rng.standard_normal((200, 5)))
    x[:, 4] = 1234.567
    expected = x.numpy().copy()
    moments = Moments(x[0].clone())
    for part in x.split(64):
        moments.add(part)
    np.testing.assert_allclose(moments.mean(), expected.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.variance()[:4], expected[:, :4].var(axis=0), rtol=1e-9)
    assert moments.variance()[4] == 0


def test_a_pass_is_kept_until_the_pass_after_the_next(llama) -> None:
    reader = Reader(llama, n_dummy_tokens=2)
    first = reader.read(IDS)
    before = first.signals.copy()
    second = reader.read(IDS.flip(0)[:2])
    np.testing.assert_array_equal(first.signals, before)
    np.testing.assert_array_equal(second.signals[:24], before[48:])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_no_bit(threads) -> None:
    """Wide enough for sums to be split among threads, and long enough for several parts."""
    before = torch.get_num_threads()
    model = tiny.tiny_language_model("Llama")
    x = torch.randn(2, 512, 1536, generator=torch.Generator().manual_seed(0)).bfloat16()
    found = []
    try:
        for n in (1, threads):
            torch.set_num_threads(n)
            signals = torch.empty(2, 512, 1536, dtype=torch.float16)
            reader = Reader(model, n_dummy_tokens=4)
            found.append([signals, *reader._store(x, signals).values()])
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
