"""The search on the command line, on the atlas that the command line's tests share."""

import shutil

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.storage.workspace import Workspace


def test_a_word_a_number_and_a_mistake(program, made) -> None:
    shutil.copytree(made.root / "workspace", program.workspace)
    atlas = open_atlas(Workspace(program.workspace), made.atlas)
    word = str(atlas.tokens["text"].iloc[20]).strip()
    found = program.json("find", made.atlas, word, "--most", "3")["found"]
    assert 1 <= len(found) <= 6
    scores = [row["score"] for row in found if row["kind"] == "network"]
    assert scores == sorted(scores, reverse=True)
    assert all(row["why"] for row in found)
    (row, *_) = program.json("find", "latest", "network 1")["found"]
    assert (row["number"], row["score"]) == (1, 1.0)
    with_model = program.json("find", made.atlas, word, "--model", made.model)["found"]
    assert any("promotes" in reason for row in with_model for reason in row["why"])
    code, _, err = program.run("find", made.atlas, " ")
    assert code == 2
    assert "1 to 120" in err
