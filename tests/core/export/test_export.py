import errno
import json
import math
import stat
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file
from tiny import add_biases, alike_plan
from transformers import AutoTokenizer, PreTrainedModel

from fnprune_core.errors import FingerprintMismatchError, PlanError, SettingsError, StorageError
from fnprune_core.evaluation.intervals import DocumentSample
from fnprune_core.export import export, forms
from fnprune_core.export.export import export_model
from fnprune_core.export.model_card import CardFacts, MeasuredPerplexity
from fnprune_core.models.architectures import ARCHITECTURES, feeding_modules
from fnprune_core.models.projections import bias_of, weight_of
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.files import read_refits
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.pruning.compensation import Cut, compensate

IDS = tiny.random_ids(length=24)
# Runs with -I: no current folder, no environment; and fnprune_core cannot be imported.
LOAD_ELSEWHERE = """
import sys
sys.modules["fnprune_core"] = None
import torch
from transformers import AutoModelForCausalLM
ids = torch.tensor({ids})
for folder in sys.argv[1:]:
    trust = folder.endswith("per-layer")
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, trust_remote_code=trust
    ).eval()
    with torch.inference_mode():
        torch.save(model(ids).logits, folder + ".logits")
"""


@pytest.fixture
def any_tokenizer(monkeypatch):
    """Transformers reads Qwen2's tokenizer files in its own way, which the toy's don't follow."""
    monkeypatch.setattr(export, "_CHECKED_TEXT", "")


def test_exports_load_where_there_is_no_fnprune(
    tmp_path, record_windows, monkeypatch, any_tokenizer
):
    """Each form of each family, refitted and trained, with a bias where it has a home for it."""
    expected = {}
    for family, row in ARCHITECTURES.items():
        language_model = tiny.tiny_language_model(family)
        recording = record_windows(language_model)
        for name, form in forms.FORMS.items():
            if form.is_gguf:  # not for transformers alone: test_gguf_form.py
                continue
            plan = (alike_plan if form.is_alike else tiny.toy_plan)(language_model)
            cut = Cut(
                removed=plan.removed,
                compensation="least-squares",
                intercept=row.bias_home != "none" or form.brings_code,
            )
            weights = np.ones(recording.n_tokens)
            [refits] = compensate(language_model, recording, [cut], weights=weights)
            refits = tiny.trained_refits(language_model, plan, refits)
            target = tmp_path / f"{family}-{name}"
            folder = export_model(language_model, plan, target, form=name, refits=refits)
            with silenced(language_model, plan.removed, refits=refits):
                expected[folder] = tiny.logits_of(language_model.model, IDS)
        assert tiny.is_idle(language_model)
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    subprocess.run(
        [sys.executable, "-I", "-c", LOAD_ELSEWHERE.format(ids=IDS.tolist()), *expected],
        check=True,
        capture_output=True,
    )
    for folder, logits in expected.items():
        loaded = torch.load(f"{folder}.logits", weights_only=True)
        torch.testing.assert_close(loaded, logits, rtol=1e-4, atol=1e-4)


def test_a_smaller_export_is_smaller_and_its_config_says_the_width(
    tmp_path, language_model, any_tokenizer
):
    dense = language_model.anatomy()
    row = language_model.architecture
    for form, plan in (
        ("uniform", alike_plan(language_model)),
        ("per-layer", tiny.toy_plan(language_model)),
    ):
        folder = export_model(language_model, plan, tmp_path / form, form=form)
        config = json.loads((folder / "config.json").read_text())
        # Embeddings that are one tensor with the unembedding are stored once.
        n_saved = sum(t.numel() for t in load_file(folder / "model.safetensors").values())
        gone = plan.n_removed * share_per_unit(language_model)
        assert n_saved == dense.n_parameters - gone
        if form == "uniform":
            assert config[row.width_attribute] == dense.widths[0] - 8
            assert "auto_map" not in config
            assert config["model_type"] in row.model_types
        else:
            assert config["layer_widths"] == list(plan.kept_widths)
            assert (folder / "modeling_per_layer.py").is_file()


