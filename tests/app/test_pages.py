"""Every page: cold, with an example, and with wrong input; no exception, a message, state kept."""

import pytest
import tiny
from driving import finish, press, said, view

from app import pages
from app.shell import resources

PAGES = ("start", "record", "decompose", "atlas", "prune")
NEXT_STEP = {
    "start": "Build the example",
    "record": "Load the model and estimate",
    "decompose": "Record",
    "atlas": "Go to the start",
    "prune": "Go to the start",
}


def labels(at) -> list[str]:
    return [button.label for button in at.button]


@pytest.mark.parametrize("page", PAGES)
def test_cold_page_says_what_to_do_next(open_page, page) -> None:
    at = open_page(page)
    assert not at.exception
    assert not at.error
    assert NEXT_STEP[page] in labels(at)


@pytest.mark.parametrize("page", PAGES)
def test_page_with_the_example(open_page, example, page) -> None:
    at = open_page(page, **example.view())
    assert not at.exception
    assert not at.error
    bar = [link.value for link in at.page_link]
    assert bar[2] == "6 networks"
    assert "2 domains" in bar[1]


@pytest.mark.parametrize("page", PAGES)
def test_ids_that_no_longer_exist_are_told_and_not_thrown(open_page, page) -> None:
    at = open_page(page, recording="0" * 16, atlas="1" * 16, plan="2" * 16, job="3" * 12)
    assert not at.exception
    if page != "start":
        assert "There is no" in said(at)


@pytest.mark.parametrize("page", ["record", "decompose", "atlas", "prune"])
def test_missing_ids_can_be_put_away(open_page, page) -> None:
    at = open_page(page, recording="0" * 16, atlas="1" * 16)
    press(at, "Put it away")
    assert not at.error
    assert view(at).recording == view(at).atlas == ""
    assert NEXT_STEP[page] in labels(at)


def test_missing_plan_is_put_away_alone(open_page, example) -> None:
    at = open_page("prune", **example.view(), plan="2" * 16)
    press(at, "Put it away")
    assert not at.error
    assert (view(at).atlas, view(at).plan) == (example.atlas, "")


def test_link_to_an_atlas_brings_its_recording(open_page, example) -> None:
    at = open_page("prune", atlas=example.atlas)
    assert view(at).recording == example.recording


def test_url_opens_network_and_threshold(open_page, example) -> None:
    at = open_page("atlas", **example.view(), network="4", z="2.5")
    assert at.title[0].value == "Network 4"
    assert at.slider(key="atlas-z").value == 2.5


@pytest.mark.parametrize("page", ["atlas", "prune"])
def test_nonsense_in_the_url_falls_back(open_page, example, page) -> None:
    at = open_page(page, **example.view(), network="-7", z="nan", drop="x-y.4-", plan="../..")
    assert not at.exception
    assert not at.error


def test_network_beyond_the_atlas_shows_the_last(open_page, example) -> None:
    at = open_page("atlas", **example.view(), network="99")
    assert at.title[0].value == "Network 5"


def test_atlas_moves_drops_and_undoes(open_page, example) -> None:
    at = open_page("atlas", **example.view())
    press(at, "Previous")
    assert at.title[0].value == "Network 5"
    press(at, "Prune")
    assert view(at).dropped == (5,)
    press(at, "Next")
    press(at, "Prune")
    assert view(at).dropped == (0, 5)
    press(at, "Keep")
    assert view(at).dropped == (5,)
    press(at, "Undo")
    assert view(at).dropped == (0, 5)
    press(at, "Undo")
    press(at, "Undo")
    assert view(at).dropped == ()
    assert next(b for b in at.button if b.label == "Undo").disabled


def test_cortex_is_offered_then_drawn_from_every_side(open_page, example) -> None:
    at = open_page("atlas", **example.view())
    assert not resources.workspace().ids("layouts")
    press(at, "Lay out the cortex")
    assert finish(at).state == "done"
    at.run()
    assert len(resources.workspace().ids("layouts")) == 1
    for name, part in (("slices", "on the cortex"), ("sides", "seen from"), ("3d", "Surfaces")):
        at.segmented_control(key="atlas-view").set_value(name).run()
        assert not at.exception
        assert view(at).map == name
        assert any(part in chart.proto.alt for chart in at.get("plotly_chart"))
    at.segmented_control(key="atlas-view").set_value("layers").run()
    assert not any("cortex" in chart.proto.alt for chart in at.get("plotly_chart"))


def test_a_suggested_threshold_moves_the_slider(open_page, example) -> None:
    at = open_page("atlas", **example.view())
    (chosen,) = [b for b in at.button if b.label.startswith("top 5 %")]
    expected = float(chosen.label.split("> ")[1].split(",")[0])
    chosen.click().run()
    assert view(at).z == pytest.approx(expected, abs=0.051)
    assert at.slider(key="atlas-z").value == view(at).z
    assert any("Driven by" in caption.value for caption in at.caption)


