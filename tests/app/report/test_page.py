"""The page Report: sections are chosen, what lacks is said, what is damaged is left out."""

from driving import finish, press, said

from app.shell import resources
from fnprune_core.report import sections
from fnprune_core.storage.checksums import seal
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import manifest_of


def code(at) -> str:
    return "\n".join(block.value for block in at.code)


def test_sections_are_chosen_what_lacks_is_said_and_the_file_is_offered(open_page, example) -> None:
    at = open_page("report", **example.view())
    assert not at.exception
    assert [box.value for box in at.checkbox] == [True] * len(sections.SECTIONS)
    assert f"fnprune trust {example.atlas} --parts" in code(at)
    assert f"fnprune lesion {example.atlas}" in code(at)
    for key in ("trust", "connectome", "localizers", "lesions", "plans"):
        at.checkbox(key=f"report-section-{key}").set_value(False)
    at.slider(key="report-networks").set_value(1).run()
    assert "fnprune trust" not in code(at)
    assert "--networks 1 --z 3 --sections methods,networks,decoding,limits,reproduce" in code(at)
    press(at, "Write the report")
    job = finish(at)
    assert job.state == "done", job.failure
    assert [b.proto.label[:6] for b in at.get("download_button")] == ["Report"]
    text = job.result.read_text(encoding="utf-8")
    assert text.count("<article") == 1
    assert 'id="reproduce"' in text
    assert 'id="trust"' not in text


def test_nothing_chosen_and_no_atlas_are_told(open_page, example, fresh) -> None:
    at = open_page("report", **example.view())
    for box in at.checkbox:
        box.set_value(False)
    at.run()
    assert "Choose at least one section" in said(at)
    assert next(b for b in at.button if b.label == "Write the report").disabled
    empty = open_page("report")
    assert not empty.exception
    assert "No networks yet" in "\n".join(each.value for each in empty.subheader)


def test_one_damaged_study_is_left_out_with_its_reason(open_page, example, fresh) -> None:
    workspace = resources.workspace()
    folder = workspace.root / "lesions" / "0123456789abcdef"
    folder.mkdir(parents=True)
    facts = {"decomposition_id": example.atlas, "model_name": "toy", "base": {}}
    write_json(folder / "manifest.json", manifest_of("lesions", {}, facts))
    seal(folder)
    at = open_page("report", **example.view())
    press(at, "Write the report")
    job = finish(at)
    assert job.state == "done", job.failure
    assert "Left out: " in (text := job.result.read_text(encoding="utf-8"))
    assert "0123456789abcdef" in text
