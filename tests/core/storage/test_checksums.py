import json

import numpy as np
import pytest

from fnprune_core.errors import CorruptArtifactError
from fnprune_core.storage import checksums
from fnprune_core.storage.checksums import BLOCK, MANIFEST, Blocks, checked, damages
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import (
    read_checked_json,
    read_json,
    write_checked_json,
    write_json,
)
from fnprune_core.storage.manifests import manifest_of, read_manifest


@pytest.fixture
def artifact(workspace):
    """A folder with a file of two and a half blocks, and a small one in a folder of its own."""
    target = workspace.folder("exports", "abc")
    content = np.random.default_rng(0).integers(0, 256, 5 * BLOCK // 2, dtype=np.uint8)
    with new_folder(target) as folder:
        (folder / "large").write_bytes(content.tobytes())
        (folder / "inner").mkdir()
        (folder / "inner" / "small").write_text("text")
        write_json(folder / MANIFEST, manifest_of("exports", {}, {}))
    return target


def change(path, position) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        [byte] = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def test_what_is_published_has_sums_of_all_its_files(artifact) -> None:
    manifest = read_manifest(artifact)
    assert set(manifest["files"]) == {"large", "inner/small"}
    assert manifest["files"]["large"]["bytes"] == 5 * BLOCK // 2
    assert len(manifest["files"]["large"]["xxh3"]) == 3
    assert damages(artifact, manifest) == []
    assert checked(artifact, manifest, "large") == artifact / "large"


@pytest.mark.parametrize("position", [0, BLOCK - 1, BLOCK, 5 * BLOCK // 2 - 1])
def test_one_bit_anywhere_is_found(artifact, position) -> None:
    manifest = read_manifest(artifact)
    change(artifact / "large", position)
    with pytest.raises(CorruptArtifactError, match=r"large is damaged.*Bring it back"):
        checked(artifact, manifest, "large")
    [told] = damages(artifact, manifest)
    assert told == f"large is not what was written, from byte {position // BLOCK * BLOCK:,} on."


def test_a_file_that_is_gone_shorter_or_none_of_ours_is_told(artifact) -> None:
    manifest = read_manifest(artifact)
    (artifact / "inner" / "small").write_text("tex")
    assert damages(artifact, manifest) == ["inner/small is not what was written, from byte 0 on."]
    (artifact / "large").unlink()
    with pytest.raises(CorruptArtifactError, match="large is missing"):
        checked(artifact, manifest, "large")
    assert "large is missing." in damages(artifact, manifest)
    (artifact / "other").write_text("")
    with pytest.raises(CorruptArtifactError, match="expected none"):
        checked(artifact, manifest, "other")


def test_only_the_blocks_that_are_asked_for_are_read_and_each_once(artifact, monkeypatch) -> None:
    hashed = []
    real = checksums.xxhash.xxh3_64_hexdigest

    def counted(content):
        hashed.append(len(content))
        return real(content)

    manifest = read_manifest(artifact)
    monkeypatch.setattr(checksums.xxhash, "xxh3_64_hexdigest", counted)
    change(artifact / "large", 2 * BLOCK)  # in the last block, which nobody asks for yet
    blocks = Blocks(artifact / "large", manifest)
    blocks.check(10, 20)
    assert hashed == [BLOCK]
    blocks.check(BLOCK - 1, BLOCK + 1)
    assert hashed == [BLOCK, BLOCK]
    Blocks(artifact / "large", manifest).check(0, 2 * BLOCK)
    assert hashed == [BLOCK, BLOCK]
    with pytest.raises(CorruptArtifactError, match=f"byte {2 * BLOCK:,}"):
        blocks.check(0, 2 * BLOCK + 1)
    blocks.check(5, 5)  # nothing of it is read


def test_what_was_written_before_the_first_release_is_refused_with_the_way_out(artifact) -> None:
    manifest = read_json(artifact / MANIFEST)
    kept = {k: v for k, v in manifest.items() if k not in ("files", "checksum", "id")}
    write_json(artifact / MANIFEST, kept)
    with pytest.raises(CorruptArtifactError, match="before the first release") as refused:
        read_manifest(artifact)
    assert "--workspace" in refused.value.hint


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m["inputs"].update(x=1),
        lambda m: m["files"]["large"].update(bytes=1),
        lambda m: m.pop("files"),
        lambda m: m.update(checksum="0" * 16),
        lambda m: m.update(created="2020-01-01T00:00:00+00:00"),
        lambda m: m.update(x=float("nan")),
    ],
)
def test_an_edited_manifest_is_told(artifact, edit) -> None:
    manifest = json.loads((artifact / MANIFEST).read_text())
    edit(manifest)
    (artifact / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CorruptArtifactError, match="not what was written"):
        read_manifest(artifact)


def test_sums_without_the_manifests_own_are_told(artifact) -> None:
    manifest = json.loads((artifact / MANIFEST).read_text())
    del manifest["checksum"]
    (artifact / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CorruptArtifactError, match="has lost its checksum"):
        read_manifest(artifact)


def test_a_json_file_of_its_own_is_checked_and_read_without_its_checksum(tmp_path) -> None:
    path, value = tmp_path / "x.json", {"name": "café", "values": [1, 2.5, None]}
    write_checked_json(path, value)
    assert read_checked_json(path) == value
    path.write_text(path.read_text().replace("2.5", "2.6"))
    with pytest.raises(CorruptArtifactError, match="not what was written"):
        read_checked_json(path)
    write_json(path, value)  # as earlier versions did
    assert read_checked_json(path) == value
