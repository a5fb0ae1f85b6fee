"""NaN as a model is loaded: a damaged file, or a dtype that is too narrow, each with its advice."""

import pytest
import tiny
import torch

from fnprune_core.errors import NonFiniteError
from fnprune_core.models.loading import load_model
from fnprune_core.models.sources.finite import not_finite_hint

NAME = "model.layers.1.mlp.up_proj.weight"


def saved(folder, *, value: float):
    """A tiny Llama of which one weight is replaced."""
    model = tiny.tiny_model("Llama")
    with torch.no_grad():
        model.get_parameter(NAME)[3, 4] = value
    model.save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_weight_that_is_no_number_is_named_and_no_dtype_is_advised(tmp_path, dtype) -> None:
    """It said "load in float32", of a model that was loaded in float32."""
    source = saved(tmp_path, value=float("nan"))
    with pytest.raises(NonFiniteError, match=f"1 tensors, {NAME}") as caught:
        load_model(source, device="cpu", dtype=dtype)
    assert "float32" not in caught.value.hint
    assert "Fetch the model again" in caught.value.hint


def test_what_overflows_in_float16_is_sent_to_a_wider_dtype(tmp_path) -> None:
    model = tiny.tiny_model("Llama")
    with torch.no_grad():
        for layer in model.model.layers:
            layer.mlp.up_proj.weight.mul_(3000)
            layer.mlp.gate_proj.weight.mul_(3000)
    model.save_pretrained(tmp_path)
    tiny.toy_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(NonFiniteError, match=r"torch\.float16") as caught:
        load_model(str(tmp_path), device="cpu", dtype="float16")
    assert "bfloat16 or float32" in caught.value.hint
    assert load_model(str(tmp_path), device="cpu", dtype="float32").dtype == torch.float32


def test_the_advice_never_names_the_dtype_that_failed_alone() -> None:
    assert "(--dtype float32)" in not_finite_hint(torch.bfloat16)
    assert "already" in not_finite_hint(torch.float32)
    assert "float32" in not_finite_hint(None)
