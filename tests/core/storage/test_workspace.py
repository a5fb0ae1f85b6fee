import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from safetensors import SafetensorError

from fnprune_core.errors import ArtifactNotFoundError, CorruptArtifactError, StorageError
from fnprune_core.storage import folders, manifests
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.folders import check_free_space, exclusive, new_folder
from fnprune_core.storage.json_files import read_json, write_checked_json, write_json
from fnprune_core.storage.manifests import KINDS, artifact_id, manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace


def make(
    workspace: Workspace,
    id: str,
    *,
    kind: str = "previews",
    text: str = "content",
    inputs: dict[str, str] | None = None,
) -> Path:
    target = workspace.folder(kind, id)
    with new_folder(target) as folder:
        (folder / "file.txt").write_text(text)
        inputs = inputs or {"id": id, "decomposition_id": "abc"}
        write_json(folder / MANIFEST, manifest_of(kind, inputs, {}))
    return target


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Atomic folders


def test_a_folder_appears_when_it_is_whole_and_with_nothing_else(workspace) -> None:
    target = workspace.folder("previews", "abc")
    with new_folder(target) as folder:
        (folder / "file.txt").write_text("half")
        assert not workspace.has("previews", "abc")
        assert not target.exists()
        assert workspace.ids("previews") == []
        write_json(folder / MANIFEST, manifest_of("previews", {}, {}))
    assert workspace.has("previews", "abc")
    assert names(target) == ["file.txt", MANIFEST]
    assert names(target.parent) == ["abc"]


def test_an_error_inside_leaves_nothing(workspace) -> None:
    target = workspace.folder("previews", "abc")
    with pytest.raises(ZeroDivisionError), new_folder(target) as folder:
        1 / (folder / "file.txt").write_text("")
    assert names(target.parent) == []


def test_whoever_comes_second_leaves_what_is_there(workspace) -> None:
    target = workspace.folder("previews", "abc")
    with new_folder(target) as late:
        make(workspace, "abc", text="first")
        write_json(late / MANIFEST, manifest_of("previews", {}, {}))
    assert (target / "file.txt").read_text() == "first"
    assert names(target.parent) == ["abc"]


@pytest.mark.parametrize("writes_before", [0, 1, 2])
def test_a_kill_between_writes_leaves_the_old_whole(workspace, writes_before) -> None:
    """The process ends without any clean-up, as by SIGKILL or a power cut."""
    old = make(workspace, "old")
    code = f"""
import os
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.workspace import Workspace
workspace = Workspace({str(workspace.root)!r})
for id in ("old", "new"):
    try:
        with new_folder(workspace.folder("previews", id)) as folder:
            writes = [
                lambda: (folder / "file.txt").write_text("newer"),
                lambda: write_json(folder / MANIFEST, {{"schema_version": 1}}),
            ]
            for write in writes[:{writes_before}]:
                write()
            if id == "new":
                os._exit(9)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert workspace.ids("previews") == ["old"]
    assert (old / "file.txt").read_text() == "content"
    assert read_manifest(old)["inputs"]["id"] == "old"
    assert not workspace.has("previews", "new")
    assert len(workspace.unfinished()) == 1
    assert len(workspace.discard_unfinished()) == 1
    assert names(old.parent) == ["old"]
    make(workspace, "new")
    assert workspace.ids("previews") == ["new", "old"]


def test_a_kill_while_json_is_written_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"version": "old"})
    code = f"""
import json, os
from pathlib import Path
from fnprune_core.storage import json_files
def dump(value, file, **options):
    file.write('{{"version": "ne')
    file.flush()
    os._exit(9)
json_files.json.dump = dump
json_files.write_json(Path({str(path)!r}), {{"version": "new"}})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert read_json(path) == {"version": "old"}


# Disks and permissions


def full_disk(*args, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        SafetensorError("Error while serializing: I/O error: No space left (os error 28)"),
    ],
)
def test_a_full_disk_is_one_sentence_and_the_workspace_stays_whole(workspace, error) -> None:
    make(workspace, "old")
    message = r"disk .* is full; nothing was changed\. Free some"
    with (
        pytest.raises(StorageError, match=message),
        new_folder(workspace.folder("previews", "new")),
    ):
        raise error
    assert names(workspace.root / "previews") == ["old"]


