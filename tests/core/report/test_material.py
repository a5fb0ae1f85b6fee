import re
import shutil

from materials import store_halves
from written_report import N_NETWORKS, Page

from app.report.html_page import report_page
from fnprune_core.atlas.chance.directions import KINDS, make_directions
from fnprune_core.atlas.cortex import lay_out
from fnprune_core.atlas.membership import MARK, MARK_SAYS
from fnprune_core.matching import dual_regression
from fnprune_core.report import material
from fnprune_core.report.commands import commands
from fnprune_core.report.headline import headline
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
    permuted = f"(random directions {100 * m.directions.explained[0]:.0f} %)"
    assert dict(headline(m))["Variance explained"].endswith(permuted)
    assert "of the variance, as many random directions" in told


def test_networks_that_do_not_recur_are_marked_and_stand_last(made, tmp_path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    store_halves(workspace, made.atlas, [0.1, 0.9, 0.2, 0.8, 0.69])
    m = material.open_material(workspace, made.atlas, n_detailed=N_NETWORKS)
    assert m.detailed == [1, 3, 0, 2, 4]
    assert [m.number(k) for k in (0, 1)] == [f"0{MARK}", "1"]
    text = report_page(m)
    page = Page(text)
    assert "3 of 5 networks bear a mark" in "".join(page.text)
    headings = re.findall(r"Network (\d) · (.*?)</h3>", text)
    assert [int(k) for k, _ in headings] == m.detailed
    assert [name.endswith(MARK) for _, name in headings] == [False, False, True, True, True]
    for table, column in (("networks", 1), ("decoding", 1), ("trust", 1)):
        marked = {row[0] for row in page.tables[table] if row[column].endswith(MARK)}
        assert marked == {"0", "2", "4"}, table
    # Wherever a mark is, it is said what it is.
    captions = re.findall(r"<(figcaption|caption)>(.*?)</", text, re.S)
    assert len(captions) > 5
    parts = re.split(r"<figure|<table", text)[1:]
    for part in parts:
        if MARK in part.partition("</figure>")[0].partition("</table>")[0]:
            assert MARK_SAYS in part


def test_nothing_is_marked_while_halves_were_not_measured(made) -> None:
    assert made.m.recurs.all()
    assert not any(MARK in name for name in made.m.names)


def _damaged(root, kind: str) -> str:
    """Damage a byte of every file of a kind but manifests; return the id of one of its items."""
    (folder,) = (root / kind).iterdir()
    for path in folder.iterdir():
        if path.suffix == ".safetensors":
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)
    return folder.name


def test_damaged_directions_and_cortex_are_named_and_the_rest_is_told(made, tmp_path) -> None:
    """Either was opened without a guard, so that no section but these could be written."""
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    make_directions(workspace, made.atlas)
    lay_out(workspace, made.atlas)
    ids = [_damaged(root, kind) for kind in ("directions", "layouts")]
    m = material.open_material(workspace, made.atlas, n_detailed=1)
    text = report_page(m)
    page = Page(text)
    told = "".join(page.text)
    for kind, id in zip(("directions", "layouts"), ids, strict=True):
        assert told.count(f"Left out: {kind}/{id}") == 1, kind
    assert "were not compared with random directions" not in told
    assert "The cortex is not laid out" not in told
    assert page.tables.keys() == made.page.tables.keys()
    assert str(root) not in text


def test_what_cannot_be_opened_at_all_is_listed_under_limits(made, tmp_path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    (study,) = (root / "lesions").iterdir()
    (study / "manifest.json").write_text("{")
    m = material.open_material(Workspace(root), made.atlas, n_detailed=0)
    told = "".join(Page(report_page(m, ("limits",))).text)
    assert f"may belong to this atlas: lesion {study.name}." in told
    assert "cannot be read is left out" not in "".join(made.page.text)


def test_a_damaged_plan_leaves_the_verdict_on_others(made, tmp_path) -> None:
    """Plans that differ in the score alone are read for a verdict: one damaged took all down."""
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    damaged, other = made.plans
    (root / "plans" / damaged / "plan.json").write_text("{")
    m = material.open_material(workspace, made.atlas, n_detailed=0)
    page = Page(report_page(m, ("plans", "limits")))
    assert len(page.tables["plans"]) == 1
    told = "".join(page.text)
    assert f"Left out: plans/{damaged}" in told
    assert other[:6] in told
