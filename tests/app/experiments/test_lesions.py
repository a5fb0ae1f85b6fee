from dataclasses import replace

import numpy as np
import pytest
from driving import finish, press, said, view
from lesioned import each_network

from app.experiments.lesions import data as cache
from app.experiments.lesions.figures import EXCESS, lesion_cell, patient_bars, strength_curve
from app.experiments.lesions.matrix import protocol_text
from app.experiments.lesions.matrix_figures import lesion_matrix
from app.figures.markup import signed
from app.figures.theme import READING_ROOM
from app.shell import recipes, resources
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.errors import SettingsError
from fnprune_core.evaluation.compare import evaluation_windows
from fnprune_core.lesions.order import LesionOrder, graded
from fnprune_core.lesions.patients import patients
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import Lesion, LesionSettings, LesionSites, domain_stimuli
from fnprune_core.lesions.stored import lesion_studies, open_lesions
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import read_documents

SETTINGS = LesionSettings(z=1.5, sink_units=1, n_random=2)


@pytest.fixture
def loaded(example, monkeypatch):
    """The example, with its model in memory and short texts in the form."""
    resources.shelf().get(example.model, progress=lambda event: None)
    return example


@pytest.fixture
def studied(loaded, fresh):
    """The example with a matrix of all networks and a curve of one; their ids."""
    workspace, model = Workspace(fresh), resources.language_model(loaded.model)
    documents = [
        replace(each, text=" ".join(each.text.split()[start : start + 20]), name=f"{i} {start}")
        for i, each in enumerate(read_documents(str(loaded.held_out), domain_column="topic"))
        for start in range(0, 100, 20)
    ]
    stimuli = domain_stimuli(evaluation_windows(model, documents, window=16))

    def run(lesions):
        order = LesionOrder(decomposition_id=loaded.atlas, lesions=lesions, settings=SETTINGS)
        return lesion_study(workspace, model, stimuli, order=order)

    return loaded, run(each_network(6)), run(graded((2,), (-1.0, 0.0, 0.5, 1.0)))


def fill(at, example, *, windows=8, domain="topic") -> None:
    """Choose the held-out file and small sizes."""
    at.segmented_control(key="lesions-kind").set_value("Path or data set").run()
    at.text_input(key="lesions-source").set_value(str(example.held_out)).run()
    if domain:
        at.selectbox(key="lesions-domain-column").set_value(domain).run()
    at.number_input(key="lesions-window").set_value(16)
    at.number_input(key="lesions-windows").set_value(windows)
    at.slider(key="lesions-z").set_value(1.5)
    at.number_input(key="lesions-sinks").set_value(1)
    at.number_input(key="lesions-random").set_value(2).run()


def test_a_study_is_run_shown_and_found_again_by_its_link(open_page, loaded) -> None:
    at = open_page("lesions", **loaded.view())
    assert not at.exception
    fill(at, loaded)
    assert any("19 readings" in each.value for each in at.caption)
    assert any("Nothing will be tested in prose, code" in each.value for each in at.caption)
    press(at, "Run the study")
    job = finish(at)
    assert job.state == "done", job.failure
    assert not at.exception
    assert view(at).study == job.result
    found = cache.study(job.result)
    assert found.is_complete
    assert found.columns == ("prose", "code")
    assert [event.study.n_done for event in job.events if hasattr(event, "study")][-1] == 18
    assert any("Double dissociations" in each.value for each in at.subheader)
    link = {**loaded.view(), "study": job.result, "network": "3", "column": "1"}
    again = open_page("lesions", **link)
    assert not again.exception
    assert any(each.value.startswith("3 ") for each in again.subheader)
    assert any(f"{found.effects.excess[3, 1]:+.3f}" in each.value for each in again.markdown)
    again.selectbox(key="lesion-column-3-1").set_value(0).run()
    assert view(again).column == 0


def test_what_cannot_be_studied_says_why(open_page, loaded) -> None:
    at = open_page("lesions", **loaded.view())
    fill(at, loaded)
    at.slider(key="lesions-z").set_value(8.0).run()
    if not said(at):
        press(at, "Run the study")
        finish(at)
    assert "takes no unit" in said(at)
    assert not at.exception


def test_no_network_and_all_networks_are_told(open_page, loaded) -> None:
    at = open_page("lesions", **loaded.view())
    fill(at, loaded)
    at.segmented_control(key="lesions-which").set_value("Some, together as one").run()
    at.multiselect(key="lesions-networks").set_value([]).run()
    assert "No network was chosen" in said(at)
    at.multiselect(key="lesions-networks").set_value(list(range(6)))
    at.slider(key="lesions-z").set_value(1.0).run()
    press(at, "Run the study")
    finish(at)
    assert "covers every unit" in said(at) or "finds only" in said(at)
    assert not at.exception


def takes_units(atlas, lesion: Lesion, *, source: str) -> bool:
    recording = open_recording(resources.workspace(), atlas.decomposition.recording_id)
    model = resources.language_model(source)
    sites = LesionSites(atlas, recording, model, settings=LesionSettings())
    try:
        return bool(sites.members(lesion.networks).any())
    except SettingsError:
        return False


