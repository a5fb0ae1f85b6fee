import json
import os
import pickle
import re
from pathlib import Path

import pytest
import safetensors.torch
import tiny
import torch
from huggingface_hub import constants

from fnprune_core.errors import (
    FnpruneError,
    ModelNotFoundError,
    SettingsError,
    UnsupportedArchitectureError,
)
from fnprune_core.models import loading
from fnprune_core.models.loading import load_model


@pytest.fixture
def saved(tmp_path, llama):
    """A folder with the tiny Llama, whole."""
    folder = tmp_path / "tiny-llama"
    llama.model.save_pretrained(folder)
    llama.tokenizer.save_pretrained(folder)
    return folder


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_loads_as_it_was_saved(saved, llama):
    loaded = load_model(str(saved), device="cpu", dtype="float32")
    ids = tiny.random_ids()
    assert torch.equal(tiny.logits_of(loaded.model, ids), tiny.logits_of(llama.model, ids))
    assert loaded.fingerprint == llama.fingerprint
    assert loaded.layout == llama.layout
    assert loaded.name == "tiny-llama"
    assert not loaded.model.training
    assert loaded.tokenizer("aq ar")["input_ids"] == [1, 2]
    half = load_model(str(saved), device="cpu", dtype="bfloat16")
    assert half.dtype == torch.bfloat16
    assert half.fingerprint == llama.fingerprint


def nothing(folder):
    return folder / "no" / "such" / "model"


def text_file(folder):
    path = folder / "model.txt"
    path.write_text("not a model")
    return path


def false_gguf(folder):
    """Cut off in its header: its reader raises `struct.error`."""
    path = folder / "model.gguf"
    path.write_bytes(b"GGUF, or so it says")
    return path


def empty_folder(folder):
    path = folder / "empty"
    path.mkdir()
    return path


def two_gguf_files(folder):
    path = empty_folder(folder)
    for name in ("a.gguf", "b.gguf"):
        (path / name).touch()
    return path


def broken_config(folder):
    (folder / "config.json").write_text("{")
    return folder


def half_the_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    return folder


def no_weights(folder):
    (folder / "model.safetensors").unlink()
    return folder


def one_layer_more(folder):
    change_config(folder, num_hidden_layers=4)
    return folder


def other_width(folder):
    change_config(folder, intermediate_size=50)
    return folder


def broken_tokenizer(folder):
    """The tokenizers library raises a bare Exception."""
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("WordLevel", "NoSuchModel"))
    return folder


def no_tokenizer(folder):
    """A GPT-2 tokenizer without files loads as an empty one."""
    model = tiny.tiny_model("GPT-2")
    model.save_pretrained(folder / "gpt-2")
    return folder / "gpt-2"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (nothing, "no model folder or file"),
        (text_file, "not a GGUF file"),
        (false_gguf, "could not be loaded"),
        (empty_folder, r"neither config\.json nor a GGUF"),
        (two_gguf_files, "2 GGUF files"),
        (broken_config, "not a valid JSON"),
        (half_the_weights, r"model\.safetensors is damaged: incomplete"),
        (no_weights, r"no file named model\.safetensors"),
        (one_layer_more, r"lack 9 parameters .* model\.layers\.3"),
        (other_width, "mismatch"),
        (broken_tokenizer, "did not match"),
        (no_tokenizer, "turns text into nothing"),
    ],
)
def test_what_is_no_whole_model_is_refused_with_a_hint(saved, spoil, says):
    source = str(spoil(saved))
    with pytest.raises(ModelNotFoundError, match=says) as caught:
        load_model(source, device="cpu")
    assert "network" not in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("model_type", "reason"),
    {
        "jetmoe": "choose among experts",
        "bart": "with an encoder",
        "no-such-type": "a newer transformers",
    }.items(),
)
def test_what_has_no_units_is_refused_before_a_weight_is_read(saved, model_type, reason):
    change_config(saved, model_type=model_type)
    (saved / "model.safetensors").unlink()
    with pytest.raises(UnsupportedArchitectureError, match=reason):
        load_model(str(saved), device="cpu")


def test_a_config_of_fewer_layers_than_the_weights_is_refused(saved):
    change_config(saved, num_hidden_layers=2)
    with pytest.raises(ModelNotFoundError, match=r"tensors of layers .* model\.layers\.2"):
        load_model(str(saved), device="cpu")


def test_a_tokenizer_of_more_ids_than_embeddings_is_refused(saved):
    tiny.bpe_tokenizer().save_pretrained(saved)
    with pytest.raises(ModelNotFoundError, match=r"ids up to \d{3}, the model embeds 64"):
        load_model(str(saved), device="cpu")


def test_a_hub_id_without_a_network_says_what_else_there_is(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="somebody/no-such-model") as caught:
        load_model("somebody/no-such-model", device="cpu")
    assert "embedded" in caught.value.hint


@pytest.mark.parametrize(
    "options", [{"device": "abacus"}, {"device": "cuda:99"}, {"device": "cpu", "dtype": "int4"}]
)
def test_unknown_devices_and_dtypes_are_refused(saved, options):
    with pytest.raises(SettingsError) as caught:
        load_model(str(saved), **options)
    assert "auto" in caught.value.hint


def test_a_model_that_does_not_fit_says_so(saved, monkeypatch):
    def out_of_memory(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch.nn.Module, "to", out_of_memory)
    with pytest.raises(FnpruneError, match="does not fit"):
        load_model(str(saved), device="cpu", dtype="float32")


def test_auto_takes_the_same_dtype_as_its_parts(monkeypatch):
    for fast, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(loading, "has_fast_bfloat16", lambda fast=fast: fast)
        assert loading.choose_dtype("auto", torch.device("cpu")) == dtype


class Runs:
    """What an attacker pickles: reading it would make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "m.pt", "weights.pth", "x.ckpt", "a.pkl"])
def test_pickled_weights_are_refused_by_name_with_the_way_out(tmp_path, name) -> None:
    folder = tmp_path / "model"
    tiny.tiny_model("Llama").config.save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    attack = tmp_path / "ran"
    with (folder / name).open("wb") as file:
        pickle.dump(Runs(attack), file)
    for source in (folder, folder / name):
        with pytest.raises(UnsupportedArchitectureError, match=re.escape(name)) as caught:
            load_model(str(source))
        assert "save_pretrained" in caught.value.hint
    assert not attack.exists()


def test_a_pickle_that_an_index_names_is_not_read(tmp_path) -> None:
    """Beside real safetensors; it ended in a raw `UnpicklingError`."""
    folder = tmp_path / "model"
    tiny.tiny_model("Llama").save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    names = list(safetensors.torch.load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    attack = tmp_path / "ran"
    with (folder / "shard.bin").open("wb") as file:
        pickle.dump(Runs(attack), file)
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "shard.bin")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsupportedArchitectureError, match="pickle"):
        load_model(str(folder))
    assert not attack.exists()


def test_pickles_beside_safetensors_do_no_harm(tmp_path) -> None:
    folder = tmp_path / "model"
    tiny.tiny_model("Llama").save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    attack = tmp_path / "ran"
    for name in ("pytorch_model.bin", "training_args.bin"):
        with (folder / name).open("wb") as file:
            pickle.dump(Runs(attack), file)
    assert load_model(str(folder)).anatomy().n_layers
    assert not attack.exists()
