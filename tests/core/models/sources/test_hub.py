"""Models of the hub: revisions, progress, a stop that leaves nothing, refusals in its own words.

Against a hub on this machine, which serves a tiny model.
"""

import shutil

import fake_hub
import pytest
import safetensors.torch
import tiny
import torch
from huggingface_hub import constants

from fnprune_core.errors import ModelNotFoundError, SettingsError, UnsupportedArchitectureError
from fnprune_core.models.loading import load_model
from fnprune_core.models.sources import fits, hub
from fnprune_core.models.sources.cached import cached_models
from fnprune_core.models.sources.hub_ids import HubId
from fnprune_core.progress import Cancelled, CancelToken

ID = "lab/tiny"


@pytest.fixture
def served(tmp_path, llama):
    """The tiny Llama on a hub: its id and the hub."""
    folder = tmp_path / "served"
    llama.model.save_pretrained(folder, max_shard_size="30KB")
    llama.tokenizer.save_pretrained(folder)
    (folder / "training.log").write_text("not asked for")
    with fake_hub.instead_of_the_hub(tmp_path / "cache") as fake:
        fake.folders[ID] = folder
        yield fake


def test_a_model_is_fetched_once_and_told_as_it_comes(served, llama, tmp_path) -> None:
    events = []
    model = load_model(ID, device="cpu", dtype="float32", progress=events.append)
    ids = tiny.random_ids()
    assert torch.equal(tiny.logits_of(model.model, ids), tiny.logits_of(llama.model, ids))
    assert (model.name, model.source) == ("tiny", ID)
    assert {event.stage for event in events} == {f"downloading {ID}"}
    assert {event.unit for event in events} == {"MB"}
    assert len(events) > 10
    assert not any("training.log" in asked for asked in served.asked)
    served.asked.clear()
    load_model(ID, device="cpu")
    assert not any(asked.startswith("GET") and "resolve" in asked for asked in served.asked)


def test_a_revision_is_asked_for_by_name(served) -> None:
    assert load_model(f"{ID}@v1", device="cpu").source == f"{ID}@v1"
    assert any("/resolve/v1/" in asked for asked in served.asked)
    with pytest.raises(ModelNotFoundError, match="no revision 'v2'") as caught:
        load_model(f"{ID}@v2", device="cpu")
    assert f"{served.endpoint}/{ID}/commits" in caught.value.hint


@pytest.mark.parametrize("at_file", [0, 2, 5])
def test_a_stop_leaves_nothing(served, tmp_path, at_file) -> None:
    """Before the first file, in the middle of one, and with several fetched."""
    cancel = CancelToken()

    def stop(event) -> None:
        asked = [each for each in served.asked if each.startswith("GET") and "resolve" in each]
        if len(asked) >= at_file:
            cancel.cancel()

    with pytest.raises(Cancelled):
        load_model(ID, device="cpu", progress=stop, cancel=cancel)
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert not [path for path in left if path.suffix in (".safetensors", ".incomplete")]
    assert not [path for path in left if path.stat().st_size > 9000]
    assert load_model(ID, device="cpu").layout.n_layers == 3


def test_without_a_network_the_cache_serves(served, monkeypatch, llama) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ModelNotFoundError, match="not in the cache"):
            load_model(ID, device="cpu")
    load_model(ID, device="cpu")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_model(ID, device="cpu", dtype="float32").fingerprint == llama.fingerprint


def test_a_gated_model_says_how_to_get_access(served) -> None:
    served.gated.add(ID)
    with pytest.raises(ModelNotFoundError, match="gated") as caught:
        load_model(ID, device="cpu")
    assert "hf auth login" in caught.value.hint
    assert f"{served.endpoint}/{ID}" in caught.value.hint


def test_a_model_that_is_not_there_may_be_private(served) -> None:
    with pytest.raises(ModelNotFoundError, match="no model 'lab/none'") as caught:
        load_model("lab/none", device="cpu")
    assert "hf auth login" in caught.value.hint


def test_what_cannot_be_used_is_refused_before_its_weights_are_fetched(
    served, monkeypatch, tmp_path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fits, "free_bytes", lambda device: 1000)
        with pytest.raises(SettingsError, match="does not fit"):
            load_model(ID, device="cpu")
    encoder = served.folders["lab/encoder"] = tmp_path / "encoder"
    shutil.copytree(served.folders[ID], encoder)
    config = encoder / "config.json"
    config.write_text(config.read_text().replace('"llama"', '"bert"'))
    with pytest.raises(UnsupportedArchitectureError, match="is an encoder"):
        load_model("lab/encoder", device="cpu")
    assert not any("safetensors" in asked and "resolve" in asked for asked in served.asked)


def test_repositories_without_safetensors_say_what_they_hold(served, tmp_path) -> None:
    for name, says in (("m.Q4_K_M.gguf", "hf download"), ("pytorch_model.bin", "safetensors")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(b"x")
        served.folders["lab/other"] = folder
        with pytest.raises(ModelNotFoundError) as caught:
            load_model("lab/other", device="cpu")
        assert name in str(caught.value)
        assert says in caught.value.hint


def test_the_cache_is_listed_with_what_can_be_loaded(served, tmp_path) -> None:
    assert cached_models() == []
    load_model(ID, device="cpu")
    (model,) = cached_models()
    assert (model.source, model.model_type, model.is_known) == (ID, "llama", True)
    assert model.standing == ""
    sizes = [path.stat().st_size for path in served.folders[ID].glob("*.safetensors")]
    assert sum(sizes) < model.size_bytes < 2 * sum(sizes)
    next((tmp_path / "cache").rglob("*.safetensors")).unlink()
    assert "not all of its weights" in cached_models()[0].standing


def test_what_is_no_id_is_none() -> None:
    assert HubId.of("a/b@refs/pr/1") == HubId(repository="a/b", revision="refs/pr/1")
    assert HubId.of("gpt2") == HubId(repository="gpt2", revision=None)
    assert HubId.of("a/b/c") is None
    assert HubId.of("a b") is None


def test_files_that_others_fetched_stay_when_a_download_stops(served, tmp_path) -> None:
    """Only what this download brought is deleted."""
    files = hub.files_of(HubId.of(ID))
    folder = hub.fetch(files, list(files.small))
    first, *rest = sorted(files.weights)
    hub.fetch(files, [first])
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        hub.fetch(files, [first, *rest], cancel=cancel)
    assert (folder / first).is_file()
    if first.endswith(".safetensors"):
        assert safetensors.torch.load_file(folder / first)
