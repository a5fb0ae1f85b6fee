"""LoRA recovery on an export, as the README tells it: two steps, saved, loaded again, merged."""

import numpy as np
import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM

from fnprune_core.export.export import export_model
from fnprune_core.export.timing import load_folder

peft = pytest.importorskip("peft", reason="peft is a development dependency")
TARGETS = ["q_proj", "v_proj", "gate_proj", "up_proj", "down_proj"]


def exported(llama, target, form):
    removed = [np.arange(8) + layer for layer in range(3)] if form == "uniform" else None
    return export_model(llama, tiny.toy_plan(llama, removed), target, form=form)


@pytest.mark.parametrize("form", ["uniform", "per-layer"])
def test_two_steps_of_lora_on_an_export(tmp_path, llama, form):
    folder = exported(llama, tmp_path / "out", form)
    base = load_folder(folder, dtype="float32", device="cpu")
    before = {name: value.clone() for name, value in base.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = peft.get_peft_model(
            base, peft.LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, task_type="CAUSAL_LM")
        )
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=2e-2)
    ids = tiny.random_ids(n_windows=4, length=24)
    losses = []
    for _ in range(2):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss))
    with torch.no_grad():
        losses.append(float(model(input_ids=ids, labels=ids).loss))
    assert losses[0] > losses[1] > losses[2]
    # The pruned weights stay as they were; what was learned is in the adapter alone.
    for name, value in base.state_dict().items():
        if "lora_" not in name:
            assert torch.equal(value, before[name.replace(".base_layer", "")])
    n_trained = sum(p.numel() for p in trained)
    assert 0 < n_trained < sum(p.numel() for p in base.parameters()) / 2

    model.save_pretrained(tmp_path / "adapter")
    again = peft.PeftModel.from_pretrained(
        load_folder(folder, dtype="float32", device="cpu"), tmp_path / "adapter"
    ).eval()
    expected = tiny.logits_of(model.eval(), ids)
    torch.testing.assert_close(tiny.logits_of(again, ids), expected)
    dense = tiny.logits_of(load_folder(folder, dtype="float32", device="cpu"), ids)
    assert not torch.allclose(dense, expected, atol=1e-3)

    merged = again.merge_and_unload()
    torch.testing.assert_close(tiny.logits_of(merged, ids), expected, rtol=1e-4, atol=1e-4)
    if form == "uniform":
        merged.save_pretrained(tmp_path / "merged")
        loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
        assert loaded.config.intermediate_size == 40
        torch.testing.assert_close(tiny.logits_of(loaded, ids), expected, rtol=1e-4, atol=1e-4)
