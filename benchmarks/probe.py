"""How long the networks on a text of one's own take, and all that is shown of one unit.

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

from fnprune_core.atlas import network_atlas, units
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.matching import dual_regression
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.loading import load_model
from fnprune_core.recording.recording import Recording, open_recording
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents


def seconds(work: Callable[[], Any], *, n_repeats: int) -> dict[str, float]:
    """Return the first and the median time of some repeats."""
    times = []
    for _ in range(n_repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return {"first_s": round(times[0], 4), "median_s": round(float(np.median(times)), 4)}


def look_at(
    atlas: NetworkAtlas, recording: Recording, unit: int, language_model: LanguageModel
) -> None:
    """Compute all that the page of a unit shows."""
    seen = units.as_network(atlas, recording, unit)
    for pole in (1, -1):
        seen.top_passages(0, n=5, pole=pole)
    units.activation_by_domain(seen)
    units.similar_units(atlas, unit)
    units.weight_norms(language_model, unit)
    units.promoted_tokens(language_model, unit)


def measure(workspace: Workspace, *, n_repeats: int) -> dict[str, Any]:
    """Return the times of preparing the probe and of reading texts of several lengths."""
    language_model = load_model()
    start = time.perf_counter()
    atlas = network_atlas.open_atlas(workspace, "latest")
    probe = dual_regression.open_probe(workspace, atlas.id)
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
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    session = probe.read_windows(language_model, recording.windows.select([0]))
    recorded = atlas.time_courses[:, recording.session_slice(0)]
    result["largest_difference_to_recorded_session"] = float(
        np.abs(session.strengths - recorded).max() / np.abs(recorded).max()
    )
    chosen = iter(np.random.default_rng(0).permutation(atlas.layout.n_units).tolist())
    result["unit_column"] = seconds(lambda: recording.unit(next(chosen)), n_repeats=n_repeats)
    result["unit_page"] = seconds(
        lambda: look_at(atlas, recording, next(chosen), language_model), n_repeats=n_repeats
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
