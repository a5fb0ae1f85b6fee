"""One odd item takes nothing else down: it is told apart, and everything else works."""

import json
import os
import shutil
import threading
from pathlib import Path

import pytest
from command_line import Program
from odd_items import ODD_ITEMS, ODD_KINDS, without_rights_of_root

from fnprune_core.errors import CorruptArtifactError, FnpruneError
from fnprune_core.storage import workspace as module
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import read_json, write_checked_json, write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of, read_manifest
from fnprune_core.storage.workspace import EXPORT_RECORD, Workspace

KIND = "previews"


def make(workspace: Workspace, name: str) -> Path:
    """Make an artifact whose inputs give its id, and return its folder."""
    inputs = {"decomposition_id": name}
    target = workspace.folder(KIND, artifact_id(KIND, inputs))
    with new_folder(target) as folder:
        (folder / "file.txt").write_text(name)
        write_json(folder / MANIFEST, manifest_of(KIND, inputs, {}))
    return target


def made_at(folder: Path, created: str) -> Path:
    write_checked_json(folder / MANIFEST, {**read_json(folder / MANIFEST), "created": created})
    return folder


@pytest.mark.parametrize("odd", ODD_ITEMS.values(), ids=ODD_ITEMS)
def test_an_odd_item_is_told_apart_and_the_rest_works(workspace, odd) -> None:
    """A link to itself in a recording once ended every list, and `chmod 000` every export."""
    bad, good = make(workspace, "bad"), make(workspace, "good")
    odd(bad)
    with without_rights_of_root():
        entries, damaged = workspace.contents()
        assert good.name in [entry.id for entry in entries]
        found = {item.id: item for item in workspace.verify()}
        assert found[bad.name].standing == "damaged"
        assert all(found[bad.name].problems)
        assert found[good.name].standing == "sound"
        if damaged:
            assert [item.id for item in damaged] == [bad.name]
            assert damaged[0].reason
            assert damaged[0].hint
        assert workspace.existing(KIND, good.name) == good
        assert workspace.size_bytes() > 0
        assert workspace.discard_unfinished() == []
        assert make(workspace, "another").is_dir()
        assert len(workspace.entries()) >= 2
    workspace.delete(KIND, bad.name)
    assert not os.path.lexists(bad)
    assert not list(bad.parent.glob(".*"))  # `rmtree` leaves a link to nowhere, without a word


@pytest.mark.parametrize("odd", ODD_KINDS.values(), ids=ODD_KINDS)
def test_an_odd_folder_of_a_kind_is_told_apart_and_the_rest_works(workspace, odd) -> None:
    make(workspace, "one")
    with new_folder(workspace.folder("embeddings", "abc")) as folder:
        write_json(folder / MANIFEST, manifest_of("embeddings", {"decomposition_id": "a"}, {}))
    odd(workspace.root / KIND)
    with without_rights_of_root():
        entries, damaged = workspace.contents()
        assert [entry.kind for entry in entries] == ["embeddings"]
        assert {item.kind for item in damaged} == {KIND}
        assert {i.kind: i.standing for i in workspace.verify()}[KIND] == "damaged"
        assert not workspace.has(KIND, "abc")
        with pytest.raises(FnpruneError):
            workspace.existing(KIND, "latest")
        assert workspace.discard_unfinished() == []
        with pytest.raises(FnpruneError):
            make(workspace, "one more")
    (workspace.root / KIND).chmod(0o755) if (workspace.root / KIND).is_dir() else None


def test_a_pipe_in_the_place_of_a_manifest_does_not_halt_anybody(workspace) -> None:
    bad = make(workspace, "bad")
    ODD_ITEMS["manifest a pipe"](bad)
    thread = threading.Thread(target=workspace.contents, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(CorruptArtifactError, match="cannot be read: it is no plain file"):
        read_manifest(bad)


def test_the_command_line_tells_odd_items_and_deletes_them(program: Program) -> None:
    workspace = Workspace(program.workspace)
    bad, good = make(workspace, "bad"), make(workspace, "good")
    (bad / "loop").symlink_to("loop")
    ODD_ITEMS["manifest a folder"](bad)
    listed = program.json("workspace", "list")
    assert [entry["id"] for entry in listed["entries"]] == [good.name]
    assert "cannot be read" in listed["damaged"][0]["reason"]
    assert program.json("workspace", "clean")["discarded"] == 0
    program("workspace", "delete", KIND, bad.name)
    assert not bad.exists()


def test_what_may_not_be_deleted_is_not_said_to_be_gone(workspace, monkeypatch) -> None:
    stopped = workspace.resumable_folder("recordings", "def")
    stopped.mkdir(parents=True)
    monkeypatch.setattr(module.shutil, "rmtree", lambda *a, **options: None)
    assert workspace.discard_unfinished() == []


# What was made last


def test_latest_goes_by_the_time_of_making_and_not_of_the_file(workspace) -> None:
    """A copy without times gives files other ones."""
    older = made_at(make(workspace, "older"), "2026-01-01T00:00:00+00:00")
    newer = made_at(make(workspace, "newer"), "2026-01-02T00:00:00.500+02:00")
    assert workspace.existing(KIND, "latest") == newer
    os.utime(older / MANIFEST)
    assert workspace.existing(KIND, "latest") == newer
    assert workspace.entries()[0].path == newer


def test_latest_is_the_newest_that_can_be_read(workspace) -> None:
    older = make(workspace, "older")
    newer = make(workspace, "newer")
    (newer / MANIFEST).write_text("{")
    assert workspace.existing(KIND, "latest") == older
    (older / MANIFEST).write_text("{")
    with pytest.raises(CorruptArtifactError, match="not valid JSON"):
        workspace.existing(KIND, "latest")


@pytest.mark.parametrize("created", ["2026-01-01T00:00:00", "yesterday", 1_700_000_000])
def test_a_time_without_zone_is_told(workspace, created) -> None:
    made_at(make(workspace, "one"), created)
    [damaged] = workspace.damaged()
    assert "created" in damaged.reason


# What belongs where


def test_swapped_items_are_told(workspace) -> None:
    first, second = make(workspace, "first"), make(workspace, "second")
    swap(first, second)
    for folder in (first, second):
        with pytest.raises(CorruptArtifactError, match="not the one of its name"):
            read_manifest(folder)
    assert [item.standing for item in workspace.verify()] == ["damaged", "damaged"]


def swap(first: Path, second: Path) -> None:
    aside = first.with_name("aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def test_an_exported_model_is_an_export_wherever_it_lies(workspace) -> None:
    """It was listed as damaged on Start, with *Delete* beside it."""
    folders = [workspace.root / kind / "model" for kind in ("exports", "plans")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        record = {"form": "masked", "plan": {"model_name": "tiny"}, "files": {}}
        write_checked_json(folder / EXPORT_RECORD, record)
    maps = workspace.root / "exports" / "maps"
    maps.mkdir()
    (maps / "network.nii.gz").write_bytes(b"image")
    [entry], damaged = workspace.contents()
    assert damaged == []
    assert (entry.kind, entry.id, entry.manifest["model_name"]) == ("exports", "model", "tiny")
    assert [item.standing for item in workspace.verify()] == ["sound"]
    (folders[0] / EXPORT_RECORD).write_text("{")
    [damaged_export] = workspace.damaged()
    assert damaged_export.path == folders[0]
    workspace.delete("exports", "model")
    shutil.rmtree(folders[1])
    assert workspace.contents() == ([], [])


def test_a_manifest_holds_its_own_id(workspace) -> None:
    folder = make(workspace, "one")
    assert json.loads((folder / MANIFEST).read_text())["id"] == folder.name
