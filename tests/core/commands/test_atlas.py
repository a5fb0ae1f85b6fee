import json

import pytest
import tiny

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.annotations import annotate, read_annotations
from fnprune_core.cli import main
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning


@pytest.fixture
def fnprune(workspace, monkeypatch, capsys):
    """Run a command on the workspace; return the JSON that it prints."""

    def run(*words: str):
        monkeypatch.setattr("sys.argv", ["fnprune", *words, "-w", str(workspace.root), "--json"])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code, json.loads(capsys.readouterr().out)

    return run


def test_commands_apply_match_and_carry(fnprune, workspace, recording, record_windows, llama):
    with pytest.warns(NotConvergedWarning):
        atlas = group_ica.decompose(
            workspace, recording.id, settings=GroupICA(n_components=4, n_runs=1, max_iter=5)
        )
    other = record_windows(llama, tiny.toy_windows((32,) * 6, seed=7))
    code, applied = fnprune("apply", atlas, other.id, "--keep-maps")
    assert (code, applied["applied_from"], applied["r_of_maps"]) == (0, atlas, [1.0] * 4)
    annotate(workspace, network_atlas.open_atlas(workspace, atlas), 3, Annotation(name="late"))
    code, found = fnprune("match", applied["id"], atlas, "--carry", "--threshold", "0.9")
    assert [(p["network"], p["partner"], p["is_same"]) for p in found["pairs"]] == [
        (k, k, True) for k in range(4)
    ]
    assert found["likeness"] is None  # other texts
    assert [row["kind"] for row in found["random_directions"]] == ["permuted", "rotated"]
    assert found["carried"] == {"n_identities": 4, "n_names": 1, "left_behind": []}
    assert read_annotations(workspace, applied["id"]).of(3).name == "late"
    code, found = fnprune("match", atlas, atlas, "--by", "courses", "--null", "19")
    assert (found["by"], found["likeness"]["p"]) == ("time courses", 0.05)
    assert not any(pair["is_same"] for pair in found["pairs"])
    code, failed = fnprune("match", atlas, applied["id"], "--by", "courses")
    assert code == 2
    assert "no text in common" in failed["error"]["message"]


def test_directions_stand_beside_windows_and_states(fnprune, workspace, recording):
    with pytest.warns(NotConvergedWarning):
        atlas = group_ica.decompose(
            workspace, recording.id, settings=GroupICA(n_components=4, n_runs=1, max_iter=5)
        )
    code, found = fnprune("directions", atlas, "--over-time")
    assert (code, list(found["totals"])) == (0, ["networks", "permuted", "rotated", "shifted"])
    code, without = fnprune("directions", atlas)
    for of, figures in without["totals"].items():
        assert "changes" not in figures
        assert figures.items() <= found["totals"][of].items()
