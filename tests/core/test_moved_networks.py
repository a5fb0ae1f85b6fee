"""An id and a number mean one network: what refers to networks tells where the numbers moved."""

import json
from dataclasses import replace

import numpy as np
import pytest
from lesioned import SETTINGS, each_network
from moved_atlas import NUMBERS, ORDER, make_anew
from toy_localizer import QUICK, toy

from fnprune_core.atlas import annotations
from fnprune_core.atlas.annotation_files import Annotation, parse, to_csv, to_json
from fnprune_core.atlas.files import network_names
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.decomposition.numbering import fingerprint_at
from fnprune_core.errors import NetworksMovedError, PlanError
from fnprune_core.evaluation.compare import evaluation_windows
from fnprune_core.evaluation.generation import Prompt, Sampling
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import Lesion, domain_stimuli
from fnprune_core.lesions.stored import open_lesions
from fnprune_core.lesions.writing import WritingOrder, open_lesion_text, write_under_lesion
from fnprune_core.localizers.run import localize, open_localizer
from fnprune_core.models.loading import load_model
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.pruning.importing import import_plan
from fnprune_core.pruning.planner import plan as make_plan
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import read_documents


@pytest.fixture
def here(example, fresh) -> Workspace:
    return Workspace(fresh)


@pytest.fixture
def model(example):
    return load_model(example.model)


def given(workspace, atlas_id: str) -> dict[int, str]:
    return {
        k: a.name for k, a in annotations.read_annotations(workspace, atlas_id).networks.items()
    }


def test_stored_names_are_shown_of_no_wrong_network_and_matched_by_maps(here, example) -> None:
    atlas = open_atlas(here, example.atlas)
    for k in range(1, 5):
        annotations.annotate(here, atlas, k, Annotation(name=f"was {k}"))
    make_anew(here, example.atlas)
    moved = open_atlas(here, example.atlas)
    assert given(here, example.atlas) == {}
    assert not any(name.startswith("was ") for name in network_names(here, moved))
    with pytest.raises(NetworksMovedError, match="nothing was changed"):
        annotations.annotate(here, moved, 0, Annotation(name="new"))
    stored, moves = annotations.match_stored(here, moved)
    assert not moves.is_in_place
    wanted = {NUMBERS[k]: f"was {k}" for k in range(1, 5)}
    assert {k: a.name for k, a in stored.networks.items()} == wanted
    assert given(here, example.atlas) == wanted
    copies = list((here.root / "annotations").glob("*-before-match-*.json"))
    assert len(copies) == 1
    assert set(json.loads(copies[0].read_text())["networks"]) == {"1", "2", "3", "4"}
    annotations.match_stored(here, moved)  # a second time moves nothing
    assert given(here, example.atlas) == wanted


def test_names_of_before_have_no_fingerprint_and_are_taken_as_they_are(here, example) -> None:
    atlas = open_atlas(here, example.atlas)
    annotations.annotate(here, atlas, 1, Annotation(name="mine"))
    path = annotations.path_of(here, example.atlas)
    value = json.loads(path.read_text())
    del value["checksum"]
    assert value.pop("maps_fingerprint") == atlas.maps_fingerprint.to_json()
    write_json(path, value)
    assert given(here, example.atlas) == {1: "mine"}


@pytest.mark.parametrize("to_text", [to_json, to_csv])
def test_a_file_of_names_is_not_taken_for_one_of_this_atlas(here, example, to_text) -> None:
    atlas = open_atlas(here, example.atlas)
    for k in range(1, 5):
        annotations.annotate(here, atlas, k, Annotation(name=f"was {k}"))
    said = annotations.with_maps(annotations.read_annotations(here, atlas.id), atlas)
    file = parse(to_text(said).encode())
    assert annotations.check_import(file, atlas).fit == "same"
    make_anew(here, example.atlas)
    annotations.path_of(here, example.atlas).unlink()
    moved = open_atlas(here, example.atlas)
    check = annotations.check_import(file, moved)
    assert check.fit == "moved"
    assert check.renumbering.numbers == {k: NUMBERS[k] for k in range(1, 5)}
    annotations.merge(here, moved, file, numbers=check.renumbering.numbers)
    assert given(here, example.atlas) == {NUMBERS[k]: f"was {k}" for k in range(1, 5)}


def test_a_plan_brings_the_networks_that_it_meant(here, example, model, tmp_path) -> None:
    id = make_plan(
        here, model, recording_id=example.recording, decomposition_id=example.atlas,
        settings=PlanSettings(preserved=(0, 1, 3), compensation="none", sink_units=1),
    )  # fmt: skip
    plan = open_plan(here, id)
    assert PruningPlan.from_json(plan.to_json()).maps_fingerprint == plan.maps_fingerprint
    assert plan.maps_fingerprint == fingerprint_at(here, example.atlas)
    file = tmp_path / "plan.json"
    write_json(file, plan.to_json())
    assert open_plan(here, import_plan(here, model, file)).preserved == (0, 1, 3)
    make_anew(here, example.atlas)
    with pytest.raises(NetworksMovedError, match="otherwise: 4 of 6") as caught:
        import_plan(here, model, file)
    assert caught.value.can_match
    matched = open_plan(here, import_plan(here, model, file, networks="match"))
    assert matched.preserved == matched.settings.preserved == (0, 2, 4)
    assert matched.maps_fingerprint == fingerprint_at(here, example.atlas)
    np.testing.assert_array_equal(matched.keep, plan.keep)
    kept = open_plan(here, import_plan(here, model, file, networks="keep"))
    assert kept.preserved == (0, 1, 3)
    make_anew(here, example.atlas, order=range(6), lost=2)
    with pytest.raises(PlanError, match="cannot all be matched"):
        import_plan(here, model, file, networks="match")


