"""A score, a compensation and an allocation are one row each: every place finds it by itself."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.cli import cli
from fnprune_core.models.loading import load_model
from fnprune_core.models.silencing import Refit
from fnprune_core.plans.allocation import ALLOCATIONS, Allocation
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.compensation import COMPENSATIONS, Compensation
from fnprune_core.pruning.preview_files import open_preview, prepare_preview
from fnprune_core.report.material import Material
from fnprune_core.report.methods import methods
from fnprune_core.report.parts import Text
from fnprune_core.scores.score import Score
from fnprune_core.scores.units import SCORES
from fnprune_core.storage.workspace import Workspace

SAYS = ("the least variance stays", "nothing at all replaces them", "from the last layer on")


def least_variance(inputs, weights) -> np.ndarray:
    return -inputs.moments(weights)[1]


def from_the_last(budget) -> np.ndarray:
    counts, left = np.zeros(budget.layout.n_layers, dtype=np.int64), budget.n_removed
    for layer in reversed(range(budget.layout.n_layers)):
        counts[layer] = min(left, budget.removable[layer])
        left -= counts[layer]
    return counts


@pytest.fixture
def rows(monkeypatch) -> None:
    """One more row in each table."""
    score = Score(formula=least_variance, label="Toy score", says=SAYS[0], source="a test")
    monkeypatch.setitem(SCORES, "toy", score)
    compensation = Compensation(
        refit=lambda *_: Refit(), label="Toy compensation", does="toys", says=SAYS[1]
    )
    monkeypatch.setitem(COMPENSATIONS, "toy", compensation)
    allocation = Allocation(divide=from_the_last, label="Toy allocation", says=lambda _: SAYS[2])
    monkeypatch.setitem(ALLOCATIONS, "toy", allocation)


@pytest.mark.usefixtures("rows")
def test_the_lab_and_the_sweep_offer_them(open_page, example) -> None:
    at = open_page("prune", **example.view())
    assert "Toy score" in at.selectbox(key="prune-score").options
    assert "Toy compensation" in at.selectbox(key="prune-compensation").options
    assert "Toy allocation" in at.segmented_control(key="prune-allocation").options
    assert "Toy score" in at.pills(key="prune-rivals").options
    at = open_page("plans", **example.view(), show="sweep")
    assert "Toy score" in at.pills(key="sweep-scores").options


@pytest.mark.usefixtures("rows")
def test_command_line_preview_and_report_know_them(example, fresh) -> None:
    workspace = Workspace(fresh)

    def run(*words: str) -> dict:
        result = CliRunner().invoke(
            cli, [*words, "--model", example.model, "--workspace", str(fresh), "--json"]
        )
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    plan = run(
        "plan", "latest", "-d", "latest", "--score", "toy", "--compensation", "toy",
        "--allocation", "toy", "--ratio", "0.4", "--sink-units", "0",
    )  # fmt: skip
    removed = open_plan(workspace, plan["id"]).removed
    assert [len(part) > 0 for part in removed] == [False, True, True]

    prepare_preview(workspace, load_model(example.model), example.atlas)
    settings = PlanSettings(
        score="toy", compensation="toy", allocation="toy", ratio=0.4, sink_units=0
    )
    previewed = open_preview(workspace, example.atlas).plan(settings)
    assert all(np.array_equal(a, b) for a, b in zip(previewed.removed, removed, strict=True))

    sweep = run(
        "sweep", "latest", str(example.held_out), "-d", "latest", "--scores", "toy",
        "--compensation", "toy", "--ratios", "0.2", "--window", "32", "--max-windows", "2",
    )  # fmt: skip
    assert [row["score"] for row in sweep["points"]] == ["toy"]

    atlas = open_atlas(workspace, example.atlas)
    blocks = methods(Material(workspace=workspace, atlas=atlas, z=3.0))
    words = " ".join(block.text for block in blocks if isinstance(block, Text))
    assert all(part in words for part in SAYS)
