"""The whole path through the pages with a tiny model, and what a second session finds."""

import pytest
from driving import finish, press, said, view
from materials import Materials

from app import pages
from app.shell import resources

RIVALS = ["dense", "your plan", "FLAP", *(f"Random, seed {seed}" for seed in range(3))]


def record(at, materials: Materials) -> None:
    at.segmented_control(key="record-kind").set_value("Path or data set").run()
    at.text_input(key="record-source").set_value(str(materials.texts)).run()
    at.selectbox(key="record-domain-column").set_value("topic").run()
    at.number_input(key="record-window").set_value(32).run()
    at.number_input(key="record-dummy").set_value(2).run()
    press(at, "Load the model and estimate")
    finish(at)
    assert {metric.label for metric in at.metric} >= {"Tokens", "Time", "Disk", "Memory"}
    press(at, "Record")
    assert finish(at).state == "done"


def test_from_a_text_to_an_exported_model(open_page, materials, tmp_path) -> None:
    at = open_page("record", model=materials.model)
    record(at, materials)
    assert len(at.get("plotly_chart")) == 2

    at.switch_page(pages.path("decompose")).run()
    at.number_input(key="ica-k").set_value(5).run()
    at.number_input(key="ica-runs").set_value(2).run()
    press(at, "Decompose")
    assert finish(at).state == "done"
    assert "5 networks" in [heading.value for heading in at.subheader]

    at.switch_page(pages.path("atlas")).run()
    press(at, "Don't protect")

    at.switch_page(pages.path("prune")).run()
    at.segmented_control(key="evaluate-kind").set_value("Path or data set").run()
    at.text_input(key="evaluate-source").set_value(str(materials.held_out)).run()
    press(at, "Apply")
    job = finish(at)
    assert job.state == "done", job.failure
    assert view(at).plan == job.result.plan_ids["your plan"]
    plan = resources.plan(view(at).plan)
    assert plan.preserved == (1, 2, 3, 4)
    assert plan.achieved_ratio == pytest.approx(0.2, abs=1 / plan.layout.n_units)
    table = next(each.value for each in at.dataframe if "model" in each.value)
    assert list(table["model"]) == RIVALS
    assert (table["perplexity"] > 1).all()

    folder = tmp_path / "exported"
    at.switch_page(pages.path("export")).run()
    at.text_input(key=f"export-folder-{view(at).plan}-per-layer").set_value(str(folder)).run()
    press(at, "Export")
    assert finish(at).state == "done"
    assert (folder / "config.json").is_file()
    assert str(folder) in said(at)


def test_second_session_finds_the_running_job_and_its_result(open_page, example) -> None:
    """Jobs live in the server: a page opened elsewhere joins, and takes the result itself."""
    first = open_page("decompose", **example.view())
    first.number_input(key="ica-k").set_value(4).run()
    press(first, "Decompose")
    second = open_page("decompose", **example.view())
    joined = view(second).job
    job = finish(second)
    finish(first)
    assert job.state == "done"
    assert view(first).atlas == job.result
    if joined:  # else it had ended before the second session came
        assert joined == job.id
        assert view(second).atlas == job.result


def test_link_to_a_finished_job_opens_its_result(open_page, example) -> None:
    at = open_page("decompose", **example.view())
    at.number_input(key="ica-k").set_value(3).run()
    press(at, "Decompose")
    job = finish(at)
    other = open_page("decompose", **example.view(), job=job.id)
    assert view(other).atlas == job.result
    assert "3 networks" in [heading.value for heading in other.subheader]