def share_per_unit(language_model):
    """Parameters that go with one unit: its column, and its rows with their biases."""
    model, architecture = language_model.model, language_model.architecture
    rows = sum(
        architecture.n_fused * (weight_of(module).shape[1] + (bias_of(module) is not None))
        for module in feeding_modules(model, architecture, 0)
    )
    return rows + language_model.anatomy().hidden_size


def test_an_export_holds_tokenizer_plan_and_card(tmp_path, llama):
    plan = tiny.toy_plan(llama)
    protocol = {"n_tokens": 12264, "window": 512, "dtype": "float32", "text_sha256": "a1b2c3" * 9}
    figures = [
        MeasuredPerplexity(
            label="dense",
            perplexity=20.125,
            standard_error=0.251,
            sample=DocumentSample(n=18, n_effective=18.0, freedom=17.0),
            protocol=protocol,
        ),
        MeasuredPerplexity(
            label="pruned",
            perplexity=23.5,
            standard_error=float("nan"),
            sample=DocumentSample(n=3, n_effective=3.0, freedom=math.nan),
            protocol=protocol,
        ),
    ]
    refits = add_biases(llama)
    llama.tokenizer.chat_template = "{{ messages }}"
    facts = CardFacts(figures=figures, decisions={"name": "mine"}, with_refits=True)
    folder = export_model(llama, plan, tmp_path / "out", refits=refits, facts=facts)
    assert json.loads((folder / "decisions.json").read_text()) == {"name": "mine"}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("aq ar")["input_ids"] == [1, 2]
    assert tokenizer.chat_template == "{{ messages }}"
    saved = PruningPlan.read(folder)
    assert saved.to_json() == plan.to_json()
    [_, found, _] = read_refits(folder / "refits.safetensors", 3)
    assert torch.equal(found.bias, refits[1].bias)
    assert found.columns is None
    card = (folder / "README.md").read_text()
    assert "| dense | 20.12 ± 0.25 | 18 | 12264 | 512 | float32 | `a1b2c3a1b2c3` |" in card
    assert "| pruned | 23.50 (no interval) | 3 |" in card
    assert f"{plan.n_removed} of 144 MLP units" in card
    assert plan.fingerprint in card
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert all(path.stat().st_mode & stat.S_IROTH for path in folder.iterdir())


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
            export_model(llama, plan, tmp_path / taken, facts=CardFacts(decisions={"a": 1}))
        assert sorted((tmp_path / "empty").iterdir()) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_an_export_that_is_there_and_whole_is_found(tmp_path, llama):
    plan, target = tiny.toy_plan(llama), tmp_path / "out"
    export_model(llama, plan, target)
    weights = target / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert export_model(llama, plan, target) == target
    assert weights.stat().st_mtime_ns == before
    with weights.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"!")
    with pytest.raises(StorageError, match="exists already"):
        export_model(llama, plan, target)


