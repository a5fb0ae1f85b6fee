import shutil
from dataclasses import replace

import pytest

from app.report.html_page import write_report
from fnprune_core.errors import ArtifactNotFoundError, CorruptArtifactError, SettingsError
from fnprune_core.report import sections
from fnprune_core.report.sections import SectionRow
from fnprune_core.storage.workspace import Workspace


def test_what_is_missing_is_said_with_how_to_make_it(made) -> None:
    told = "".join(made.page.text)
    assert f"fnprune trust {made.atlas} --parts halves,rotated,members,seeds" in told
    assert "No localizer was run" in told
    lacking = dict(sections.lacks(made.m))
    assert {"Networks", "Trust", "Localizers"} == set(lacking)
    section = sections.write_sections(made.m, ["trust"])[0]
    assert section.missing[0] == lacking["Trust"]


def test_damage_is_told_with_the_section_and_a_way_out(made, tmp_path, monkeypatch) -> None:
    def fail(_material) -> None:
        raise CorruptArtifactError("It is damaged.", hint="Delete it.")

    row = replace(sections.SECTIONS["lesions"], write=fail)
    monkeypatch.setitem(sections.SECTIONS, "lesions", row)
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    with pytest.raises(CorruptArtifactError, match="The section 'Lesions' cannot be written") as e:
        write_report(workspace, made.atlas, tmp_path / "report.html")
    assert "leave the section 'lesions' out" in e.value.hint
    assert not (tmp_path / "report.html").exists()
    settings = sections.ReportSettings(sections=("methods", "limits"), n_detailed=0)
    assert write_report(workspace, made.atlas, tmp_path / "report.html", settings=settings)
    (root / "decompositions" / made.atlas / "decomposition.safetensors").unlink()
    with pytest.raises(CorruptArtifactError, match="is missing"):
        write_report(workspace, made.atlas, tmp_path / "again.html")
    with pytest.raises(ArtifactNotFoundError):
        write_report(workspace, "nothing", tmp_path / "again.html")


def test_sections_numbers_and_targets_out_of_range_are_refused(made, tmp_path) -> None:
    with pytest.raises(SettingsError, match="poems is no section"):
        sections.ReportSettings(sections=("methods", "poems"))
    with pytest.raises(SettingsError, match="Nothing is no section"):
        sections.ReportSettings(sections=())
    for wrong in ({"z": 0.0}, {"n_detailed": -1}):
        with pytest.raises(SettingsError):
            sections.ReportSettings(**wrong)
    with pytest.raises(SettingsError, match="is a folder"):
        write_report(made.workspace, made.atlas, tmp_path)
    settings = sections.ReportSettings(sections=("limits", "methods"))
    assert settings.sections == ("methods", "limits")  # in the order of the report


def test_each_section_is_one_row(made) -> None:
    for key, row in sections.SECTIONS.items():
        assert isinstance(row, SectionRow)
        assert list(row.write(made.m))
        assert [each.key for each in sections.write_sections(made.m, [key])] == [key]
