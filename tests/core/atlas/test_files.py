import io
import json
from pathlib import Path

import numpy as np
import pytest
import toy_volumes
from toy_volumes import FILES, GRID, NAMES

from fnprune_core.atlas import files
from fnprune_core.atlas.annotation_files import Annotation, Annotations
from fnprune_core.atlas.files import members_table, networks_table, time_courses_csv
from fnprune_core.errors import StorageError
from fnprune_core.storage.workspace import Workspace


def test_folder_of_images_is_a_new_one(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(files, "open_atlas", lambda *_: toy_volumes.atlas())
    monkeypatch.setattr(files, "open_grid", lambda *_: GRID)
    monkeypatch.setattr(files, "network_names", lambda *_: NAMES)
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path / "workspace")
    with pytest.raises(StorageError, match="current folder"):
        files.write_volumes(workspace, "a1", Path(), z=1.0)
    assert Path.cwd() == tmp_path, "the folder we are in is still there"
    monkeypatch.setenv("HOME", str(tmp_path))
    written = files.write_volumes(workspace, "a1", Path("~/images"), z=1.0)
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == sorted(FILES)
    assert all(path.is_file() for path in written)
    assert files.write_volumes(workspace, "a1", Path("images"), z=1.0) == written  # as after a kill
    with pytest.raises(StorageError, match="not empty"):
        files.write_volumes(workspace, "a1", Path("images"), z=2.0)


def test_tables_hold_every_member_and_every_token(atlas) -> None:
    members = members_table(atlas, z=2.0)
    assert len(members) == atlas.membership(z=2.0).sum()
    units = atlas.layout.flat(members["layer"].to_numpy(), members["unit"].to_numpy())
    assert np.array_equal(atlas.maps[members["network"], units], members["z"])
    said_of = Annotations(networks={1: Annotation(name="=1+1", note="-x", tags=("t",))})
    table = networks_table(atlas, ["=1+1"] * atlas.n_networks, said_of, z=2.0)
    assert table.loc[1, ["name", "note", "tags"]].tolist() == ["=1+1", "-x", "t"]
    assert table["units"].tolist() == atlas.membership(z=2.0).sum(axis=1).tolist()


def test_time_courses_come_back_with_tokens_of_any_kind(atlas) -> None:
    import pandas as pd

    atlas.tokens["text"] = atlas.tokens["text"].astype(object)
    atlas.tokens.loc[:2, "text"] = ['"', "=\n", " ,"]
    text = "".join(time_courses_csv(atlas, [2, 0]))
    found = pd.read_csv(io.StringIO(text))
    assert [json.loads(token) for token in found["token"]] == atlas.tokens["text"].tolist()
    assert np.allclose(found[["network_2", "network_0"]], atlas.time_courses[[2, 0]].T, rtol=1e-5)
    assert np.array_equal(found["is_dummy"], atlas.is_dummy)
