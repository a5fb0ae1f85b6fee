"""Quantised models: recorded and decomposed where they run, never cut, refused where they don't."""

import importlib.util
import json

import numpy as np
import pytest
import tiny
import torch
from torch import nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition.group_ica import GroupICA, decompose
from fnprune_core.errors import UnsupportedArchitectureError
from fnprune_core.models.language_model import wrap_model
from fnprune_core.models.loading import load_model
from fnprune_core.models.sources import quantised
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.planner import plan
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import RecordingSettings, open_recording


class Packed(nn.Module):
    """A projection of 8-bit numbers with a scale for each output, as GPTQ's and AWQ's kernels."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        scale = linear.weight.detach().abs().amax(dim=1, keepdim=True) / 127
        self.register_buffer("qweight", (linear.weight.detach() / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)

    def forward(self, x):
        return x @ (self.qweight.float() * self.scale).T


def packed_llama(seed: int = 0):
    """The tiny Llama with every projection of its MLPs packed."""
    model = tiny.tiny_model("Llama", seed=seed)
    for layer in model.model.layers:
        for name in ("gate_proj", "up_proj", "down_proj"):
            setattr(layer.mlp, name, Packed(layer.mlp.get_submodule(name)))
    return wrap_model(model, tiny.toy_tokenizer(), name="packed")


@pytest.fixture(scope="module")
def packed():
    return packed_llama()


def test_its_anatomy_is_that_of_the_model_it_was_made_from(packed, llama) -> None:
    plain, found = llama.anatomy(), packed.anatomy()
    assert packed.is_quantised
    assert not llama.is_quantised
    assert found.widths == plain.widths
    assert found.n_parameters == plain.n_parameters
    assert found.n_mlp_parameters == plain.n_mlp_parameters
    assert found.dtype == "float32"


def test_other_packed_weights_have_another_fingerprint(packed) -> None:
    assert packed_llama().fingerprint == packed.fingerprint
    other = packed_llama()
    other.model.model.layers[1].mlp.up_proj.qweight.neg_()
    again = wrap_model(other.model, other.tokenizer)
    assert again.fingerprint != packed.fingerprint


def test_it_is_recorded_and_decomposed_and_no_unit_is_cut(packed, workspace) -> None:
    documents = tiny.toy_documents()
    settings = RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=512)
    id = record_texts(workspace, packed, documents, settings=settings)
    recording = open_recording(workspace, id)
    assert np.isfinite(recording.std).all()
    atlas_id = decompose(workspace, id, settings=GroupICA(n_components=3, n_runs=1))
    assert open_atlas(workspace, atlas_id).n_networks == 3
    with pytest.raises(UnsupportedArchitectureError, match=r"quantised .* but pruning") as caught:
        plan(
            workspace,
            packed,
            recording_id=id,
            decomposition_id=atlas_id,
            settings=PlanSettings(ratio=0.2, compensation="least-squares"),
        )
    assert "GGUF" in caught.value.hint


@pytest.fixture
def saved(tmp_path, llama):
    llama.model.save_pretrained(tmp_path)
    llama.tokenizer.save_pretrained(tmp_path)
    return tmp_path


def set_quantisation(folder, **settings) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": settings}))


@pytest.mark.parametrize(
    ("package", "settings"),
    [
        ("gptqmodel", {"quant_method": "awq", "bits": 4, "group_size": 32}),
        ("optimum", {"quant_method": "gptq", "bits": 4, "group_size": 32}),
        ("bitsandbytes", {"quant_method": "bitsandbytes", "load_in_4bit": True}),
        ("compressed_tensors", {"quant_method": "compressed-tensors"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_a_kernel_is_missing_the_refusal_says_what_to_install(saved, package, settings):
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    set_quantisation(saved, **settings)
    with pytest.raises(UnsupportedArchitectureError, match="cannot run here") as caught:
        load_model(str(saved), device="cpu")
    assert "`pip install " in caught.value.hint
    assert "GGUF" in caught.value.hint


def test_an_unknown_method_is_refused(saved) -> None:
    set_quantisation(saved, quant_method="tomorrow")
    with pytest.raises(UnsupportedArchitectureError, match=r"quantised \(tomorrow\)"):
        load_model(str(saved), device="cpu")


def test_bitsandbytes_records_where_it_is_installed(tmp_path, workspace) -> None:
    """8-bit and 4-bit, on the CPU; skipped where the package is missing."""
    pytest.importorskip("bitsandbytes")
    config = tiny.TINY_CONFIGS["Llama"]()
    config.update({"hidden_size": 128, "intermediate_size": 256, "head_dim": 32})
    plain = tmp_path / "plain"
    AutoModelForCausalLM.from_config(config).save_pretrained(plain)
    for settings in ({"load_in_4bit": True}, {"load_in_8bit": True}):
        made = AutoModelForCausalLM.from_pretrained(
            plain, quantization_config=BitsAndBytesConfig(**settings), device_map={"": "cpu"}
        )
        folder = tmp_path / next(iter(settings))
        made.save_pretrained(folder)
        tiny.toy_tokenizer().save_pretrained(folder)
        model = load_model(str(folder), device="cpu", dtype="float32")
        assert model.is_quantised, settings
        assert model.anatomy().widths == (256, 256, 256)
        recording = RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=256)
        id = record_texts(workspace, model, tiny.toy_documents(), settings=recording)
        assert open_recording(workspace, id).n_tokens == 256


def test_what_a_config_says_of_its_method(llama) -> None:
    assert quantised.method_of(llama.model.config) == ""
