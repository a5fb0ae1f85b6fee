"""Lesions in the report."""

from dataclasses import replace

from fnprune_core.report.experiments import _study_blocks, studies


def test_lesions_are_told_with_their_unit_and_correction(made) -> None:
    told = "".join(made.page.text)
    assert "paired t over documents" in told  # the unit, where there are random lesions
    assert "set against 2 random lesions" in told
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