def test_a_full_disk_at_the_last_sync_is_told_too(workspace, monkeypatch) -> None:
    monkeypatch.setattr(folders.os, "fsync", full_disk)
    with pytest.raises(StorageError, match="is full"):
        make(workspace, "new")
    assert names(workspace.root / "previews") == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_no_permission_says_where_else_to_go(workspace, number) -> None:
    with (
        pytest.raises(StorageError, match=r"No permission to write.*--workspace"),
        new_folder(workspace.folder("previews", "new")),
    ):
        raise OSError(number, "no")


def test_a_file_in_the_place_of_the_workspace_is_told(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is where a folder is needed"):
        make(Workspace(tmp_path / "file"), "new")


def test_space_is_checked_before_a_folder_exists(tmp_path) -> None:
    check_free_space(tmp_path / "not" / "yet", 1)
    with pytest.raises(StorageError, match=r"needs 1000000000.0 GB, but .* has .* [GM]B free"):
        check_free_space(tmp_path / "not" / "yet", 10**18)


# Ids


def test_same_inputs_same_id_in_any_order(workspace) -> None:
    first = artifact_id("previews", {"a": 1, "b": [1, 2]})
    assert first == artifact_id("previews", {"b": [1, 2], "a": 1})
    assert len(first) == 16
    others = [
        artifact_id("previews", {"a": 2, "b": [1, 2]}),
        artifact_id("previews", {"a": 1, "b": [2, 1]}),
        artifact_id("evaluations", {"a": 1, "b": [1, 2]}),
    ]
    assert len({first, *others}) == 4


def test_another_schema_version_is_another_id(monkeypatch) -> None:
    before = artifact_id("previews", {})
    monkeypatch.setattr(manifests, "SCHEMA_VERSION", 2)
    assert artifact_id("previews", {}) != before


@pytest.mark.parametrize(
    "id", ["", ".", "..", "../plans/abc", "a/b", "/etc", "a\\b", ".unfinished-abc", "a b", "a\0"]
)
def test_what_is_no_id_reaches_no_file(workspace, id) -> None:
    make(workspace, "abc")
    (workspace.root / MANIFEST).write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(ArtifactNotFoundError, match="is not an artifact id"):
        workspace.folder("previews", id)
    assert not workspace.has("previews", id)
    for action in (workspace.existing, workspace.delete):
        with pytest.raises(ArtifactNotFoundError):
            action("previews", id)
    assert workspace.ids("previews") == ["abc"]


def test_an_unknown_kind_is_refused_with_those_there_are(workspace) -> None:
    with pytest.raises(StorageError, match=r"'../plans' is no kind.*recordings"):
        workspace.folder("../plans", "abc")


def test_an_unambiguous_beginning_of_an_id_is_enough(workspace) -> None:
    make(workspace, "abc1")
    make(workspace, "abd2")
    assert workspace.existing("previews", "abc").name == "abc1"
    with pytest.raises(ArtifactNotFoundError, match=r"begins the ids abc1, abd2.*Give more"):
        workspace.existing("previews", "ab")
    make(workspace, "abd")
    assert workspace.existing("previews", "abd").name == "abd"
    with pytest.raises(ArtifactNotFoundError, match="There is no preview 'x'"):
        workspace.existing("previews", "x")


def test_latest_is_the_newest_of_its_kind(workspace) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"There are no previews .* yet"):
        workspace.existing("previews", "latest")
    for id in ("b", "c", "a"):
        make(workspace, id)
    assert workspace.existing("previews", "latest").name == "a"


def test_latest_is_what_was_made_last_after_the_clock_was_set_back(workspace) -> None:
    ahead = make(workspace, "ahead")
    moment = {**read_manifest(ahead), "created": "2999-12-31T23:59:59.999+00:00"}
    write_checked_json(ahead / MANIFEST, moment)
    make(workspace, "damaged")
    (workspace.folder("previews", "damaged") / MANIFEST).write_text("{")
    for id in ("b", "c", "a"):
        make(workspace, id)
        assert workspace.existing("previews", "latest").name == id
    assert [entry.id for entry in workspace.entries("previews")] == ["a", "c", "b", "ahead"]
    assert read_manifest(make(workspace, "x", kind="embeddings"))["created"] < "2999"


