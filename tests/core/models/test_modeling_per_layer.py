from pathlib import Path

import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM

from fnprune_core.export.export import export_model
from fnprune_core.models import modeling_per_layer
from fnprune_core.pruning.slicing import slice_per_layer


def test_code_in_an_export_runs_only_when_it_is_trusted(tmp_path, llama):
    """Without trust it is refused by name, not loaded with wrong shapes."""
    folder = export_model(llama, tiny.toy_plan(llama), tmp_path / "out", form="per-layer")
    with pytest.raises(ValueError, match="trust_remote_code"):
        AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False)
    ours = Path(modeling_per_layer.__file__).read_bytes()
    assert (folder / "modeling_per_layer.py").read_bytes() == ours
    with pytest.raises(AttributeError, match="PerLayerNothing"):
        _ = modeling_per_layer.PerLayerNothing


@pytest.mark.parametrize("family", ["Llama", "OPT", "GPT-2", "GPT-NeoX"])
def test_the_base_model_has_the_widths_by_itself(tmp_path, family):
    """vLLM loads `auto_map.AutoModel` and puts a head of its own on it."""
    language_model = tiny.tiny_language_model(family)
    plan = tiny.toy_plan(language_model)
    pruned = slice_per_layer(language_model, plan)
    pruned.save_pretrained(tmp_path)
    name = pruned.config.auto_map["AutoModel"].rpartition(".")[2]
    base = getattr(modeling_per_layer, name).from_pretrained(tmp_path, dtype=torch.float32).eval()
    ids = tiny.random_ids()
    with torch.inference_mode():
        found = base(ids).last_hidden_state
        expected = pruned.base_model(ids).last_hidden_state
    torch.testing.assert_close(found, expected)
    assert base._supports_attention_backend
