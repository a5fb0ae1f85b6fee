from pathlib import Path

import pytest
import tiny
from transformers import AutoModelForCausalLM

from fnprune_core.export.export import export_model
from fnprune_core.models import modeling_per_layer


def test_code_in_an_export_runs_only_when_it_is_trusted(tmp_path, llama):
    """Without trust it is refused by name, not loaded with wrong shapes."""
    folder = export_model(llama, tiny.toy_plan(llama), tmp_path / "out", form="per-layer")
    with pytest.raises(ValueError, match="trust_remote_code"):
        AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False)
    ours = Path(modeling_per_layer.__file__).read_bytes()
    assert (folder / "modeling_per_layer.py").read_bytes() == ours
    with pytest.raises(AttributeError, match="PerLayerNothing"):
        _ = modeling_per_layer.PerLayerNothing
