import errno
import stat
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from transformers import AutoTokenizer, PreTrainedModel

from fnprune_core import export
from fnprune_core.architectures import ARCHITECTURES
from fnprune_core.compensation import Cut, compensate
from fnprune_core.errors import (
    FingerprintMismatchError,
    PlanError,
    SettingsError,
    StorageError,
)
from fnprune_core.export import Figure, export_model, model_card
from fnprune_core.plans import PruningPlan
from fnprune_core.silencing import Refit, silenced

IDS = tiny.random_ids(length=24)
# Runs with -I: no current folder, no environment; and fnprune_core cannot be imported.
LOAD_ELSEWHERE = """
import sys
sys.modules["fnprune_core"] = None
import torch
from transformers import AutoModelForCausalLM
ids = torch.tensor({ids})
for folder in sys.argv[1:]:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        torch.save(model(ids).logits, folder + ".logits")
"""


def add_biases(language_model):
    return [Refit(bias=torch.full((32,), 0.5))] * language_model.layout.n_layers


def test_a_masked_export_loads_where_there_is_no_fnprune(tmp_path, record_windows):
    """Each family, with refitted columns, and with a bias where it has a home."""
    expected = {}
    for family, row in ARCHITECTURES.items():
        language_model = tiny.tiny_language_model(family)
        plan = tiny.toy_plan(language_model)
        recording = record_windows(language_model)
        cut = Cut(
            removed=plan.removed,
            compensation="least-squares",
            intercept=row.bias_home != "none",
        )
        [refits] = compensate(language_model, recording, [cut], weights=np.ones(recording.n_tokens))
        folder = export_model(language_model, plan, tmp_path / family, refits=refits)
        with silenced(language_model, plan.removed, refits=refits):
            expected[folder] = tiny.logits_of(language_model.model, IDS)
        assert tiny.is_idle(language_model)
    subprocess.run(
        [sys.executable, "-I", "-c", LOAD_ELSEWHERE.format(ids=IDS.tolist()), *expected],
        check=True,
        capture_output=True,
    )
    for folder, logits in expected.items():
        loaded = torch.load(f"{folder}.logits", weights_only=True)
        torch.testing.assert_close(loaded, logits, rtol=1e-4, atol=1e-4)


def test_an_export_holds_tokenizer_plan_and_card(tmp_path, llama):
    plan = tiny.toy_plan(llama)
    protocol = {"n_tokens": 12264, "window": 512, "dtype": "float32", "text_sha256": "a1b2c3" * 9}
    figures = [
        Figure(label="dense", perplexity=20.125, standard_error=0.251, protocol=protocol),
        Figure(label="pruned", perplexity=23.5, standard_error=float("nan"), protocol=protocol),
    ]
    folder = export_model(llama, plan, tmp_path / "out", figures=figures)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("aq ar")["input_ids"] == [1, 2]
    saved = PruningPlan.read(folder)
    assert saved.to_json() == plan.to_json()
    card = (folder / "README.md").read_text()
    assert "| dense | 20.12 ± 0.25 | 12264 | 512 | float32 | `a1b2c3a1b2c3` |" in card
    assert "| pruned | 23.50 ± unknown |" in card
    assert f"{plan.n_removed} of 144 MLP units" in card
    assert plan.fingerprint in card
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    readable = (folder / "model.safetensors").stat().st_mode
    assert readable & stat.S_IROTH


def test_the_card_names_a_base_model_only_where_it_can_be_found(tmp_path, llama):
    plan = tiny.toy_plan(llama)
    hub = replace(llama, source="owner/name")
    assert "base_model: owner/name" in model_card(hub, plan, form="masked")
    for source in (str(tmp_path), "embedded", "~/models/mine"):
        assert "base_model" not in model_card(replace(llama, source=source), plan, form="masked")
    assert "was not evaluated" in model_card(llama, plan, form="masked")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_agrees_within_its_rounding(tmp_path, dtype):
    language_model = tiny.tiny_language_model("Llama")
    plan = tiny.toy_plan(language_model)
    half = replace(language_model, model=language_model.model.to(dtype))
    assert export_model(half, plan, tmp_path / "out", refits=add_biases(half)).is_dir()


def test_an_empty_folder_is_filled_and_another_is_left_alone(tmp_path, llama):
    plan = tiny.toy_plan(llama)
    (tmp_path / "empty").mkdir()
    export_model(llama, plan, tmp_path / "empty")
    (tmp_path / "file").write_text("mine")
    for taken in ("empty", "file"):
        before = sorted((tmp_path / "empty").iterdir())
        with pytest.raises(StorageError, match="exists already"):
            export_model(llama, plan, tmp_path / taken)
        assert sorted((tmp_path / "empty").iterdir()) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_what_cannot_be_exported_is_refused_and_nothing_is_left(tmp_path, llama):
    target = tmp_path / "out"
    with pytest.raises(FingerprintMismatchError):
        export_model(llama, tiny.toy_plan(llama, fingerprint="0" * 16), target)
    with pytest.raises(SettingsError, match="masked"):
        export_model(llama, tiny.toy_plan(llama), target, form="marble")
    homeless = [name for name, row in ARCHITECTURES.items() if row.bias_home == "none"]
    for family in homeless:
        language_model = tiny.tiny_language_model(family)
        with pytest.raises(PlanError, match="no bias") as caught:
            export_model(
                language_model,
                tiny.toy_plan(language_model),
                target,
                refits=add_biases(language_model),
            )
        assert "least-squares without intercept" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_disagrees_is_not_announced(tmp_path, llama, monkeypatch):
    def forget_the_plan(language_model, plan, *, refits):
        return language_model.model

    row = replace(export.FORMS["masked"], build=forget_the_plan)
    monkeypatch.setitem(export.FORMS, "masked", row)
    with pytest.raises(PlanError, match="logits differ"):
        export_model(llama, tiny.toy_plan(llama), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    assert tiny.is_idle(llama)


def test_a_full_disk_leaves_nothing_behind(tmp_path, llama, monkeypatch):
    def fill_up(model, folder, **options):
        (folder / "config.json").write_text("{")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", fill_up)
    with pytest.raises(StorageError, match="full"):
        export_model(llama, tiny.toy_plan(llama), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
