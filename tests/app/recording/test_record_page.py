import pytest
from driving import finish, press, said, view


def test_model_that_is_not_there(open_page) -> None:
    at = open_page()
    at.segmented_control(key="start-model").set_value("Your own").run()
    at.text_input(key="start-own-model").set_value("./no-such-folder").run()
    assert "Load" not in [each.label for each in at.button]
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
    assert "144 (48 per layer)" in str(at.table[0].value)


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


def test_a_summary_is_said_to_be_one_where_single_units_are_asked_for(open_page, summarised):
    at = open_page("record", **summarised)
    assert not at.exception
    assert not at.error
    assert any("up to 6 networks" in caption.value for caption in at.caption)
    for page in ("unit", "carpet"):
        at = open_page(page, **summarised)
        assert not at.exception
        assert not at.error
        assert "keeps a summary" in said(at)
        assert "--keep all" in said(at)
    at = open_page("atlas", **summarised)
    assert not at.exception
    assert not at.error


def test_the_form_asks_how_many_networks_a_summary_shall_hold(open_page, materials) -> None:
    at = open_page("record", model=materials.model)
    assert "record-most-networks" not in [each.key for each in at.number_input]
    at.segmented_control(key="record-keep").set_value("summary").run()
    assert at.number_input(key="record-most-networks").value == 64
    assert not at.exception
