"""Estimates before five jobs beside what they took: a factor of 1.5 is the promise.

Run: ``python benchmarks/estimates.py [--tokens 4096] [--model embedded]``. The jobs run one after
the other, as in a session of the workbench: a recording, one plan with a rival, a lesion study, a
sweep, and a plan that trains. Each estimate is asked for right before its job, and is of the pace
that was measured until then; beside it, what one timed pass at the start lets expect. Prints JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fnprune_core.decomposition.group_ica import GroupICA, decompose
from fnprune_core.evaluation.compare import compare, evaluation_windows
from fnprune_core.evaluation.results import DENSE
from fnprune_core.lesions.order import LesionOrder, estimate_lesions
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import Lesion, LesionSettings, domain_stimuli
from fnprune_core.models.loading import load_model
from fnprune_core.models.pace import FACTORS
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.pruning.estimates import estimate_training
from fnprune_core.pruning.reconstruction import Training, split_sessions
from fnprune_core.pruning.sweep import SweepOrder, estimate_sweep, sweep
from fnprune_core.recording.record import estimate_recording, record_texts, windows_for
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents

RATIOS = (0.2, 0.4)
PLAN = PlanSettings(score="network-energy", ratio=0.3)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--model", default="embedded")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Workspace(Path(folder)), arguments)
    print(json.dumps({"jobs": rows, "versions": package_versions()}, indent=2))


def measured(workspace: Workspace, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row a job: seconds that were expected, and that it took."""
    model = load_model(arguments.model)
    first_pass = model.seconds_per_token()
    texts = builtin_documents()
    held_out = evaluation_windows(
        model, builtin_documents(split="held-out"), window=128, max_windows=arguments.windows
    )
    rows: list[dict[str, Any]] = []

    def job(name: str, expected: float, one_pass: float, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        took = time.perf_counter() - start
        rows.append(
            {
                "job": name,
                "expected_s": round(expected, 1),
                "by_one_pass_s": round(one_pass, 1),
                "took_s": round(took, 1),
                "ratio": round(expected / took, 2),
            }
        )
        return result

    settings = RecordingSettings(max_tokens=arguments.tokens)
    windows = windows_for(model, texts, settings)
    recording_id = job(
        "recording",
        estimate_recording(model, windows, settings).seconds,
        FACTORS["recording"] * first_pass * windows.n_tokens,
        lambda: record_texts(workspace, model, texts, settings=settings),
    )
    recording = open_recording(workspace, recording_id)
    atlas_id = decompose(workspace, recording_id, settings=GroupICA(n_components=16, n_runs=1))

    def sweep_job(name: str, order: SweepOrder) -> None:
        n_plans = len(order.wanted())
        one_pass = FACTORS["reading"] * (1 + n_plans) * held_out.n_tokens
        one_pass += FACTORS["planning"] * n_plans * recording.n_tokens
        job(
            name,
            estimate_sweep(model, held_out, order, n_tokens=recording.n_tokens).seconds,
            first_pass * one_pass,
            lambda: sweep(workspace, model, held_out, order=order),
        )

    chosen = {"recording_id": recording_id, "decomposition_id": atlas_id}
    rival = SweepOrder(base=PLAN, scores=("network-energy", "flap"), ratios=(0.3,), **chosen)
    sweep_job("a plan and a rival", rival)
    order = LesionOrder(
        decomposition_id=atlas_id,
        lesions=tuple(Lesion(networks=(k,)) for k in range(4)),
        settings=LesionSettings(n_random=2),
    )
    stimuli = domain_stimuli(held_out)
    cost = estimate_lesions(model, stimuli, order)
    job(
        "lesion study",
        cost.seconds,
        first_pass * FACTORS["reading"] * cost.n_tokens * cost.n_readings,
        lambda: lesion_study(workspace, model, stimuli, order=order),
    )
    sweep_job("sweep", SweepOrder(base=PLAN, scores=("flap", "magnitude"), ratios=RATIOS, **chosen))
    trained = PLAN.with_(compensation="reconstruct")

    def plan_and_measure() -> dict[str, str]:
        plan_id = planner.plan(workspace, model, settings=trained, **chosen)
        return compare(workspace, model, held_out, plan_ids={DENSE: None, "plan": plan_id})

    sessions, _ = split_sessions(windows, Training().held_out)
    by_pass = FACTORS["training"] * Training().n_passes * len(sessions)
    job(
        "a plan that trains",
        estimate_training(model, windows, [trained]).seconds
        + model.seconds_per_token("reading") * held_out.n_tokens,
        first_pass * (by_pass * windows.n_tokens / windows.n_windows + held_out.n_tokens),
        plan_and_measure,
    )
    return rows


if __name__ == "__main__":
    main()
