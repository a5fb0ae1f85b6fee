import json
import shutil
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import tiny
from moved_atlas import make_anew

from fnprune_core.atlas import embedding, network_atlas
from fnprune_core.atlas.embedding import embed, has_embedding
from fnprune_core.cli import main
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import CorruptArtifactError, NotConvergedWarning, SettingsError
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.reliability import assess
from fnprune_core.reliability.reference import TrustSettings
from fnprune_core.storage.workspace import Workspace

QUICK = TrustSettings(n_seeds=2, n_bootstraps=2, n_splits=1, n_null_seeds=2, n_null_splits=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> tuple[Workspace, str]:
    """A workspace with an atlas of 4 networks in a recording of 6 documents."""
    workspace = Workspace(tmp_path_factory.mktemp("assessing") / "workspace")
    recording = record.record_texts(
        workspace,
        tiny.tiny_language_model("Llama"),
        tiny.toy_documents(n_per_domain=3, n_words=130),
        settings=RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        settings = GroupICA(n_components=4, n_runs=1, max_iter=60)
        return workspace, group_ica.decompose(workspace, recording, settings=settings)


@pytest.fixture
def at_hand(prepared, tmp_path) -> tuple[Workspace, str]:
    """A copy of it, in which nothing was measured yet."""
    shutil.copytree(prepared[0].root, tmp_path / "copy")
    return Workspace(tmp_path / "copy"), prepared[1]


def test_every_part_is_measured_saved_and_found_again(at_hand, monkeypatch) -> None:
    workspace, atlas = at_hand
    seen: list[assess.Measured] = []
    made = assess.assess(workspace, atlas, settings=QUICK, on_partial=seen.append)
    assert list(made.ids) == list(assess.PARTS)
    assert not made.skipped
    assert [each.part for each in seen if each.is_whole] == list(assess.PARTS)
    found = assess.open_assessment(workspace, atlas, settings=QUICK)
    for part, result in ((each.part, each.result) for each in seen if each.is_whole):
        stored = getattr(found, part)
        for field in result.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(stored, field), getattr(result, field))
    monkeypatch.setattr(assess, "open_study", None)  # would fail if anything were done anew
    assert assess.assess(workspace, atlas, settings=QUICK) == made
    table = assess.trust_table(network_atlas.open_atlas(workspace, atlas), found)
    assert {"reproducibility", "again_seeds", "again_bootstrap", "kurtosis"} <= set(table)
    assert not table.isna().drop(columns="reproducibility_sd").to_numpy().any()


def test_a_stop_keeps_the_parts_that_are_whole(at_hand) -> None:
    workspace, atlas = at_hand
    cancel = CancelToken()

    def stop_in_bootstrap(measured: assess.Measured) -> None:
        if measured.part == "bootstrap":
            cancel.cancel()

    with pytest.raises(Cancelled):
        assess.assess(
            workspace, atlas, settings=TrustSettings(n_seeds=2, n_bootstraps=6, n_splits=1),
            on_partial=stop_in_bootstrap, cancel=cancel,
        )  # fmt: skip
    settings = TrustSettings(n_seeds=2, n_bootstraps=6, n_splits=1)
    found = assess.assessment_ids(workspace, atlas, settings=settings)
    assert list(found) == ["halves", "rotated", "members", "seeds"]
    assert not workspace.unfinished()


def test_other_settings_are_another_assessment_of_their_part_alone(at_hand) -> None:
    workspace, atlas = at_hand
    ids = assess.assess(workspace, atlas, parts=["seeds", "halves"], settings=QUICK).ids
    more = TrustSettings(n_seeds=3, n_bootstraps=2, n_splits=1, n_null_seeds=2, n_null_splits=1)
    other = assess.assess(workspace, atlas, parts=["seeds", "halves"], settings=more).ids
    assert other["seeds"] != ids["seeds"]
    assert other["halves"] == ids["halves"]


def test_halves_of_before_say_that_random_rotations_are_missing_and_how_to_have_them(
    at_hand, capsys, monkeypatch
) -> None:
    workspace, atlas = at_hand
    assess.assess(workspace, atlas, parts=["halves"], settings=TrustSettings())
    words = ["fnprune", "trust", atlas, "--parts", "halves", "--workspace", str(workspace.root)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit):
        main()
    out = " ".join(capsys.readouterr().out.split())
    assert "Of random directions: not measured yet." in out
    assert f"fnprune trust {atlas} --parts rotated" in out
    assert assess.open_assessment(workspace, atlas).recurrence is None


def test_too_few_documents_skip_halves_alone(at_hand, monkeypatch) -> None:
    monkeypatch.setattr("fnprune_core.reliability.resampling.LEAST_DOCUMENTS", 99)
    monkeypatch.setattr("fnprune_core.reliability.measures.LEAST_DOCUMENTS", 99)
    workspace, atlas = at_hand
    made = assess.assess(workspace, atlas, settings=QUICK)
    assert set(made.skipped) == set(assess.NEED_HALVES)
    assert "only 6 of them; it takes 99" in made.skipped["halves"]
    found = assess.open_assessment(workspace, atlas, settings=QUICK)
    assert found.gaussian is not None
    assert not found.gaussian.r.size
    assert ("gaussian", "r") not in found.limits()


def test_a_part_that_fails_leaves_the_later_ones_to_be_measured(at_hand, monkeypatch) -> None:
    def low_rank(study):
        raise SettingsError("A part of the recording has only 3 independent components.")

    parts = {**assess.PARTS, "halves": replace(assess.PARTS["halves"], measure=low_rank)}
    monkeypatch.setattr(assess, "PARTS", parts)
    made = assess.assess(*at_hand, parts=["halves", "seeds"], settings=QUICK)
    assert list(made.ids) == ["seeds"]
    assert "only 3 independent components" in made.skipped["halves"]


def test_unknown_parts_are_refused_before_any_work(at_hand) -> None:
    with pytest.raises(SettingsError, match="vibes is no part"):
        assess.assess(*at_hand, parts=["seeds", "vibes"])


def test_a_damaged_part_says_what_to_do_and_hides_no_other(at_hand) -> None:
    workspace, atlas = at_hand
    parts = ["seeds", "halves"]
    id = assess.assess(workspace, atlas, parts=parts, settings=QUICK).ids["seeds"]
    (workspace.folder("assessments", id) / "trust.safetensors").write_bytes(b"damaged")
    found = assess.open_assessment(workspace, atlas, settings=QUICK)
    assert found.seeds is None
    assert found.halves is not None
    (error,) = assess.unreadable_parts(workspace, atlas, settings=QUICK)
    assert isinstance(error, CorruptArtifactError)
    assert error.hint == "Delete it and measure again."


def test_the_command_prints_every_network_and_why_parts_were_left_out(at_hand, monkeypatch, capsys):
    workspace, atlas = at_hand
    monkeypatch.setattr("fnprune_core.reliability.resampling.LEAST_DOCUMENTS", 99)
    words = ["trust", atlas, "--parts", "halves,seeds", "--workspace", str(workspace.root)]
    for extra in (["--json"], []):
        monkeypatch.setattr(sys, "argv", ["fnprune", *words, *extra])
        with pytest.raises(SystemExit) as stopped:
            main()
        out = capsys.readouterr().out
        assert stopped.value.code == 0
        if extra:
            printed = json.loads(out)
            assert list(printed["ids"]) == ["seeds"]
            assert len(printed["networks"]) == 4
            assert 0 <= printed["networks"][0]["again_seeds"] <= 1
    assert "Halves of the documents" in out
    assert "99" in out


def test_nothing_is_shown_that_was_found_of_other_networks(at_hand, monkeypatch) -> None:
    """An atlas made anew under its id may number them otherwise: measured again, not misread."""
    monkeypatch.setattr(embedding, "place_units", lambda features, **_: features[:, :2])
    monkeypatch.setattr(embedding, "place_networks", lambda d, **_: d[:, :2].astype(np.float32))
    workspace, atlas = at_hand
    made = assess.assess(workspace, atlas, parts=("seeds",), settings=QUICK)
    placed = embed(workspace, atlas)
    assert list(assess.assessment_ids(workspace, atlas, settings=QUICK)) == ["seeds"]
    assert has_embedding(workspace, atlas)
    make_anew(workspace, atlas, order=(1, 0, 3, 2))
    assert assess.assessment_ids(workspace, atlas, settings=QUICK) == {}
    assert not has_embedding(workspace, atlas)
    assert assess.assess(workspace, atlas, parts=("seeds",), settings=QUICK) == made
    assert embed(workspace, atlas) == placed
    assert list(assess.assessment_ids(workspace, atlas, settings=QUICK)) == ["seeds"]
    assert has_embedding(workspace, atlas)
