"""Names on the command line: out, back, and to the networks that they were given to."""

import json
import shutil

import pytest
from moved_atlas import NUMBERS, make_anew

from fnprune_core.atlas import annotations
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.planner import plan as make_plan
from fnprune_core.storage.workspace import Workspace


@pytest.fixture
def atlas(program, made) -> str:
    """The id of an atlas with two names, in the workspace of the command line."""
    shutil.copytree(made.root / "workspace", program.workspace)
    workspace = Workspace(program.workspace)
    opened_atlas = open_atlas(workspace, made.atlas)
    for network in (0, 3):
        annotations.annotate(workspace, opened_atlas, network, Annotation(name=f"was {network}"))
    return made.atlas


def given(program, atlas) -> dict[str, str]:
    return {k: row["name"] for k, row in program.json("names", "show", atlas)["networks"].items()}


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_names_come_back_from_their_file(program, atlas, tmp_path, kind) -> None:
    file = tmp_path / f"names.{kind}"
    assert program.json("names", "export", atlas, file)["networks"] == 2
    code, _, err = program.run("names", "export", atlas, file)
    assert code == 2
    assert "exists" in err
    annotations.path_of(Workspace(program.workspace), atlas).unlink()
    assert given(program, atlas) == {}
    taken = program.json("names", "import", atlas, file)
    assert (taken["fit"], taken["taken"]) == ("same", 2)
    assert given(program, atlas) == {"0": "was 0", "3": "was 3"}
    assert "was 3" in program("names", "show", atlas)


def test_moved_names_are_refused_then_matched_or_taken_by_number(program, atlas, tmp_path) -> None:
    file = tmp_path / "names.json"
    program("names", "export", "latest", file)
    workspace = Workspace(program.workspace)
    annotations.path_of(workspace, atlas).unlink()
    make_anew(workspace, atlas)
    code, _, err = program.run("names", "import", atlas, file)
    assert code == 2
    assert "3 is 4 here" in err
    assert "--match" in err
    assert given(program, atlas) == {}
    taken = program.json("names", "import", atlas, file, "--match")
    assert (taken["fit"], taken["taken"], taken["left_behind"]) == ("moved", 2, [])
    assert given(program, atlas) == {"0": "was 0", str(NUMBERS[3]): "was 3"}
    annotations.path_of(workspace, atlas).unlink()
    program("names", "import", atlas, file, "--by-number")
    assert given(program, atlas) == {"0": "was 0", "3": "was 3"}
    code, _, err = program.run("names", "import", atlas, file, "--by-number", "--match")
    assert code == 2
    assert "exclude" in err


def test_stored_names_are_brought_along_by_a_match(program, atlas) -> None:
    make_anew(Workspace(program.workspace), atlas)
    code, _, err = program.run("names", "show", atlas)
    assert code == 2
    assert f"fnprune names match {atlas}" in err
    assert program.json("names", "match", atlas)["named"] == 2
    assert given(program, atlas) == {"0": "was 0", str(NUMBERS[3]): "was 3"}


def test_a_file_that_does_not_hold_its_maps_is_not_matched(program, atlas, tmp_path) -> None:
    file = tmp_path / "names.json"
    program("names", "export", atlas, file)
    value = json.loads(file.read_text())
    del value["maps_fingerprint"]
    file.write_text(json.dumps(value))
    code, _, err = program.run("names", "import", atlas, file)
    assert code == 2
    assert "--by-number" in err
    code, _, err = program.run("names", "import", atlas, file, "--match")
    assert code == 2
    assert "nothing to match" in err
    program("names", "import", atlas, file, "--by-number")
    for wrong, words in ((tmp_path / "none.json", "cannot be read"), (tmp_path, "cannot be read")):
        code, _, err = program.run("names", "import", atlas, wrong)
        assert code == 2
        assert words in err
    code, _, err = program.run("names", "export", atlas, tmp_path / "names.txt")
    assert code == 2
    assert "neither .json nor .csv" in err


def test_a_plan_is_imported_with_the_numbers_here(program, atlas, made, tmp_path) -> None:
    from fnprune_core.models.loading import load_model
    from fnprune_core.plans.files import open_plan

    workspace = Workspace(program.workspace)
    id = make_plan(
        workspace, load_model(made.model), recording_id=made.recording, decomposition_id=atlas,
        settings=PlanSettings(preserved=(0, 1, 3), compensation="none", sink_units=1),
    )  # fmt: skip
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(open_plan(workspace, id).to_json()))
    make_anew(workspace, atlas)
    words = ("import", file, "--model", made.model)
    code, _, err = program.run("prune", file, "--model", made.model)
    assert code == 2
    assert "fnprune import PLAN --match" in err
    code, _, err = program.run(*words)
    assert code == 2
    assert program.json(*words, "--match")["preserved"] == [0, 2, 4]
    assert program.json(*words, "--keep")["preserved"] == [0, 1, 3]
    code, _, err = program.run(*words, "--keep", "--match")
    assert code == 2
    assert "exclude" in err
