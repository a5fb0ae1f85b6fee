import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from fnprune_core.errors import SettingsError
from fnprune_core.export.gguf.weights import quantised, stored_type


def kind(name, columns=512, *, weights="Q4_K_M", n_layers=30, has_output=False):
    return stored_type(weights, name, (8, columns), n_layers=n_layers, has_output=has_output)


def test_what_matters_most_is_stored_more_finely():
    assert kind("token_embd.weight") == Type.Q6_K  # it is the output, too
    assert kind("token_embd.weight", has_output=True) == Type.Q4_K
    assert kind("output.weight", has_output=True) == Type.Q6_K
    assert kind("blk.4.attn_q.weight") == Type.Q4_K
    fine = [layer for layer in range(30) if kind(f"blk.{layer}.ffn_down.weight") == Type.Q6_K]
    # the first eighth, the last, and every third between: use_more_bits of llama-quant.cpp
    assert fine == [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29]
    assert [layer for layer in range(30) if kind(f"blk.{layer}.attn_v.weight") == Type.Q6_K] == fine


def test_rows_that_are_no_multiple_of_a_block_fall_back_as_in_llama_cpp():
    assert kind("blk.4.attn_q.weight", 576) == Type.Q5_0
    assert kind("blk.0.ffn_down.weight", 576) == Type.Q8_0
    assert kind("blk.4.ffn_down.weight", 577) == Type.F16
    assert kind("blk.4.ffn_down.weight", 577, weights="Q8_0") == Type.F16
    assert stored_type("Q4_K_M", "output_norm.weight", (5,), n_layers=2, has_output=True) == (
        Type.F32
    )


@pytest.mark.parametrize(("kind", "error"), [(Type.Q4_K, 0.1), (Type.Q6_K, 0.03)])
def test_llama_cpps_own_types_are_made_by_its_code(need_llama_cpp, kind, error):
    values = np.random.default_rng(0).standard_normal((3, 512)).astype(np.float32)
    back = gguf.quants.dequantize(quantised(values, kind), kind)
    assert np.linalg.norm(back - values) < error * np.linalg.norm(values)


def test_without_llama_cpp_its_own_types_are_refused(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xllamacpp", None)
    with pytest.raises(SettingsError, match="Q4_K are made by"):
        quantised(np.zeros((1, 256), dtype=np.float32), Type.Q4_K)
