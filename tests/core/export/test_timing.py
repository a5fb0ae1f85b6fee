import pytest
import tiny
import torch

from fnprune_core.export import timing


def test_every_round_runs_all_models_in_alternating_order(monkeypatch):
    models = {name: tiny.tiny_model("Llama", seed=i) for i, name in enumerate("abc")}
    ran = []

    def watched(model, ids, *, n_decode):
        ran.append(next(name for name, each in models.items() if each is model))
        assert ids.shape == (1, 5)
        return (float(len(ran)), 1.0)

    monkeypatch.setattr(timing, "seconds_of", watched)
    seconds = timing.time_interleaved(models, n_prefill=5, n_decode=2, n_rounds=2)
    assert "".join(ran) == "cbaabccba"  # the first three warm up
    assert seconds["a"] == [(4.0, 1.0), (9.0, 1.0)]
    assert seconds["c"] == [(6.0, 1.0), (7.0, 1.0)]


@pytest.mark.parametrize("family", ["Llama", "GPT-2", "OPT", "Phi-3"])
def test_decoding_goes_on_from_the_prompt_on_the_cache(family):
    """Each written token is one forward pass of one token, and what is written is greedy."""
    model = tiny.tiny_model(family)
    shapes, written = [], []
    forward = model.forward

    def watched(ids, **options):
        shapes.append(tuple(ids.shape))
        output = forward(ids, **options)
        written.append(int(output.logits[0, -1].argmax()))
        return output

    model.forward = watched
    ids = tiny.random_ids(n_windows=1, length=8)
    clock = iter([0.0, 1.0, 4.0])
    assert timing.seconds_of(model, ids, n_decode=3, clock=lambda: next(clock)) == (1.0, 3.0)
    assert shapes == [(1, 8), (1, 1), (1, 1), (1, 1)]
    text = torch.cat([ids, torch.tensor([written[:3]])], dim=1)
    expected = tiny.logits_of(tiny.tiny_model(family), text)[0, 7:].argmax(dim=-1)
    assert written == expected.tolist()
