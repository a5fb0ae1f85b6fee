"""How long the networks on a text of one's own take, and a look at one unit.

Run: ``python benchmarks/probe.py [--workspace FOLDER]``. Uses the newest decomposition of the
workspace (``make example`` builds one) and the embedded model. Prints JSON. The project's budget
is one second for a text of 200 tokens, the probe being prepared, which is done once an atlas.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fnprune_core import workflows
from fnprune_core.corpora import builtin_documents
from fnprune_core.loading import load_model
from fnprune_core.storage import Workspace, package_versions


def seconds(work: Callable[[], Any], *, n_repeats: int) -> dict[str, float]:
    """Return the first and the median time of some repeats."""
    times = []
    for _ in range(n_repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return {"first_s": round(times[0], 4), "median_s": round(float(np.median(times)), 4)}


def measure(workspace: Workspace, *, n_repeats: int) -> dict[str, Any]:
    """Return the times of preparing the probe and of reading texts of several lengths."""
    language_model = load_model()
    start = time.perf_counter()
    atlas = workflows.open_atlas(workspace, "latest")
    probe = workflows.open_probe(workspace, atlas.id)
    result: dict[str, Any] = {"open_and_prepare_s": round(time.perf_counter() - start, 4)}
    held_out = max(builtin_documents(split="held-out"), key=lambda each: len(each.text)).text
    ids = language_model.tokenizer(held_out, verbose=False)["input_ids"]
    for n_tokens in (50, 200, 512, 2048):
        text = language_model.tokenizer.decode(ids[:n_tokens])
        reading = probe.read(language_model, text)
        result[f"read_{n_tokens}_tokens"] = {
            "n_tokens": reading.n_tokens,
            **seconds(lambda t=text: probe.read(language_model, t), n_repeats=n_repeats),
        }
    session = probe.read_windows(language_model, workflows.open_recording(
        workspace, atlas.decomposition.recording_id
    ).windows.select([0]))  # fmt: skip
    recorded = atlas.time_courses[:, atlas.tokens["session"].to_numpy() == 0]
    result["largest_difference_to_recorded_session"] = float(
        np.abs(session.strengths - recorded).max() / np.abs(recorded).max()
    )
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
    result = {
        **measure(workspace, n_repeats=options.repeats),
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "versions": package_versions(),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