def test_the_second_of_two_exports_to_one_folder_is_told(tmp_path, llama, monkeypatch):
    plan, told = tiny.toy_plan(llama), []

    def meanwhile(*args, **options):
        with pytest.raises(StorageError) as error:
            export_model(llama, plan, tmp_path / "out", form="per-layer")
        told.append(error.value.message)
        return check(*args, **options)

    check = export._check_reload
    monkeypatch.setattr(export, "_check_reload", meanwhile)
    export_model(llama, plan, tmp_path / "out")
    assert told == [f"{tmp_path / 'out'} is being written by another process right now."]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_cannot_be_exported_is_refused_and_nothing_is_left(tmp_path, llama):
    target = tmp_path / "out"
    with pytest.raises(FingerprintMismatchError):
        export_model(llama, tiny.toy_plan(llama, fingerprint="0" * 16), target)
    with pytest.raises(SettingsError, match="masked"):
        export_model(llama, tiny.toy_plan(llama), target, form="marble")
    with pytest.raises(PlanError, match="keeps 24 to 48") as caught:
        export_model(llama, tiny.toy_plan(llama), target, form="uniform")
    assert "--allocation uniform" in caught.value.hint
    homeless = [name for name, row in ARCHITECTURES.items() if row.bias_home == "none"]
    for family in homeless:
        language_model = tiny.tiny_language_model(family)
        for form in ("masked", "uniform"):
            with pytest.raises(PlanError, match="no bias") as caught:
                export_model(
                    language_model,
                    alike_plan(language_model),
                    target,
                    form=form,
                    refits=add_biases(language_model),
                )
            assert "least-squares without intercept" in caught.value.hint
            assert "per-layer" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_disagrees_is_not_announced(tmp_path, llama, monkeypatch):
    def forget_the_plan(language_model, plan, *, refits):
        return language_model.model

    row = replace(forms.FORMS["masked"], build=forget_the_plan)
    monkeypatch.setitem(forms.FORMS, "masked", row)
    with pytest.raises(PlanError, match="logits differ"):
        export_model(llama, tiny.toy_plan(llama), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    assert tiny.is_idle(llama)


def test_an_export_with_another_tokenizer_is_not_announced(tmp_path, llama, monkeypatch):
    tokenizer = tiny.toy_tokenizer()
    tokenizer.add_tokens(["fox"])
    monkeypatch.setattr(tokenizer, "save_pretrained", llama.tokenizer.save_pretrained)
    with pytest.raises(PlanError, match="tokenizer reads"):
        export_model(replace(llama, tokenizer=tokenizer), tiny.toy_plan(llama), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_export_s_refits_are_as_its_weights_and_room_for_them_is_asked_for(
    tmp_path, monkeypatch
):
    """In float32 they would outweigh what pruning saves of a bfloat16 model."""
    llama = tiny.tiny_language_model("Llama")
    half = replace(llama, model=llama.model.to(torch.bfloat16))
    plan = alike_plan(half)
    refits = [
        replace(refit, bias=torch.full((32,), 1 / 3))
        for refit in tiny.trained_refits(half, plan, add_biases(half))
    ]
    room = []
    monkeypatch.setattr(export, "check_free_space", lambda folder, needed: room.append(needed))
    facts = CardFacts(with_refits=True)
    folder = export_model(half, plan, tmp_path / "out", form="uniform", refits=refits, facts=facts)
    written = sum(
        tensor.nbytes
        for path in folder.glob("*.safetensors")
        for tensor in load_file(path).values()
    )
    assert room[0] == pytest.approx(written, rel=0.1)
    [found, *_] = read_refits(folder / "refits.safetensors", 3)
    assert found.feeding[0].dtype == torch.bfloat16
    assert torch.equal(found.bias, refits[0].bias)
    with silenced(half, plan.removed, refits=refits):
        expected = tiny.logits_of(half.model, IDS)
    with silenced(half, plan.removed, refits=read_refits(folder / "refits.safetensors", 3)):
        assert torch.equal(tiny.logits_of(half.model, IDS), expected)


def test_refits_are_written_only_if_they_are_asked_for(tmp_path, llama):
    """They once lay in every folder: 38 MB that nobody needs to run the model."""
    plan = tiny.toy_plan(llama)
    without = export_model(llama, plan, tmp_path / "without", refits=add_biases(llama))
    assert not (without / "refits.safetensors").exists()
    assert PruningPlan.read(without).to_json() == plan.to_json()
    assert "where its recording is" in (without / "README.md").read_text()


def test_a_full_disk_leaves_nothing_behind(tmp_path, llama, monkeypatch):
    def fill_up(model, folder, **options):
        (folder / "config.json").write_text("{")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", fill_up)
    with pytest.raises(StorageError, match="full"):
        export_model(llama, tiny.toy_plan(llama), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
