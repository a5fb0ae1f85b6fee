"""How far training brings a pruned model, by number of passes and step.

Run: ``python benchmarks/reconstruction.py --data FOLDER --ratio 0.4 --trainings 0:0,4:1.6e-3``.
Calibration: 16,384 tokens of WikiText-2 validation. Measured on 24 windows of WikiText-2 train at
even steps, on which the settings of ``reconstruct`` were chosen; no figure of the quality table
comes from it. ``0:0`` is least squares, where training starts. Prints JSON a line.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from held_out_texts import articles, data_folder, drawn, packed
from result_files import circumstances

from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.models.loading import load_model
from fnprune_core.plans.files import stored_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.pruning.reconstruction import Training, reconstruct
from fnprune_core.pruning.slicing import prune
from fnprune_core.recording import recording
from fnprune_core.recording.record import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.workspace import Workspace

_WINDOW, _N_CALIBRATION, _N_EVALUATION = 512, 32, 24


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=None, help="../shared/data by default")
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--ratio", type=float, default=0.4)
    parser.add_argument("--trainings", default="0:0,4:1.6e-3", help="passes:step, several by comma")
    return parser.parse_args()


def main() -> None:
    """Measure each training from the same start."""
    options = parsed()
    data = data_folder(options) / "wikitext2"
    workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
    model = load_model(options.model, dtype=options.dtype)
    calibration = packed(model, articles(data / "wiki.valid.raw"), window=_WINDOW, n_dummy=4)
    recording_id = record(
        workspace,
        model,
        drawn(calibration, _N_CALIBRATION, seed=0),
        settings=RecordingSettings(max_tokens=None),
    )
    settings = PlanSettings(score="flap", ratio=options.ratio, compensation="least-squares")
    [plan_id] = planner.plans(
        workspace, model, recording_id=recording_id, decomposition_id=None, settings=[settings]
    )
    stored = stored_plan(workspace, plan_id)
    made, start = stored.plan, stored.refits()
    windows = recording.open_recording(workspace, recording_id).windows
    text = packed(model, articles(data / "wiki.train.head1M.raw"), window=_WINDOW)
    chosen = np.linspace(0, text.n_windows, _N_EVALUATION, endpoint=False).astype(np.int64)
    text = text.select(chosen)
    dense = perplexity(model.model, text).perplexity
    print(json.dumps({"dense": round(dense, 3), "circumstances": circumstances(model)}), flush=True)
    for each in options.trainings.split(","):
        n_passes, step = each.split(":")
        refits, began = start, time.perf_counter()
        if int(n_passes):
            refits = reconstruct(
                model,
                made,
                start,
                windows,
                weights=np.where(windows.is_dummy, 0.0, 1.0),
                training=Training(
                    n_passes=int(n_passes), step=float(step), step_per_nat=float("inf")
                ),
            )
        seconds = time.perf_counter() - began
        found = perplexity(prune(model, made, refits=refits), text).perplexity
        line = {
            "passes": int(n_passes),
            "step": float(step),
            "perplexity": round(found, 3),
            "times_dense": round(found / dense, 4),
            "seconds": round(seconds, 1),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
