"""The search on the command line, on the atlas that the command line's tests share."""

import shutil

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.storage.workspace import Workspace


def test_a_domain_a_number_and_a_mistake(program, made) -> None:
    shutil.copytree(made.root / "workspace", program.workspace)
    atlas = open_atlas(Workspace(program.workspace), made.atlas)
    share = atlas.domain_share()[:, 0]
    found = program.json("find", made.atlas, atlas.domain_names[0], "--most", "3")["found"]
    networks = [row for row in found if row["kind"] == "network"]
    assert networks[0]["number"] == share.argmax()
    assert any(
        f"{100 * share.max():.0f} % of its energy" in reason for reason in networks[0]["why"]
    )
    scores = [row["score"] for row in networks]
    assert scores == sorted(scores, reverse=True)
    assert len(networks) <= 3
    words = ("find", "latest", "network 1", "--model", made.model)
    (row, *_) = program.json(*words)["found"]
    assert (row["number"], row["score"]) == (1, 1.0)
    assert (program.workspace / "promoted" / f"{atlas.id}.json").is_file()
    code, _, err = program.run("find", made.atlas, " ")
    assert code == 2
    assert "1 to 120" in err
