import shutil

from written_report import Page

from app.report.html_page import report_page
from fnprune_core.matching import dual_regression
from fnprune_core.report import material
from fnprune_core.storage.workspace import Workspace


def test_an_applied_atlas_is_told_as_what_it_is(made, tmp_path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    recording = made.m.atlas.decomposition.recording_id
    applied = dual_regression.apply_atlas(workspace, made.atlas, recording)
    m = material.open_material(workspace, applied, n_detailed=0)
    told = "".join(Page(report_page(m, ("methods", "networks", "limits", "reproduce"))).text)
    assert "There was no ICA on these texts" in told
    assert "runs from random starts" not in told
    assert f"fnprune apply {made.atlas} {recording}" in told
