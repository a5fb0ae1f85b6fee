"""What is damaged stands on Start, the rest works, and *Verify* reads every byte."""

from driving import finish, said

from app.shell import resources
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.json_files import write_checked_json
from fnprune_core.storage.workspace import EXPORT_RECORD


def test_a_damaged_item_is_listed_with_what_to_do_and_the_rest_works(open_page, example) -> None:
    workspace = resources.workspace()
    folder = workspace.folder("decompositions", example.atlas)
    (folder / MANIFEST).write_text("{")
    at = open_page()
    assert not at.exception
    told = at.dataframe[-1].value
    assert told["what"].tolist() == [f"Decomposition {example.atlas}"]
    assert "not valid JSON" in told["wrong"][0]
    assert set(at.dataframe[0].value["what"].str.partition(":")[0]) == {"Recording"}
    for page in ("plans", "compare", "decompose", "prune"):
        assert not open_page(page, model=example.model, recording=example.recording).exception


def test_verify_reads_every_byte_and_says_what_it_found(open_page, example) -> None:
    at = open_page()
    at.button(key="verify").click().run()
    finish(at)
    assert "2 of 2 items are what was written" in at.success[0].value
    recording = resources.workspace().folder("recordings", example.recording)
    with (recording / "signals.f16").open("r+b") as file:
        file.write(b"\x7f")
    at.button(key="verify").click().run()
    finish(at)
    assert "1 of 2 items are damaged" in said(at)
    assert "signals.f16 is not what was written" in said(at)


def test_before_a_damaged_item_is_deleted_the_page_asks(open_page, example) -> None:
    folder = resources.workspace().folder("decompositions", example.atlas)
    (folder / MANIFEST).write_text("{")
    at = open_page()
    at.session_state["delete-damaged: to be deleted"] = resources.workspace().damaged()[0]
    at.run()
    assert not at.exception
    assert {"Delete", "Keep it"} <= {button.label for button in at.button}
    assert any(example.atlas in text.value for text in at.markdown)
    assert folder.is_dir()


def test_odd_items_are_listed_and_an_export_is_no_damage(open_page, example) -> None:
    """A link to itself in a recording once broke Start; a folder of a kind without rights too."""
    workspace = resources.workspace()
    (workspace.folder("recordings", example.recording) / "loop").symlink_to("loop")
    (workspace.root / "speeds").symlink_to("speeds")
    model = workspace.root / "exports" / "model-a"
    model.mkdir(parents=True)
    record = {"form": "masked", "plan": {"model_name": "tiny"}, "files": {}}
    write_checked_json(model / EXPORT_RECORD, record)
    at = open_page()
    assert not at.exception
    assert not at.error
    told = at.dataframe[-1].value
    assert told["what"].tolist() == ["Folder speeds"]
    assert told["delete"].tolist() == [None]
    listed = at.dataframe[0].value["what"].tolist()
    assert "Export: tiny, pruned, in the form masked" in listed
    assert len(listed) == 3
