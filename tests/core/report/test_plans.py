import shutil

import numpy as np
from written_report import Page

from app.report.html_page import report_page
from fnprune_core.report.headline import headline
from fnprune_core.report.material import Material, open_material
from fnprune_core.report.parts import cell
from fnprune_core.storage.workspace import Workspace


def test_plans_figures_are_those_of_the_stored_losses(made) -> None:
    rows = {row[0]: row for row in made.page.tables["perplexity"]}
    (text,) = made.m.texts()
    dense = made.m.all_plans.dense[text]
    assert rows["dense"][1] == f"{dense.perplexity:.2f}"
    for plan in made.m.plans:
        name = next(key for key in rows if plan.id[:6] in key)
        assert rows[name][1] == f"{plan.on(text).perplexity:.2f}"
        losses = [made.m.result(each.evaluation_id) for each in (plan.on(text), dense)]
        difference = (losses[0].nll_sum - losses[1].nll_sum) / losses[0].n_tokens
        assert rows[name][3] == cell(difference, "{:+.4f}")
        assert rows[name][5:] == ["none: 2 documents, too few", "2"]
    told = "".join(made.page.text)
    assert "2 documents weigh less than the 5 of equal length that an interval takes" in told


def test_what_read_other_windows_stands_in_no_table_of_perplexities(made, monkeypatch) -> None:
    """The report's tables took any result of a text, however many of its windows it had."""
    (text,) = made.m.texts()
    plan = next(plan for plan in made.m.plans if plan.on(text))
    whole, lost = Material.result, plan.on(text).evaluation_id

    def result(self, evaluation_id: str):
        found = whole(self, evaluation_id)
        return found.restricted_to(np.arange(1)) if evaluation_id == lost else found

    monkeypatch.setattr(Material, "result", result)
    page = Page(report_page(made.m, ("plans",)))
    for table in ("perplexity", "perplexity-by-domain"):
        assert page.tables[table]
        assert not any(plan.id[:6] in row[0] for row in page.tables[table])
    said = "".join(page.text).partition("not read on the same windows: ")[2]
    assert plan.id[:6] in said.partition(".")[0]


def test_the_headline_quotes_a_plan_that_was_not_chosen_on_the_text_it_is_quoted_on(made) -> None:
    """It quoted the lowest of all plans, also of plans that keep other texts."""
    (text,) = made.m.texts()
    there = [plan for plan in made.m.plans if plan.on(text)]
    newest = next((plan for plan in there if plan.n_preserved), there[0])
    (dense_name, _), (name, figure) = headline(made.m)[-2:]
    assert dense_name == "Perplexity, dense"
    assert newest.id[:6] in name
    assert figure.startswith(f"{newest.on(text).perplexity:.2f}")


def test_what_cannot_be_read_is_left_out_with_its_reason(made, tmp_path) -> None:
    """One file of one measurement kept the whole report from being written."""
    workspace = Workspace(shutil.copytree(made.workspace.root, tmp_path / "copy"))
    (text,) = made.m.texts()
    lost = made.m.plans[0].on(text).evaluation_id
    (study,) = workspace.ids("lesions")
    for file in (f"evaluations/{lost}/perplexity.json", f"lesions/{study}/losses.safetensors"):
        path = workspace.root / file
        path.unlink()
        path.mkdir()
    page = Page(report_page(open_material(workspace, made.atlas)))
    told = "".join(page.text)
    assert f"Left out: evaluations/{lost}/perplexity.json" in told
    assert f"Left out: lesions/{study}/losses.safetensors" in told
    assert str(workspace.root) not in told
    assert len(page.tables["plans"]) == len(made.plans)
    assert [row[0] for row in page.tables["perplexity"]] == ["dense"] + [
        row[0] for row in made.page.tables["perplexity"] if made.m.plans[1].id[:6] in row[0]
    ]