def test_patients_are_found_measured_and_write(open_page, studied) -> None:
    example, matrix, _ = studied
    atlas = open_atlas(resources.workspace(), example.atlas)
    people = patients(atlas, open_lesions(resources.workspace(), matrix))
    assert {"needed-everywhere", "most-selective"} <= {each.key for each in people}
    at = open_page("lesions", **example.view(), part="patients", show="needed-everywhere")
    assert not at.exception
    assert any("A hub is lost" in each.value for each in at.subheader)
    # Networks of random toy texts need not have a unit beyond the page's threshold: one that does.
    writer = next(each for each in people if takes_units(atlas, each.lesion, source=example.model))
    at = open_page("lesions", **example.view(), part="patients", show=writer.key)
    box = next(each for each in at.text_area if each.label == "Prompt")
    box.set_value("aq ar as").run()
    press(at, "Let both write")
    job = finish(at)
    assert job.state == "done", job.failure
    assert view(at).writing == job.result
    lesion, _ = cache.text(job.result)
    assert lesion == writer.lesion
    assert any(each.value == "Patient" for each in at.subheader)
    assert not at.exception


def test_the_pictures_say_what_the_study_holds(studied) -> None:
    _, matrix, curve = studied
    workspace = resources.workspace()
    found, strengths = open_lesions(workspace, matrix), open_lesions(workspace, curve)
    names = [f"network {k}" for k in range(6)]
    shown = lesion_matrix(
        found, [4, 1], names=names, shown=EXCESS, selected=(1, 0), palette=READING_ROOM
    )
    np.testing.assert_allclose(shown.figure.data[0].z, found.effects.excess[[4, 1]], rtol=1e-5)
    assert shown.figure.layout.shapes[0].y0 == 0.5
    assert len(shown.table) == 12
    cell = lesion_cell(found, 2, 1, name="network 2", palette=READING_ROOM)
    assert signed(found.change[2, 0, 1], "+.3f") in cell.alternative
    assert len(cell.table) == 3
    drawn = strength_curve(strengths, name="network 2", palette=READING_ROOM)
    assert list(drawn.figure.data[0].x) == [-1.0, 0.0, 0.5, 1.0]
    assert drawn.figure.data[0].y[1] == 0
    bars = patient_bars(found, 0, name="network 0", palette=READING_ROOM)
    np.testing.assert_allclose(bars.figure.data[0].y, found.change[0, 0], rtol=1e-5)


def test_one_random_lesion_is_told_as_one_and_tests_nothing(studied) -> None:
    study = open_lesions(resources.workspace(), studied[1])
    alone = replace(study, nll=study.nll[:, :2], magnitude=study.magnitude[:, :2])
    told = protocol_text(alone)
    assert "1 random lesion for each" in told
    assert "two random lesions of each, and there is one" in told
    assert "moderated" not in told
    drawn = lesion_cell(alone, 0, 0, name="network 0", palette=READING_ROOM)
    assert "; its matched random lesion " in drawn.alternative


def test_the_python_beside_a_picture_gives_its_numbers(studied) -> None:
    example, matrix, graded = studied
    found = open_lesions(resources.workspace(), matrix)
    names: dict[str, object] = {}
    for name, study in (("lesions", matrix), ("lesion-curve", graded)):
        code = recipes.code(name, atlas=example.atlas, study=study)
        exec(compile(code, name, "exec"), names)
    assert names["strength"] == [lesion.strength for lesion in names["study"].lesions]
    code = recipes.code("lesion-cell", atlas=example.atlas, study=matrix, row=1, column=0)
    exec(compile(code, "lesion-cell", "exec"), names)
    assert names["own"] == found.change[1, 0, 0]
    assert names["q"] == found.effects.q[1, 0]
    assert np.isfinite(names["q"])
    assert matrix in lesion_studies(resources.workspace(), example.atlas)
    assert cache.single(example.atlas, Lesion(networks=(1,)))[0] == matrix


def test_the_curve_loads_the_model_itself(open_page, studied, monkeypatch) -> None:
    example, study, _ = studied
    at = open_page("lesions", **{**example.view(), "study": study, "network": "3", "column": "1"})
    assert not at.button(key="lesion-curve-start").disabled
    with monkeypatch.context() as patch:  # as in a server that was just started
        patch.setattr(resources, "language_model", lambda source: None)
        at.run()
        assert not at.button(key="lesion-curve-start").disabled
        assert any("is loaded first" in each.value for each in at.caption)
    press(at, "Measure the curve")
    assert finish(at).state == "done"


def test_a_study_that_cannot_be_read_hides_no_other(open_page, studied) -> None:
    """The page showed its error and nothing else."""
    example, matrix, curve = studied
    losses = resources.workspace().folder("lesions", curve) / "losses.safetensors"
    losses.unlink()
    losses.symlink_to(losses.name)
    assert cache.studies(example.atlas) == [matrix]
    at = open_page("lesions", **example.view())
    assert not at.exception
    assert "cannot be read" in at.error[0].value