def test_a_leftover_of_a_clock_that_was_ahead_is_one_still(workspace) -> None:
    ahead = workspace.folder("previews", "abc").with_name(".unfinished-abc-01234567")
    ahead.mkdir(parents=True)
    os.utime(ahead, (2e9, 2e9))
    assert workspace.unfinished() == [ahead]


# Manifests


def test_a_manifest_says_what_the_artifact_was_made_from(workspace) -> None:
    manifest = read_manifest(make(workspace, "abc"))
    assert manifest["inputs"]["id"] == "abc"
    assert manifest["kind"] == "previews"
    assert {"numpy", "torch", "transformers"} <= set(manifest["versions"])
    assert "T" in manifest["created"]


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_an_unknown_schema_version_is_refused(workspace, version) -> None:
    target = make(workspace, "abc")
    manifest = read_manifest(target)
    write_checked_json(target / MANIFEST, {**manifest, "schema_version": version})
    with pytest.raises(CorruptArtifactError, match=rf"schema version {version}\b.* reads 1"):
        read_manifest(target)
    assert workspace.entries() == []


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[1]", b""])
def test_a_damaged_manifest_is_told_and_listed_apart(workspace, content) -> None:
    make(workspace, "good")
    (make(workspace, "bad") / MANIFEST).write_bytes(content)
    with pytest.raises(CorruptArtifactError):
        read_manifest(workspace.folder("previews", "bad"))
    assert [entry.id for entry in workspace.entries()] == ["good"]
    [damaged] = workspace.damaged()
    assert damaged.id == "bad"
    assert "damaged" in damaged.reason
    workspace.delete("previews", "bad")
    assert workspace.damaged() == []


def test_json_with_nan_is_never_written(tmp_path) -> None:
    write_json(tmp_path / "x.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", float("nan"))
    assert read_json(tmp_path / "x.json") == 1
    assert names(tmp_path) == ["x.json"]


# Listing and deleting


def test_entries_are_those_of_a_kind_newest_first_with_their_size(workspace, monkeypatch) -> None:
    for minute, (kind, id) in enumerate(
        [("previews", "a"), ("embeddings", "b"), ("previews", "c")]
    ):
        target = make(workspace, id, kind=kind, text="x" * 1000)
        manifest = read_manifest(target)
        created = f"2026-01-01T00:0{minute}:00+00:00"
        write_checked_json(target / MANIFEST, {**manifest, "created": created})
    assert [entry.id for entry in workspace.entries()] == ["c", "b", "a"]
    assert [entry.id for entry in workspace.entries("previews")] == ["c", "a"]
    entry = workspace.entries("embeddings")[0]
    manifest_size = (entry.path / MANIFEST).stat().st_size
    assert entry.size_bytes == 1000 + manifest_size
    assert entry.manifest["inputs"]["id"] == "b"
    assert workspace.size_bytes() == sum(e.size_bytes for e in workspace.entries())


def test_an_empty_workspace_has_nothing_and_is_not_made(tmp_path) -> None:
    workspace = Workspace(tmp_path / "none")
    assert workspace.entries() == []
    assert workspace.size_bytes() == 0
    assert len(workspace.discard_unfinished()) == 0
    assert not workspace.root.exists()


def test_delete_removes_one_and_leaves_the_others(workspace) -> None:
    make(workspace, "abc")
    make(workspace, "abd")
    workspace.delete("previews", "abc")
    assert names(workspace.root / "previews") == ["abd"]
    with pytest.raises(ArtifactNotFoundError):
        workspace.delete("previews", "abc")


def test_a_delete_that_fails_midway_leaves_no_half_artifact(workspace, monkeypatch) -> None:
    make(workspace, "abc")

    def fail(path, **options):
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(folders.shutil, "rmtree", fail)
        with pytest.raises(OSError, match="input/output"):
            workspace.delete("previews", "abc")
    assert workspace.ids("previews") == []
    assert len(workspace.discard_unfinished()) == 1


