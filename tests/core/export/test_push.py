"""Pushing an export: what arrives at the hub, and what is refused before anything is sent."""

import json

import pytest
from fake_hub import instead_of_the_hub

from fnprune_core.errors import SettingsError, StorageError
from fnprune_core.export import push as module
from fnprune_core.export.push import push
from fnprune_core.storage.checksums import sums_below
from fnprune_core.storage.json_files import write_checked_json
from fnprune_core.storage.workspace import EXPORT_RECORD


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a-token")
    with instead_of_the_hub(tmp_path / "cache") as found:
        yield found


@pytest.fixture
def folder(tmp_path):
    """A folder as an export leaves it."""
    path = tmp_path / "smaller"
    path.mkdir()
    (path / "README.md").write_text("---\nlicense: mit\n---\n# A smaller model\n")
    (path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (path / "model.safetensors").write_bytes(bytes(range(256)))
    write_checked_json(path / EXPORT_RECORD, {"files": sums_below(path)})
    return path


def test_all_files_arrive_in_a_private_repository(hub, folder) -> None:
    assert push(folder, "lab/smaller") == f"{hub.endpoint}/lab/smaller"
    assert hub.made["lab/smaller"]["visibility"] == "private"
    there = hub.pushed["lab/smaller"]
    for name in ("README.md", "config.json", "model.safetensors"):
        assert there[name] == (folder / name).read_bytes()
    push(folder, "lab/for-all", private=False)
    assert hub.made["lab/for-all"].get("visibility", "public") == "public"
    push(folder, "lab/smaller")  # a repository that is there is no error


def test_what_is_no_whole_export_is_not_sent(hub, folder, tmp_path) -> None:
    with pytest.raises(SettingsError, match="no folder that `fnprune export` wrote"):
        push(tmp_path, "lab/smaller")
    (folder / "model.safetensors").write_bytes(b"half")
    with pytest.raises(SettingsError, match=r"model\.safetensors"):
        push(folder, "lab/smaller")
    assert not hub.asked


def test_a_wrong_name_nobody_logged_in_and_no_right_to_write_say_what_to_do(
    hub, folder, monkeypatch
) -> None:
    with pytest.raises(SettingsError) as wrong:
        push(folder, "smaller")
    assert "owner/name" in wrong.value.hint
    monkeypatch.setenv("HF_TOKEN", "another-token")
    with pytest.raises(StorageError, match="may not write to 'lab/smaller'"):
        push(folder, "lab/smaller")
    assert not hub.pushed
    monkeypatch.setattr(module.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="could not be pushed"):
        push(folder, "lab/smaller")
    monkeypatch.setattr(module, "get_token", lambda: None)
    with pytest.raises(StorageError) as nobody:
        push(folder, "lab/smaller")
    assert "hf auth login" in nobody.value.hint