def test_model_that_is_not_there(open_page) -> None:
    at = open_page()
    at.segmented_control(key="start-model").set_value("Your own").run()
    at.text_input(key="start-own-model").set_value("./no-such-folder").run()
    press(at, "Load")
    assert finish(at).state == "failed"
    assert "no-such-folder" in said(at)
    assert not at.exception
    assert at.text_input(key="start-own-model").value == "./no-such-folder"
    assert view(at).model == "embedded"


def test_model_of_ones_own_shows_its_anatomy(open_page, materials) -> None:
    at = open_page()
    at.segmented_control(key="start-model").set_value("Your own").run()
    at.text_input(key="start-own-model").set_value(materials.model).run()
    press(at, "Load")
    finish(at)
    assert view(at).model == materials.model
    assert "144 (48 a layer)" in str(at.table[0].value)


@pytest.mark.parametrize(
    ("source", "message"),
    [("./nowhere.txt", "There is no file or folder"), ("empty.txt", "no text")],
)
def test_texts_that_cannot_be_read(open_page, materials, tmp_path, source, message) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    at = open_page("record", model=materials.model)
    at.segmented_control(key="record-kind").set_value("Path or data set").run()
    path = source if source.startswith(".") else str(tmp_path / source)
    at.text_input(key="record-source").set_value(path).run()
    assert message in said(at)
    assert not at.exception
    assert at.text_input(key="record-source").value == path


def test_upload_that_is_not_text(open_page, materials) -> None:
    at = open_page("record", model=materials.model)
    at.segmented_control(key="record-kind").set_value("Upload").run()
    at.file_uploader(key="record-files").upload("scan.txt", b"\x93\x00\xff\xfe").run()
    assert "not text in UTF-8" in said(at)
    assert not at.exception


def test_upload_that_is_not_parquet(open_page, materials) -> None:
    at = open_page("record", model=materials.model)
    at.segmented_control(key="record-kind").set_value("Upload").run()
    at.file_uploader(key="record-files").upload("rows.parquet", b"no parquet").run()
    assert "rows.parquet" in said(at)
    assert not at.exception


def test_text_shorter_than_a_window(open_page, materials, tmp_path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("aq ar as")
    at = open_page("record", model=materials.model)
    at.segmented_control(key="record-kind").set_value("Path or data set").run()
    at.text_input(key="record-source").set_value(str(short)).run()
    press(at, "Load the model and estimate")
    finish(at)
    assert "512" in said(at)
    assert not at.exception


def test_more_networks_than_the_recording_bears(open_page, example) -> None:
    at = open_page("decompose", **example.view())
    at.number_input(key="ica-k").set_value(500).run()
    press(at, "Decompose")
    assert finish(at).state == "failed"
    assert "500" in said(at)
    assert not at.exception
    assert at.number_input(key="ica-k").value == 500


def evaluate_on(at, path) -> None:
    """Choose a file to measure on."""
    at.segmented_control(key="evaluate-kind").set_value("Path or data set").run()
    at.text_input(key="evaluate-source").set_value(str(path)).run()


def test_text_that_was_calibrated_on_is_refused(open_page, example) -> None:
    at = open_page("prune", **example.view())
    evaluate_on(at, example.texts)
    press(at, "Apply")
    assert finish(at).state == "failed"
    assert "calibration" in said(at)


def test_plan_for_another_model(open_page, example, tmp_path) -> None:
    other = tmp_path / "other"
    tiny.tiny_model("Llama", seed=1).save_pretrained(other)
    tiny.toy_tokenizer().save_pretrained(other)
    at = open_page("prune", **{**example.view(), "model": str(other)})
    evaluate_on(at, example.held_out)
    press(at, "Apply")
    assert finish(at).state == "failed"
    assert "fingerprint" in said(at)


def test_bias_without_a_home_is_told_before_apply(open_page, example, monkeypatch) -> None:
    monkeypatch.setattr(
        "fnprune_core.pruning.planner.bias_warning", lambda *_: "no home for a bias"
    )
    at = open_page("record", **example.view())
    press(at, "Load the model and estimate")
    finish(at)
    at.switch_page(pages.path("prune")).run()
    assert "no home for a bias" in said(at)


def test_a_bug_is_shown_with_a_reference_and_no_traceback(open_page, example, monkeypatch) -> None:
    def fail(*arguments, **options):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("app.atlas.networks.map.network_map", fail)
    at = open_page("atlas", **example.view())
    assert not at.exception
    assert "The server's log has the details" in said(at)
    assert "secret" not in said(at)


def test_earlier_work_is_listed(open_page, example) -> None:
    at = open_page()
    listed = at.dataframe[-1].value
    assert set(listed["what"].str.partition(":")[0]) == {"Decomposition", "Recording"}
    assert resources.workspace().root.name == "workspace"
