"""Time and memory of measuring trust in an atlas, measure by measure, and what was found.

Run: ``python benchmarks/trust.py [--parts seeds,bootstrap]``. Prints JSON. Takes the example of
the workspace (``fnprune example`` builds it) and saves nothing. The budget is the project's own:
ICASSO of 20 seeds at K = 64 on the embedded model within 3 minutes on 2 CPU cores.
"""

import argparse
import json
import platform
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core import workflows
from fnprune_core.atlas import network_atlas
from fnprune_core.commands.demo import peak_memory_bytes
from fnprune_core.recording.recording import open_recording
from fnprune_core.reliability.assess import PARTS, check_parts
from fnprune_core.reliability.measures import map_kurtosis
from fnprune_core.reliability.reference import ReferenceStudy, TrustSettings, open_study
from fnprune_core.reliability.results import (
    Assessment,
    Null,
    Reproducibility,
    Result,
    SizeCurve,
    Stability,
)
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace


def spread(values: NDArray[np.floating]) -> dict[str, float]:
    """Return quantiles over networks."""
    names = {"smallest": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "largest": 1.0}
    return {name: round(float(np.quantile(values, q)), 3) for name, q in names.items()}


def described(result: Result) -> dict[str, Any]:
    """Return the figures of one measure."""
    runs = {"runs": result.n_runs, "converged": result.n_converged}
    if isinstance(result, Stability):
        return {
            **runs,
            "iq × share of runs": spread(result.again),
            "iq": spread(result.iq),
            "share of runs": spread(result.share),
        }
    if isinstance(result, Reproducibility):
        return {**runs, "r": spread(result.mean), "sd over splits": spread(result.sd)}
    if isinstance(result, SizeCurve):
        rows = result.table().round(3).to_dict("records")
        return {**runs, "curve": rows, "suggested": result.suggested()}
    names = ("kurtosis", "again", "r")
    return {**runs, **{name: spread(getattr(result, name)) for name in names}}


def measure(parts: list[str]) -> dict[str, Any]:
    """Return seconds and figures by part."""
    workspace = Workspace.default()
    ids = workflows.example(workspace)
    atlas = network_atlas.open_atlas(workspace, ids.decomposition_id)
    recording = open_recording(workspace, ids.recording_id)
    seconds: dict[str, float] = {}
    found: dict[str, Result] = {}
    study: ReferenceStudy | None = None
    is_shifted = False
    for name in check_parts(parts):
        part = PARTS[name]
        if study is None or part.is_shifted != is_shifted:
            study, is_shifted = None, part.is_shifted
            start = time.perf_counter()
            study = open_study(
                recording,
                atlas.tokens,
                atlas.decomposition,
                settings=TrustSettings(),
                is_shifted=is_shifted,
            )
            label = "reducing shifted sessions" if is_shifted else "reducing sessions"
            seconds[label] = time.perf_counter() - start
        start = time.perf_counter()
        for result in part.measure(study):
            found[name] = result
        seconds[name] = time.perf_counter() - start
    if "seeds" in found:
        seconds["ICASSO of 20 seeds, in all"] = seconds["reducing sessions"] + seconds["seeds"]
    kurtosis = map_kurtosis(atlas.decomposition)
    limits = Assessment(**found).limits()  # type: ignore[arg-type]  # by part
    observed = {"kurtosis": kurtosis}
    for name, column in (("halves", "r"), ("seeds", "again")):
        result = found.get(name)
        if result is not None and not isinstance(result, Null | SizeCurve):
            observed[column] = result.mean if isinstance(result, Reproducibility) else result.again
    return {
        "networks": atlas.n_networks,
        "units": atlas.layout.n_units,
        "tokens": recording.n_tokens,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "peak_memory_bytes": peak_memory_bytes(),
        "figures": {name: described(result) for name, result in found.items()},
        "kurtosis": spread(kurtosis),
        "limits": {f"{null}, {figure}": round(v, 3) for (null, figure), v in limits.items()},
        "networks above": {
            f"{null}, {figure}": int((observed[figure] > limit).sum())
            for (null, figure), limit in limits.items()
            if figure in observed
        },
        "settings": {name: getattr(TrustSettings(), name) for name in TrustSettings.__slots__},
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "versions": package_versions(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    print(json.dumps(measure(options.parts.split(",")), indent=1))


if __name__ == "__main__":
    main()
