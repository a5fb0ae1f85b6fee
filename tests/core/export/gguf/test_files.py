import gguf
import numpy as np
import pytest
import tiny
import torch
from gguf_models import alike_plan, bpe_model
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

from fnprune_core.errors import PlanError, SettingsError
from fnprune_core.export.export import export_model
from fnprune_core.export.gguf.files import FAMILIES, permuted, why_no_gguf
from fnprune_core.export.gguf.tokenizer import PRE_TOKENIZERS, PROBE, pre_tokenizer_name
from fnprune_core.export.gguf.weights import WEIGHT_TYPES
from fnprune_core.export.model_card import CardFacts
from fnprune_core.models.loading import load_model
from fnprune_core.models.silencing import Refit, silenced, without_refit


def exported(language_model, target, *, weights="F32", refits=None):
    facts, plan = CardFacts(weights=weights), alike_plan(language_model)
    return export_model(language_model, plan, target, form="gguf", facts=facts, refits=refits)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("is_tied", [True, False])
def test_a_file_read_back_gives_the_silenced_models_logits(tmp_path, family, is_tied):
    language_model = bpe_model(family, tie_word_embeddings=is_tied)
    plan = alike_plan(language_model)
    refits = tiny.trained_refits(language_model, plan, without_refit(plan.layout.n_layers))
    folder = exported(language_model, tmp_path / "out", refits=refits)
    ids = torch.randint(320, (2, 24), generator=torch.Generator().manual_seed(1))
    back = load_model(str(folder), dtype="float32", device="cpu")
    with silenced(language_model, plan.removed, refits=refits):
        expected = tiny.logits_of(language_model.model, ids)
    torch.testing.assert_close(tiny.logits_of(back.model, ids), expected, rtol=1e-4, atol=1e-4)
    assert set(back.layout.widths) == {32}
    assert back.model.config.tie_word_embeddings is is_tied
    assert "llama-cli -m FOLDER/model-F32.gguf" in (folder / "README.md").read_text()


def test_rows_of_each_head_are_interleaved_as_llama_cpp_wants_them():
    rows = np.arange(16, dtype=np.float32)[:, None]  # two heads of eight
    assert permuted(rows, 2)[:, 0].tolist() == [
        0,
        4,
        1,
        5,
        2,
        6,
        3,
        7,
        8,
        12,
        9,
        13,
        10,
        14,
        11,
        15,
    ]


