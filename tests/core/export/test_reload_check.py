import json

import pytest
import tiny
import torch
from tiny import add_biases, alike_plan

from fnprune_core.errors import PlanError
from fnprune_core.export import export
from fnprune_core.export.export import export_model
from fnprune_core.export.reload_check import reload_elsewhere
from fnprune_core.models.silencing import silenced

IDS = tiny.random_ids(length=24)


def test_an_export_is_checked_in_a_process_that_cannot_import_us(
    tmp_path, llama, monkeypatch, fresh_process
):
    seen = []

    def watched(folder, ids, text, **options):
        seen.append((ids, *reload_elsewhere(folder, ids, text, **options)))
        return seen[0][1:]

    monkeypatch.setattr(export, "reload_elsewhere", watched)
    monkeypatch.setattr(export, "_CHECKED_TEXT", "aq ar")
    plan = alike_plan(llama)
    folder = export_model(llama, plan, tmp_path / "out", form="per-layer", refits=add_biases(llama))
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".md", ".py", ".safetensors"}
    [(ids, logits, token_ids)] = seen
    with silenced(llama, plan.removed, refits=add_biases(llama)):
        expected = tiny.logits_of(llama.model, ids)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert token_ids == [1, 2]


def test_an_export_that_does_not_load_says_why(tmp_path, llama, fresh_process):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "marble"}))
    with pytest.raises(PlanError, match=r"could not be loaded in a fresh process: .*marble"):
        reload_elsewhere(tmp_path, IDS, "aq", dtype="float32", device="cpu")
