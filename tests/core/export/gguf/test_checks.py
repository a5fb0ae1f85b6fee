"""Uneven files, run by llama.cpp and compared with the weights that they hold."""

import gguf
import numpy as np
import pytest
import tiny
import torch
from gguf_models import alike_plan, bpe_model

from fnprune_core.errors import FnpruneError, PlanError
from fnprune_core.export.export import export_model
from fnprune_core.export.gguf import checks, llama_cpp
from fnprune_core.export.gguf.weights import WEIGHT_TYPES
from fnprune_core.export.model_card import CardFacts
from fnprune_core.models.silencing import Refit

WIDTHS = (43, 32, 16)


def uneven_plan(language_model):
    choice = np.random.default_rng(0).choice
    return tiny.toy_plan(
        language_model,
        [
            np.sort(choice(dense, size=dense - kept, replace=False))
            for dense, kept in zip(language_model.layout.widths, WIDTHS, strict=True)
        ],
    )


def biased(n_layers=3):
    generator = torch.Generator().manual_seed(3)
    return [Refit(bias=0.3 * torch.randn(32, generator=generator)) for _ in range(n_layers)]


def written(language_model, folder, *, weights="F32", refits=None, plan=None):
    plan = plan or uneven_plan(language_model)
    facts = CardFacts(weights=weights)
    export_model(language_model, plan, folder, form="gguf", facts=facts, refits=refits)
    fields = gguf.GGUFReader(folder / f"model-{weights}.gguf").fields
    return {name: field.contents() for name, field in fields.items()}


@pytest.mark.parametrize("weights", WEIGHT_TYPES)
def test_llama_cpp_writes_what_an_uneven_file_says(need_llama_cpp, tmp_path, weights):
    fields = written(bpe_model(), tmp_path / "out", weights=weights, refits=biased())
    assert fields["general.architecture"] == "deci"
    assert fields["deci.feed_forward_length"] == list(WIDTHS)
    assert fields["deci.attention.head_count"] == [4, 4, 4]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "of 36 tokens as these weights say" in card
    assert "Its weights read back from the file" in card


def test_a_bias_alone_needs_the_uneven_architecture_too(need_llama_cpp, tmp_path):
    language_model = bpe_model()
    plan = alike_plan(language_model)
    fields = written(language_model, tmp_path / "out", refits=biased(), plan=plan)
    assert fields["deci.feed_forward_length"] == 32
    plain = written(language_model, tmp_path / "plain", plan=plan)
    assert plain["general.architecture"] == "llama"
    assert "tokens as these weights say" in (tmp_path / "plain" / "README.md").read_text()


def test_what_llama_cpp_reads_otherwise_is_not_announced(need_llama_cpp, tmp_path, monkeypatch):
    """Rows in an order that only our own reader undoes."""
    monkeypatch.setattr(
        "fnprune_core.export.gguf.files.permuted", lambda rows, n_heads, **_: rows[::-1].copy()
    )
    with pytest.raises(PlanError, match=r"llama\.cpp wrote \d+ of 36 tokens"):
        written(bpe_model(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_nobody_here_can_run_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(llama_cpp, "is_installed", lambda: False)
    with pytest.raises(PlanError, match=r"read by llama\.cpp alone") as caught:
        written(bpe_model(), tmp_path / "out")
    assert "fnprune[gguf]" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_the_reason_is_told_when_llama_cpp_ends(need_llama_cpp, tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"nothing")
    with pytest.raises(FnpruneError, match=r"llama\.cpp ended without a result"):
        llama_cpp.continuations(file, [[1]], plain=1, n_tokens=1, n_probs=1)


def test_ties_and_other_tokens_are_told_apart():
    language_model = bpe_model()
    prompt = [5, 6, 7]
    row = language_model.model(torch.tensor([prompt])).logits[0, -1].detach().log_softmax(-1)
    best, worst = int(row.argmax()), int(row.argmin())
    told = {id: float(row[id]) + 0.1 for id in (best, worst)}
    for id, noise, expected in ((best, 0.0, (1, 0)), (worst, 99.0, (0, 1)), (worst, 0.0, (0, 0))):
        continuation = llama_cpp.Continuation(ids=(id,), likeliest=[told], n_prompt=3)
        found = checks.agreement_of(language_model.model, [prompt], [continuation], noise=noise)
        assert (found.n_same, found.n_ties) == expected
        assert found.difference == pytest.approx(0.1, rel=1e-3)