def test_a_wrong_order_of_rows_is_found_before_the_file_is_announced(tmp_path, monkeypatch):
    monkeypatch.setattr("fnprune_core.export.gguf.files.permuted", lambda rows, n_heads, **_: rows)
    with pytest.raises(PlanError, match="logits differ"):
        exported(bpe_model(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("weights", WEIGHT_TYPES)
def test_weights_are_stored_as_asked_and_vectors_in_full(tmp_path, weights):
    folder = exported(bpe_model(), tmp_path / "out", weights=weights)
    kinds = {}
    for tensor in gguf.GGUFReader(folder / f"model-{weights}.gguf").tensors:
        kinds.setdefault(len(tensor.shape), set()).add(tensor.tensor_type.name)
    expected = {"Q8_0", "Q5_0"} if weights == "Q4_K_M" else {weights}  # rows of 32
    assert kinds == {1: {"F32"}, 2: expected}


def test_the_tokenizer_goes_along_whole(tmp_path):
    language_model = bpe_model()
    language_model.tokenizer.chat_template = "{{ messages[0]['content'] }}"
    folder = exported(language_model, tmp_path / "out")
    fields = gguf.GGUFReader(folder / "model-F32.gguf").fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    assert len(tokens) == 328
    assert tokens[:2] == ["<|start|>", "<|end|>"]
    assert kinds[:3] == [gguf.TokenType.CONTROL, gguf.TokenType.CONTROL, gguf.TokenType.NORMAL]
    assert tokens[-1] == "[PAD327]"
    assert kinds[-1] == gguf.TokenType.UNUSED
    assert fields["tokenizer.ggml.pre"].contents() == "gpt-2"
    assert fields["tokenizer.ggml.add_bos_token"].contents() is False
    back = AutoTokenizer.from_pretrained(folder, gguf_file="model-F32.gguf")
    text = f"<|start|>{PROBE}<|end|>"
    assert back(text)["input_ids"] == language_model.tokenizer(text)["input_ids"]
    assert back.chat_template == language_model.tokenizer.chat_template
    assert (back.bos_token, back.eos_token) == ("<|start|>", "<|end|>")


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_how_text_is_cut_is_found_by_trying(tmp_path, name):
    language_model = bpe_model(rule=PRE_TOKENIZERS[name]())
    assert pre_tokenizer_name(language_model.tokenizer) == name
    folder = exported(language_model, tmp_path / "out")
    fields = gguf.GGUFReader(folder / "model-F32.gguf").fields
    assert fields["tokenizer.ggml.pre"].contents() == name


def test_a_tokenizer_from_a_file_is_copied_as_it_stands(tmp_path):
    first = exported(bpe_model(rule=PRE_TOKENIZERS["llama-bpe"]()), tmp_path / "first")
    again = load_model(str(first / "model-F32.gguf"), dtype="float32", device="cpu")
    second = exported(again, tmp_path / "second")
    held = [
        {
            key: field.contents()
            for key, field in gguf.GGUFReader(folder / "model-F32.gguf").fields.items()
            if key.startswith("tokenizer.")
        }
        for folder in (first, second)
    ]
    assert held[0] == held[1]
    assert len(held[0]) > 8


def test_what_cannot_be_verified_is_refused_in_words(tmp_path):
    own_rule = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("o", "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    scaled = {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}
    for language_model, reason in (
        (tiny.tiny_language_model("GPT-2"), "GPT-2 models are not written as GGUF"),
        (tiny.tiny_language_model("Llama"), "not a byte-level BPE"),
        (bpe_model(rule=own_rule), "none of gpt-2, smollm, llama-bpe, qwen2"),
        (bpe_model(rope_parameters=scaled), "scaled (linear)"),
        (bpe_model("Qwen3", head_dim=16), "these have 16, so it could not be checked"),
        (bpe_model("Qwen2", use_sliding_window=True), "sliding window"),
    ):
        assert reason in why_no_gguf(language_model)
        with pytest.raises(PlanError) as caught:
            exported(language_model, tmp_path / "out")
        assert caught.value.message == why_no_gguf(language_model)
    assert why_no_gguf(bpe_model()) == ""
    with pytest.raises(SettingsError, match="no weight type 'Q2_K'") as caught:
        exported(bpe_model(), tmp_path / "out", weights="Q2_K")
    assert "llama-quantize" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_what_a_plain_file_has_no_place_for_is_refused(tmp_path):
    language_model = bpe_model("Qwen2")
    uneven = tiny.toy_plan(language_model)
    for plan, refits, reason in (
        (uneven, None, "layers that differ"),
        (alike_plan(language_model), [Refit(bias=torch.ones(32))] * 3, "layers.0.mlp.down_proj.b"),
    ):
        with pytest.raises(PlanError, match=reason) as caught:
            export_model(language_model, plan, tmp_path / "out", form="gguf", refits=refits)
        assert "uniform allocation" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_checked_in_a_fresh_process(tmp_path, fresh_process):
    """With the rule that transformers' reader leaves out, and put back for the comparison."""
    language_model = bpe_model(rule=PRE_TOKENIZERS["smollm"]())
    assert exported(language_model, tmp_path / "out", weights="F16").is_dir()


def test_a_file_that_reads_text_otherwise_is_not_announced(tmp_path, monkeypatch):
    language_model = bpe_model()
    monkeypatch.setitem(PRE_TOKENIZERS, "gpt-2", PRE_TOKENIZERS["llama-bpe"])
    monkeypatch.setattr(
        "fnprune_core.export.gguf.tokenizer.pre_tokenizer_name", lambda tokenizer: "llama-bpe"
    )
    with pytest.raises(PlanError, match="tokenizer reads a text differently"):
        exported(language_model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