def test_unfinished_work_counts_in_the_size_and_goes_when_discarded(workspace) -> None:
    make(workspace, "abc")
    before = workspace.size_bytes()
    stopped = workspace.resumable_folder("recordings", "def")
    stopped.mkdir(parents=True)
    (stopped / "signals").write_bytes(b"0" * 500)
    assert workspace.ids("recordings") == []
    assert workspace.size_bytes() == before + 500
    assert workspace.unfinished() == [stopped]
    assert len(workspace.discard_unfinished()) == 1
    assert workspace.size_bytes() == before


def test_work_that_runs_is_not_discarded(workspace) -> None:
    """`workspace clean` once deleted what the app was writing at that moment."""
    resumable = workspace.resumable_folder("recordings", "def")
    resumable.mkdir(parents=True)
    with exclusive(resumable, what="This recording"):
        with new_folder(workspace.folder("previews", "abc")) as folder:
            assert len(workspace.discard_unfinished()) == 0
            assert folder.is_dir()
            write_json(folder / MANIFEST, manifest_of("previews", {}, {}))
        assert resumable.is_dir()
    assert workspace.has("previews", "abc")
    assert len(workspace.discard_unfinished()) == 1


def test_what_a_killed_process_left_goes_with_the_next_of_its_kind(workspace, tmp_path) -> None:
    code = f"""
import os
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.workspace import Workspace
workspace, kept = Workspace({str(workspace.root)!r}), []
for target in (workspace.folder("previews", "a"), workspace.folder("layouts", "b"),
               workspace.root.parent / "out"):
    kept.append(new_folder(target))
    (kept[-1].__enter__() / "half").write_text("half")
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    resumable = workspace.resumable_folder("previews", "other")
    (resumable / "part").mkdir(parents=True)
    make(workspace, "c")
    assert names(workspace.root / "previews") == [resumable.name, "c"]
    assert len(names(workspace.root / "layouts")) == 1  # of another kind
    with new_folder(workspace.root.parent / "out", keeps_existing=False) as folder:
        (folder / "whole").write_text("whole")
    outside = [path.name for path in workspace.root.parent.iterdir() if "out" in path.name]
    assert outside == ["out"]


def test_a_folder_that_another_process_writes_is_refused_and_left(workspace) -> None:
    target = workspace.root / "out"
    with new_folder(target, keeps_existing=False) as first:
        (first / "mine").write_text("mine")
        with (
            pytest.raises(StorageError, match="out is being written by another process"),
            new_folder(target, keeps_existing=False),
        ):
            pass
    assert names(target) == ["mine"]
    assert names(workspace.root) == ["out"]
    with (
        pytest.raises(StorageError, match="filled by something else in the meantime"),
        new_folder(target, keeps_existing=False),
    ):
        pass
    assert names(target) == ["mine"]


def test_a_folder_without_manifest_is_told_and_made_again(workspace) -> None:
    target = make(workspace, "abc")
    (target / MANIFEST).unlink()
    assert workspace.entries() == []
    [damaged] = workspace.damaged()
    assert damaged.reason == f"{target} has no manifest."
    assert "copy, or delete it" in damaged.hint
    make(workspace, "abc", text="again")
    assert (target / "file.txt").read_text() == "again"
    assert workspace.damaged() == []
    (target / MANIFEST).unlink()
    workspace.delete("previews", "abc")
    assert names(target.parent) == []


def test_what_a_newer_version_wrote_is_told_and_not_hidden(workspace) -> None:
    target = make(workspace, "abc")
    write_checked_json(target / MANIFEST, {**read_manifest(target), "schema_version": 7})
    [damaged] = workspace.damaged()
    assert "written by a newer fnprune" in damaged.reason
    assert "Update fnprune" in damaged.hint


def test_a_manifest_without_what_its_kind_holds_is_told(workspace) -> None:
    target = workspace.folder("decompositions", "abc")
    with new_folder(target) as folder:
        write_json(folder / MANIFEST, manifest_of("decompositions", {}, {"recording_id": "abc"}))
    with pytest.raises(CorruptArtifactError, match=r"is damaged: it has no 'fingerprint'"):
        read_manifest(target)


def test_an_artifact_among_another_kind_is_told(workspace) -> None:
    (workspace.root / "layouts").mkdir(parents=True)
    target = make(workspace, "abc").rename(workspace.root / "layouts" / "abc")
    with pytest.raises(CorruptArtifactError, match="of 'previews', but lies among layouts"):
        read_manifest(target)


def test_all_bytes_are_verified(workspace) -> None:
    for id in ("sound", "bad", "lost"):
        make(workspace, id)
    (workspace.folder("previews", "bad") / "file.txt").write_text("c0ntent")
    (workspace.folder("previews", "lost") / MANIFEST).unlink()
    found = {item.id: item for item in workspace.verify()}
    standings = {id: item.standing for id, item in found.items()}
    assert standings == {"sound": "sound", "bad": "damaged", "lost": "damaged"}
    assert found["bad"].problems == ("file.txt is not what was written, from byte 0 on.",)
    assert found["sound"].size_bytes == folders.folder_size(workspace.folder("previews", "sound"))


def test_one_process_at_a_time_makes_a_resumable_artifact(tmp_path) -> None:
    with (
        exclusive(tmp_path, what="This recording"),
        pytest.raises(StorageError, match="This recording is being made by another process"),
        exclusive(tmp_path, what="This recording"),
    ):
        pass
    with exclusive(tmp_path, what="This recording"):
        pass  # released, though the error came first


def test_of_two_who_delete_one_item_at_once_neither_sees_an_error(workspace, monkeypatch) -> None:
    make(workspace, "old")
    rename = Path.rename

    def second(folder: Path, target: Path) -> None:
        monkeypatch.undo()
        workspace.delete("previews", "old")  # between the look and the rename of the first
        rename(folder, target)

    monkeypatch.setattr(Path, "rename", second)
    workspace.delete("previews", "old")
    assert names(workspace.root / "previews") == []


def test_a_full_disk_is_told_by_the_first_lock_already(tmp_path, monkeypatch) -> None:
    """Nothing was written yet but the number of this process: a lesion study ended in a trace."""
    monkeypatch.setattr(folders.os, "pwrite", full_disk)
    with (
        pytest.raises(StorageError, match="is full"),
        exclusive(tmp_path, what="This study"),
    ):
        pass


def test_a_folder_whose_maker_is_about_to_lock_it_is_nobodys_leftover(workspace) -> None:
    young = workspace.folder("previews", "abc").with_name(".unfinished-abc-01234567")
    young.mkdir(parents=True)
    (young / ".lock").touch()
    assert workspace.unfinished() == []
    with exclusive(young, what="abc"):
        assert workspace.unfinished() == []
    assert workspace.unfinished() == [young]  # its maker was stopped


def test_listing_while_others_make_and_delete(workspace) -> None:
    failures: list[BaseException] = []
    done = threading.Event()

    def churn(name: str) -> None:
        try:
            for i in range(40):
                make(workspace, f"{name}{i}")
                workspace.delete("previews", f"{name}{i}")
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    def look() -> None:
        try:
            while not done.is_set():
                workspace.entries()
                workspace.size_bytes()
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    churners = [threading.Thread(target=churn, args=(name,)) for name in "ab"]
    looker = threading.Thread(target=look)
    for thread in (looker, *churners):
        thread.start()
    for thread in churners:
        thread.join()
    done.set()
    looker.join()
    assert failures == []
    assert workspace.size_bytes() == 0


def test_the_default_is_the_environments_or_the_users(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("FNPRUNE_WORKSPACE", str(tmp_path / "mine"))
    assert Workspace.default().root == tmp_path / "mine"
    monkeypatch.delenv("FNPRUNE_WORKSPACE")
    monkeypatch.setattr(folders.platformdirs, "user_data_dir", lambda name: f"/data/{name}")
    assert Workspace.default().root == Path("/data/fnprune")


def test_every_kind_has_a_folder_of_its_own(workspace) -> None:
    parents = {workspace.folder(kind, "abc").parent for kind in KINDS}
    assert len(parents) == len(KINDS)
