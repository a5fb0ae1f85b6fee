import shutil

from written_report import Page

from app.report.html_page import report_page
from fnprune_core.atlas.chance.directions import KINDS, make_directions
from fnprune_core.matching import dual_regression
from fnprune_core.report import material
from fnprune_core.report.commands import commands
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


def test_networks_stand_beside_random_directions_once_these_are_made(made, tmp_path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    assert "were not compared with random directions" in "".join(made.page.text)
    make_directions(workspace, made.atlas)
    m = material.open_material(workspace, made.atlas, n_detailed=0)
    page = Page(report_page(m, ("methods", "decoding", "connectome")))
    told = " ".join("".join(page.text).split())
    found = m.beside["domains"]
    assert f"{found.control_median():.2f} for random directions (95th percentile" in told
    assert "The best division into groups has a mean silhouette" in told
    assert [row[0] for row in page.tables["random-totals"]] == ["networks", *KINDS]
    above = [row[-4:] for row in page.tables["decoding"]]
    assert sum("yes" in row for row in above) == found.is_above().sum()
    assert f"fnprune directions {made.atlas} --seed 0" in commands(m)
