"""Lesions in the report."""

import shutil
from dataclasses import replace

from toy_localizer import QUICK, forget_directions, toy
from written_report import Page

from app.report.html_page import report_page
from fnprune_core.localizers.run import localize
from fnprune_core.models.loading import load_model
from fnprune_core.report import material
from fnprune_core.report.experiments import _study_blocks, studies
from fnprune_core.storage.workspace import Workspace


def test_lesions_are_told_with_their_unit_and_correction(made) -> None:
    told = "".join(made.page.text)
    assert "paired t over documents" in told  # the unit, where there are random lesions
    assert "set against 2 random lesions" in told
    assert "the control of permuted random directions" in told
    assert "false discovery rate" in told
    shown = made.page.tables["lesions"]
    excess = [float(row[7].replace("−", "-")) for row in shown]
    assert excess == sorted(excess, reverse=True)
    assert len(shown) == 6  # three lesions, two domains


def test_a_study_that_is_not_tested_says_why_and_promises_no_excess(made) -> None:
    """Beside one random lesion it told of an excess, over a figure that showed a change."""
    (study,) = studies(made.m)
    alone = replace(study, nll=study.nll[:, :2], magnitude=study.magnitude[:, :2])
    told = _told(made.m, alone)
    assert "set against one random lesion of" in told
    assert "two random lesions of each, and there is one" in told
    assert "xcess" not in told
    few = replace(study.texts, unit=study.texts.unit // 3)
    told = _told(made.m, replace(study, texts=few))
    assert "Nothing is tested in prose (2 documents), code (3 documents)" in told


def _told(m, study) -> str:
    return "".join(getattr(block, "text", "") for block in _study_blocks(m, study, ""))


def test_localizers_stand_beside_random_directions_or_lack_them(made, tmp_path) -> None:
    workspace = Workspace(shutil.copytree(made.where, tmp_path / "workspace"))
    language_model = load_model(str(made.where.parent / "tiny-llama"), dtype="float32")
    id = localize(workspace, language_model, made.atlas, toy(), settings=QUICK)
    told = _localizers_told(workspace, made.atlas)
    assert "of as many random directions" in told
    assert "no control" not in told
    forget_directions(workspace, id)
    told = _localizers_told(workspace, made.atlas)
    assert "Localizer toy has no control: it was run before random directions" in told
    assert f"fnprune localize {made.atlas} toy" in told
    assert "of as many" not in told


def _localizers_told(workspace, atlas) -> str:
    m = material.open_material(workspace, atlas, n_detailed=0)
    page = Page(report_page(m, ("localizers",)))
    told = " ".join("".join(page.text).split())
    is_missing = [cell == "–" for cell in page.tables["localizers"][0][4:6]]
    assert is_missing == 2 * ["no control" in told]
    return told
