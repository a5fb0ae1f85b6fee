"""Kinds of models without units: each a clear no with its reason, before a weight is read."""

import pytest
import tiny
from transformers import CONFIG_MAPPING

from fnprune_core.errors import UnsupportedArchitectureError
from fnprune_core.models.loading import load_model
from fnprune_core.models.sources.kinds import refuse_kind


@pytest.mark.parametrize(
    ("model_type", "reason"),
    {
        **dict.fromkeys(("mamba", "mamba2", "falcon_mamba", "rwkv", "xlstm"), "carry a state"),
        **dict.fromkeys(("bert", "roberta", "modernbert", "electra"), "both directions"),
        **dict.fromkeys(("t5", "bart", "whisper", "t5gemma"), "with an encoder and writes"),
        **dict.fromkeys(("clip", "vit"), "has none that predicts the next token"),
    }.items(),
)
def test_each_kind_is_refused_with_its_reason(tmp_path, model_type, reason) -> None:
    CONFIG_MAPPING[model_type]().save_pretrained(tmp_path)
    with pytest.raises(UnsupportedArchitectureError, match=reason) as caught:
        load_model(str(tmp_path), device="cpu")
    assert "Llama" in caught.value.hint


@pytest.mark.parametrize("family", tiny.TINY_CONFIGS)
def test_decoders_pass(family) -> None:
    refuse_kind("x", tiny.TINY_CONFIGS[family]())