def test_a_plan_without_fingerprint_is_read_and_a_damaged_one_is_told(here, example, model) -> None:
    id = make_plan(
        here, model, recording_id=example.recording, decomposition_id=example.atlas,
        settings=PlanSettings(compensation="none", sink_units=1),
    )  # fmt: skip
    value = open_plan(here, id).to_json()
    with pytest.raises(PlanError, match="fingerprint of the maps is damaged"):
        PruningPlan.from_json({**value, "maps_fingerprint": {"0": "x"}})
    del value["maps_fingerprint"]
    before = PruningPlan.from_json(value)
    assert before.to_json() == value


def test_a_localizer_keeps_its_answer_to_each_network(here, example, model) -> None:
    id = localize(here, model, example.atlas, toy(), settings=QUICK)
    before = open_localizer(here, id)
    make_anew(here, example.atlas)
    with pytest.raises(NetworksMovedError, match="numbers the networks") as caught:
        open_localizer(here, id)
    assert caught.value.can_match
    after = open_localizer(here, id, match=True)
    np.testing.assert_array_equal(after.strengths, before.strengths[list(ORDER)])
    effects = before.networks.effect[list(ORDER)]
    np.testing.assert_allclose(after.networks.effect, effects, rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(after.units.effect, before.units.effect)
    make_anew(here, example.atlas, order=range(6), lost=0)
    with pytest.raises(NetworksMovedError, match="other networks than") as caught:
        open_localizer(here, id, match=True)
    assert not caught.value.can_match


def test_a_turned_network_answers_with_the_other_sign(here, example, model) -> None:
    id = localize(here, model, example.atlas, toy(), settings=QUICK)
    before = open_localizer(here, id)
    folder = here.folder("decompositions", example.atlas)
    atlas = open_atlas(here, example.atlas).decomposition
    sign = np.array([1, 1, -1, 1, 1, 1], dtype=np.float32)[:, None]
    inputs = json.loads((folder / MANIFEST).read_text())["inputs"]
    turned = replace(
        atlas, spatial_maps=atlas.spatial_maps * sign, time_courses=atlas.time_courses * sign
    )
    here.delete("decompositions", example.atlas)
    turned.save(folder, inputs)
    after = open_localizer(here, id, match=True)
    np.testing.assert_array_equal(after.strengths, before.strengths * sign)


@pytest.fixture
def stimuli(example, model):
    documents = read_documents(str(example.held_out), domain_column="topic")
    return domain_stimuli(evaluation_windows(model, documents, window=16, max_windows=16))


def test_lesions_are_of_the_networks_that_were_silenced(here, example, model, stimuli) -> None:
    order = LesionOrder(decomposition_id=example.atlas, lesions=each_network(6), settings=SETTINGS)
    id = lesion_study(here, model, stimuli, order=order)
    before = open_lesions(here, id)
    make_anew(here, example.atlas)
    with pytest.raises(NetworksMovedError, match="numbers the networks"):
        open_lesions(here, id)
    with pytest.raises(NetworksMovedError):  # the id finds it, and says what it is
        lesion_study(here, model, stimuli, order=order)
    after = open_lesions(here, id, match=True)
    assert [lesion.networks for lesion in after.lesions] == [(NUMBERS[k],) for k in range(6)]
    np.testing.assert_array_equal(after.nll, before.nll)
    # What it read under network 1 is not taken over for a network that is now called so.
    one = replace(order, lesions=(Lesion(networks=(1,)),))
    anew = open_lesions(here, lesion_study(here, model, stimuli, order=one))
    assert anew.n_units[0] == before.n_units[2]
    np.testing.assert_allclose(anew.nll[0, 0], before.nll[2, 0], rtol=1e-6)


def test_a_text_under_a_lesion_is_of_its_network(here, example, model) -> None:
    order = WritingOrder(
        decomposition_id=example.atlas,
        lesion=Lesion(networks=(1,)),
        prompt=Prompt(text="aq gy"),
        settings=SETTINGS,
        sampling=Sampling(max_new_tokens=4),
    )
    id = write_under_lesion(here, model, order)
    assert open_lesion_text(here, id)[0].networks == (1,)
    make_anew(here, example.atlas)
    with pytest.raises(NetworksMovedError):
        open_lesion_text(here, id)
    assert open_lesion_text(here, id, match=True)[0].networks == (2,)
