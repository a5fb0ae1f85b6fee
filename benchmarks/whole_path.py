"""Time and memory of the path that a person waits for: record, decompose, plan.

Run: ``python benchmarks/whole_path.py``. Prints a table, and JSON with ``--json``.
The budget is the project's own: 16k tokens, 64 networks (one run) and a plan within
2 minutes and 6 GB on 2 CPU cores with the embedded model.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from fnprune_core.commands.demo import peak_memory_bytes
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.recording import record, recording
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents


def measure(*, n_tokens: int, n_networks: int) -> dict[str, Any]:
    """Return seconds by stage and peak memory of one run in an empty workspace."""
    language_model = load_model()
    seconds: dict[str, float] = {}

    def timed(name: str, start: float) -> None:
        seconds[name] = time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        start = time.perf_counter()
        recording_id = record.record_texts(
            workspace,
            language_model,
            builtin_documents(),
            settings=RecordingSettings(max_tokens=n_tokens),
        )
        timed("record", start)
        start = time.perf_counter()
        decomposition_id = group_ica.decompose(
            workspace, recording_id, settings=GroupICA(n_components=n_networks, n_runs=1)
        )
        timed("decompose", start)
        for compensation in ("none", "bias", "least-squares"):
            start = time.perf_counter()
            planner.plan(
                workspace,
                language_model,
                recording_id=recording_id,
                decomposition_id=decomposition_id,
                settings=PlanSettings(compensation=compensation),
            )
            timed(f"plan, {compensation}", start)
        n_read = recording.open_recording(workspace, recording_id).n_tokens
    path = seconds["record"] + seconds["decompose"] + seconds["plan, least-squares"]
    return {
        "n_tokens": n_read,
        "n_networks": n_networks,
        "seconds": {**seconds, "record + decompose + plan": path},
        "peak_memory_bytes": peak_memory_bytes(),
        "dtype": str(language_model.dtype),
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "versions": package_versions(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=16384)
    parser.add_argument("--networks", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(n_tokens=options.tokens, n_networks=options.networks)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print(
        f"{result['n_tokens']} tokens, {result['n_networks']} networks, {result['dtype']}, "
        f"{result['threads']} threads"
    )
    for stage, seconds in result["seconds"].items():
        print(f"  {stage:28s} {seconds:8.1f} s")
    print(f"  {'peak memory':28s} {result['peak_memory_bytes'] / 1e9:8.2f} GB")


if __name__ == "__main__":
    main()
