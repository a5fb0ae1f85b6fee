import pytest
import tiny
import torch
from transformers import LlamaConfig

from fnprune_core.errors import FingerprintMismatchError
from fnprune_core.models.architectures import ARCHITECTURES
from fnprune_core.models.language_model import fingerprint


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_fingerprint_is_alike_in_every_dtype(llama, dtype):
    """Values rounded to bfloat16 are not: float16 in between rounds them twice."""
    rounded = llama.model.to(getattr(torch, dtype))
    assert fingerprint(rounded, llama.architecture) == llama.fingerprint


def test_another_model_has_another_fingerprint(language_model, family):
    other = tiny.tiny_language_model(family, seed=1)
    assert other.fingerprint != language_model.fingerprint
    with pytest.raises(FingerprintMismatchError, match=other.fingerprint):
        language_model.check_fingerprint(other.fingerprint, "plan")
    before = fingerprint(language_model.model, language_model.architecture)
    with torch.no_grad():
        attention = next(
            p
            for n, p in language_model.model.named_parameters()
            if ("attn" in n or "attention" in n) and p.ndim == 2
        )
        attention.neg_()
    assert fingerprint(language_model.model, language_model.architecture) != before


def test_anatomy_counts_what_is_there(language_model):
    anatomy = language_model.anatomy()
    architecture = ARCHITECTURES[anatomy.family]
    mlp = [
        p
        for n, p in language_model.model.named_parameters()
        if ".mlp." in n or ".fc1." in n or ".fc2." in n
    ]
    assert anatomy.n_layers == 3
    assert anatomy.hidden_size == 32
    assert anatomy.widths == (anatomy.n_units // 3,) * 3
    assert (anatomy.n_heads, anatomy.head_size) == (4, 8)
    grouped = "num_key_value_heads" in language_model.model.config.to_dict()
    assert anatomy.n_kv_heads == (2 if grouped else 4)
    assert anatomy.vocabulary_size == tiny.VOCABULARY
    assert anatomy.n_parameters == language_model.model.num_parameters()
    assert anatomy.n_mlp_parameters == sum(p.numel() for p in mlp)
    assert anatomy.parameter_bytes == 4 * anatomy.n_parameters
    assert (anatomy.dtype, anatomy.device) == ("float32", "cpu")
    assert anatomy.has_gate == any("gate" in path for path in architecture.feeding)
    assert anatomy.bias_home == architecture.bias_home


def test_a_config_with_its_own_head_size_is_believed():
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=16,
        intermediate_size=40,
    )
    anatomy = tiny.tiny_language_model("Llama", config=config).anatomy()
    assert (anatomy.n_heads, anatomy.n_kv_heads, anatomy.head_size) == (4, 1, 16)
