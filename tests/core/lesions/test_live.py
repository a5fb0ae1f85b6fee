"""The live scanner's texts: read or written, healthy and under a lesion, and what is refused."""

from contextlib import nullcontext

import numpy as np
import pytest
import tiny
import torch
from lesioned import SETTINGS

from fnprune_core.errors import SettingsError, TextError
from fnprune_core.evaluation.generation import Prompt, Sampling, generate_stream
from fnprune_core.lesions.live import MOST_TOKENS, LiveOrder, run_live
from fnprune_core.lesions.sites import Lesion
from fnprune_core.matching.dual_regression import open_probe
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording.record import signals_of

TEXT = "ab ac ad ae af aq ar as at au av aw"


def order(atlas, **options) -> LiveOrder:
    return LiveOrder(decomposition_id=atlas.id, settings=SETTINGS, **options)


def plain_surprise(llama, ids, condition=nullcontext) -> list[float]:
    """Return −log softmax of each next token, token by token."""
    with condition(), torch.inference_mode():
        logits = llama.model(torch.tensor([ids])).logits[0].double()
    return [
        -float(logits[i, token] - torch.logsumexp(logits[i], dim=0))
        for i, token in enumerate(ids[1:])
    ]


def test_a_text_has_the_probes_strengths_and_minus_log_softmax(workspace, llama, atlas) -> None:
    found = run_live(workspace, llama, order(atlas, text=TEXT))
    reading = open_probe(workspace, atlas.id).read(llama, TEXT)
    assert found.lesioned is None
    assert np.array_equal(found.healthy.strengths, reading.strengths)
    ids = llama.tokenizer(TEXT)["input_ids"]
    assert np.isnan(found.healthy.surprise[0])
    assert np.allclose(found.healthy.surprise[1:], plain_surprise(llama, ids), atol=1e-4)


def test_the_lesioned_run_is_that_of_the_silenced_model(workspace, llama, atlas, sites) -> None:
    lesion = Lesion(networks=(0, 1))
    found = run_live(workspace, llama, order(atlas, text=TEXT, lesion=lesion))
    units = sites.members((0, 1))
    assert np.array_equal(found.silenced, units)

    def condition():
        return silenced(llama, llama.layout.removed_of(~units))

    ids = llama.tokenizer(TEXT)["input_ids"]
    surprise = plain_surprise(llama, ids, condition)
    assert np.allclose(found.lesioned.surprise[1:], surprise, atol=1e-4)
    assert not np.allclose(found.healthy.surprise[1:], surprise, atol=1e-4)
    with condition():
        signals, _ = signals_of(llama, torch.tensor([ids]))
    assert not signals[0][:, units].any()
    probe = open_probe(workspace, atlas.id)
    x = (torch.from_numpy(signals[0]) - probe.mean) / probe.scale
    assert np.allclose(found.lesioned.strengths, probe.strengths(x), atol=1e-5)
    assert found.lesioned.pieces == found.healthy.pieces
    assert tiny.is_idle(llama)


def test_a_written_text_is_what_the_model_writes_and_read_as_it_stands(workspace, llama, atlas):
    sampling = Sampling(max_new_tokens=10, temperature=1.0, seed=3)
    asked = order(atlas, prompt=Prompt(text="aq ar as at"), sampling=sampling)
    told = []
    found = run_live(workspace, llama, asked, progress=told.append)
    prompt_ids = llama.tokenizer("aq ar as at")["input_ids"]
    *_, written = generate_stream(llama, prompt_ids, sampling=sampling)
    ids = [*prompt_ids, *written.token_ids.tolist()]
    ids = ids[: found.healthy.n_tokens]  # without the token that ends it
    assert len(ids) >= len(prompt_ids) + written.n_tokens - 1
    assert found.n_prompt_tokens == len(prompt_ids)
    assert np.allclose(found.healthy.surprise[1:], plain_surprise(llama, ids), atol=1e-4)
    n_written = len(ids) - len(prompt_ids)
    assert np.allclose(
        found.healthy.surprise[len(prompt_ids) :],
        -written.log_probability[:n_written],
        atol=1e-3,
    )
    assert {event.stage for event in told} == {"writing", "reading"}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, SettingsError, "both or neither"),
        ({"text": TEXT, "prompt": Prompt(text="ab")}, SettingsError, "both or neither"),
        ({"text": "ab " * (MOST_TOKENS + 1)}, TextError, "1,001 tokens"),
        ({"text": "ab ac"}, TextError, "first 2"),
        ({"prompt": Prompt(text=" ")}, TextError, "empty"),
        (
            {"prompt": Prompt(text="ab"), "sampling": Sampling(max_new_tokens=1000)},
            TextError,
            "1,001 tokens",
        ),
    ],
)
def test_what_cannot_be_played_is_refused(workspace, llama, atlas, options, error, message) -> None:
    with pytest.raises(error, match=message) as caught:
        run_live(workspace, llama, order(atlas, **options))
    assert caught.value.hint
    assert tiny.is_idle(llama)


def test_it_stops_while_the_model_writes(workspace, llama, atlas) -> None:
    cancel = CancelToken()
    asked = order(atlas, prompt=Prompt(text="aq ar as"), sampling=Sampling(max_new_tokens=50))
    with pytest.raises(Cancelled):
        run_live(workspace, llama, asked, progress=lambda event: cancel.cancel(), cancel=cancel)
    assert tiny.is_idle(llama)
