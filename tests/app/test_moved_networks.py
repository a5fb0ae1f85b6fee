"""Numbers that mean other networks here: told on every page, and matched when asked."""

import pytest
import tiny
from driving import press, said, view
from lesioned import each_network
from moved_atlas import NUMBERS, make_anew
from toy_localizer import QUICK

from app.shell import resources
from app.shell.caches import peaks
from app.shell.view_fields import ViewState, decode, encode
from fnprune_core.atlas import annotation_files, annotations
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.evaluation.compare import evaluation_windows
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import LesionSettings, domain_stimuli
from fnprune_core.localizers import ready_made
from fnprune_core.localizers.run import localize
from fnprune_core.localizers.stimuli import Item, localizer_of
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.planner import plan as make_plan
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import read_documents


@pytest.fixture
def here(example, fresh) -> Workspace:
    return Workspace(fresh)


def labels(at) -> list[str]:
    return [button.label for button in at.button]


@pytest.mark.parametrize("held", [(), ((4, 38661, 1),), ((0, 0, -1), (63, 46079, 1), (7, 35, -1))])
def test_peaks_pass_through_a_link(held) -> None:
    view = ViewState(network=4, peaks=held)
    assert decode(encode(view)) == view


@pytest.mark.parametrize("text", ["x", "4", "4_", "4_-", "_1", "4_A", "4_" + "z" * 40, "-1_2", "."])
def test_peaks_that_make_no_sense_are_left_out(text) -> None:
    assert decode({"peaks": text}).peaks == ()


def test_a_link_carries_its_networks_and_is_matched_where_they_moved(open_page, example, here):
    at = open_page("atlas", **example.view(), network="3", drop="1-2.5")
    assert not at.exception
    assert "other numbers" not in said(at)
    link = encode(view(at))
    assert [peak[0] for peak in view(at).peaks] == [3, 1, 2, 5]
    make_anew(here, example.atlas)
    resources.forget_open()
    there = open_page("atlas", **link)
    assert not there.exception
    assert "3 is 4 here" in said(there)
    press(there, "Match by maps")
    assert not there.exception
    assert view(there).network == NUMBERS[3]
    assert view(there).dropped == tuple(sorted(NUMBERS[k] for k in (1, 2, 5)))
    assert "other numbers" not in said(there)
    kept = open_page("atlas", **link)
    press(kept, "Keep the numbers")
    assert (view(kept).network, view(kept).dropped) == (3, (1, 2, 5))
    assert "other numbers" not in said(kept)
    assert view(kept).peaks == peaks.peaks_of(example.atlas, (3, 1, 2, 5))


def test_a_link_of_before_opens_as_it_did(open_page, example) -> None:
    at = open_page("atlas", **example.view(), network="2")
    assert not at.exception
    assert view(at).network == 2
    assert "other numbers" not in said(at)


def test_names_are_shown_of_no_wrong_network(open_page, example, here) -> None:
    annotations.annotate(here, open_atlas(here, example.atlas), 3, Annotation(name="Digits"))
    make_anew(here, example.atlas)
    at = open_page("files", **example.view(), show="names")
    assert not at.exception
    assert "Until they are matched" in said(at)
    assert not any("Digits" in option for option in at.selectbox[0].options)
    press(at, "Match by maps")
    assert not at.exception
    assert resources.network_name(example.atlas, NUMBERS[3]) == "Digits"
    assert resources.network_name(example.atlas, 3) != "Digits"


def test_an_uploaded_file_of_names_is_matched_by_maps(open_page, example, here) -> None:
    atlas = open_atlas(here, example.atlas)
    annotations.annotate(here, atlas, 3, Annotation(name="Digits"))
    file = annotation_files.to_json(annotations.read_annotations(here, example.atlas))
    annotations.path_of(here, example.atlas).unlink()
    make_anew(here, example.atlas)
    at = open_page("files", **example.view(), show="names")
    upload = at.get("file_uploader")[0]
    upload.set_value(("names.json", file.encode(), "application/json")).run()
    assert "3 is 4 here" in said(at)
    assert at.dataframe[0].value["is here"].tolist() == [NUMBERS[3]]
    press(at, "Import names of 1 network, matched by maps")
    assert not at.exception
    assert resources.network_name(example.atlas, NUMBERS[3]) == "Digits"


def test_a_plan_opens_in_the_lab_with_the_networks_that_it_meant(open_page, example, here) -> None:
    id = make_plan(
        here, load_model(example.model), recording_id=example.recording,
        decomposition_id=example.atlas,
        settings=PlanSettings(preserved=(0, 1, 3, 5), compensation="none", sink_units=1),
    )  # fmt: skip
    make_anew(here, example.atlas)
    at = open_page("plans", **example.view(), plan=id)
    assert not at.exception
    assert "4 of 6 networks have another number" in said(at)
    assert "Open in Prune" not in labels(at)
    press(at, "Match by maps and open in Prune")
    assert not at.exception
    assert view(at).dropped == tuple(sorted((NUMBERS[2], NUMBERS[4])))


def test_results_of_before_are_offered_a_match(open_page, example, here, monkeypatch) -> None:
    items = [
        Item(condition=condition, template=f"{template}", text=f"{word} {other} {word}")
        for condition, word in (("up", "aq"), ("down", "gy"))
        for template in range(6)
        for other in tiny.WORDS[10 + template : 50 : 8]
    ]
    toy = localizer_of(items, name="language", has_templates=True)
    monkeypatch.setattr(ready_made, "load", lambda name: toy)
    model = load_model(example.model)
    localize(here, model, example.atlas, toy, settings=QUICK)
    documents = read_documents(str(example.held_out), domain_column="topic")
    order = LesionOrder(
        decomposition_id=example.atlas,
        lesions=each_network(6),
        settings=LesionSettings(z=1.5, sink_units=1, n_random=2),
    )
    stimuli = domain_stimuli(evaluation_windows(model, documents, window=16, max_windows=16))
    lesion_study(here, model, stimuli, order=order)
    make_anew(here, example.atlas)
    for page in ("localizers", "lesions"):
        at = open_page(page, **example.view())
        assert not at.exception
        assert "4 of 6 networks have another number" in said(at)
        assert not at.get("plotly_chart")
        press(at, "Match by maps")
        assert not at.exception
        assert not at.error
        assert "another number" not in said(at)
        assert at.get("plotly_chart")
