"""How much plans of growing ratio lose, and what they write: on what the bounds of grades rest.

Run: ``python benchmarks/expectations.py WORKSPACE [--ratios 0.05,0.15,0.3,0.4,0.5]``, in the
workspace of the finished example. Plans by FLAP's score with least squares are measured on 24
windows of the built-in held-out texts, and write from the beginning of one of each domain. Prints a
line of JSON for each: nats per token above dense with its error, agreement, repeats, grade, texts.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from fnprune_core.evaluation.compare import compare, evaluation_windows
from fnprune_core.evaluation.expectation import expected_of, write_samples
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents


def measured(workspace: Workspace, settings: PlanSettings) -> dict[str, Any]:
    """Return what one plan loses and writes."""
    model = load_model()
    windows = evaluation_windows(
        model, builtin_documents(split="held-out"), window=512, max_windows=24
    )
    (plan,) = planner.plans(
        workspace, model, recording_id=workspace.ids("recordings")[0],
        decomposition_id=workspace.ids("decompositions")[0], settings=[settings],
    )  # fmt: skip
    compare(workspace, model, windows, plan_ids={DENSE: None, plan: plan})
    write_samples(workspace, model, plan, windows)
    found = expected_of(workspace, plan)
    assert found.above_dense is not None
    assert found.grade is not None
    dense, pruned = found.repeated
    return {
        "ratio": settings.ratio,
        "nats": found.above_dense.difference,
        "error": found.above_dense.standard_error,
        "agreement": found.agreement,
        "repeated_dense": dense,
        "repeated": pruned,
        "grade": found.grade.name,
        "texts": [texts.text(PRUNED) for texts in found.samples],
    }


def main() -> None:
    """Measure each ratio in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--ratios", default="0.05,0.15,0.3,0.4,0.5")
    options = parser.parse_args()
    for ratio in map(float, options.ratios.split(",")):
        settings = PlanSettings(ratio=ratio, score="flap", intercept=False)
        print(json.dumps(measured(Workspace(options.workspace), settings)), flush=True)


if __name__ == "__main__":
    main()
