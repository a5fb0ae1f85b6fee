"""Time and memory of a recording that keeps a summary, at the shape of a large model, by stage.

Run: ``python benchmarks/large.py [--layers 32 --width 11008 --sessions 200 --networks 64]``.
Signals are made, session by session, in place of a model that reads: sparse maps, their time
courses and noise. So stages are those of the summary alone: moments, group components, projections
and Gram matrices, then the networks, and one layer's Gram matrix and refit. A model's three
readings come on top; ``--model`` has one of this shape read, and runs the whole path (see
`large_model`). Prints JSON; the default is small enough for every machine.
"""

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import large_model
import numpy as np
import torch
from large_model import Shape
from numpy.typing import NDArray
from stages import Stages

from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import NEVER, ProgressEvent
from fnprune_core.pruning.compensation import CalibrationStatistics, least_squares_refit
from fnprune_core.recording.moments import SessionMoments, open_array
from fnprune_core.recording.reading import PER_SESSION
from fnprune_core.recording.reducing import reduce_sessions
from fnprune_core.recording.summary import DUMMY, Summary
from fnprune_core.storage.checksums import sums_below
from fnprune_core.storage.folders import folder_size
from fnprune_core.storage.manifests import package_versions
from fnprune_core.texts.windows import Windows

N_DUMMY = 4
_RATIO = 0.3  # of units that a refit stands in for


class MadeSessions(SessionMoments):
    """Sessions of signals with planted networks, each made anew when it is asked for.

    Making one stands for a model's pass: its time is counted apart, in `made_s` and `made_cpu_s`.
    """

    id, fingerprint = "", ""

    def __init__(self, shape: Shape, folder: Path, *, seed: int = 0) -> None:
        self.shape, self.made_s, self.made_cpu_s = shape, 0.0, 0.0
        self.summary: Summary | None = None
        layout = UnitLayout((shape.width,) * shape.n_layers)
        rng = np.random.default_rng(seed)
        maps = rng.laplace(size=(shape.n_networks, layout.n_units)).astype(np.float32)
        maps *= rng.random(maps.shape, dtype=np.float32) < 0.1
        self.maps = np.where(rng.random(maps.shape, dtype=np.float32) < 0.8, np.abs(maps), maps)
        self._planted = torch.from_numpy(self.maps)
        windows = _windows(shape)
        super().__init__(windows, layout, self._first_reading(layout, folder))

    def session(self, session: int) -> NDArray[np.float32]:
        """Return the signals of a session: (tokens, units)."""
        start, cpu_start = time.perf_counter(), time.process_time()
        generator = torch.Generator().manual_seed(session)
        shape = self.shape
        courses = torch.randn(shape.n_tokens, shape.n_networks, generator=generator)
        signals = torch.randn(shape.n_tokens, shape.n_layers * shape.width, generator=generator)
        signals.addmm_(courses, self._planted)
        signals[:N_DUMMY] *= 20
        self.made_s += time.perf_counter() - start
        self.made_cpu_s += time.process_time() - cpu_start
        made: NDArray[np.float32] = signals.numpy()
        return made

    def _first_reading(self, layout: UnitLayout, folder: Path) -> dict[str, NDArray[Any]]:
        """Write each session's moments and the dummy tokens' signals, as a reading does."""
        paths = {name: folder / f"{name}.{code}" for name, code in PER_SESSION.items()}
        with ExitStack() as stack:
            files = {name: stack.enter_context(path.open("wb")) for name, path in paths.items()}
            dummies = stack.enter_context((folder / DUMMY).open("wb"))
            for session in range(self.shape.n_sessions):
                x = self.session(session)
                usable = x[N_DUMMY:]
                variance = [
                    usable[:, layout.layer_slice(i)].var(axis=0) for i in range(layout.n_layers)
                ]
                found = {
                    "scales": np.ones(layout.n_units),
                    "session_mean": usable.mean(axis=0),
                    "session_m2": np.concatenate(variance) * len(usable),
                    "dummy_max": np.abs(x[:N_DUMMY]).max(axis=0),
                }
                for name, code in PER_SESSION.items():
                    files[name].write(found[name].astype(code).data)
                dummies.write(x[:N_DUMMY].astype(np.float16).data)
        size = (self.shape.n_sessions, layout.n_units)
        return {
            name: open_array(paths[name], np.dtype(code), size)
            for name, code in PER_SESSION.items()
        }


def _windows(shape: Shape) -> Windows:
    n_tokens = shape.n_sessions * shape.n_tokens
    return Windows(
        token_ids=np.zeros(n_tokens),
        starts=np.arange(shape.n_sessions + 1) * shape.n_tokens,
        document_index=np.zeros(n_tokens),
        domain_index=np.zeros(n_tokens),
        document_names=("made",),
        domain_names=("made",),
        window=shape.n_tokens,
        n_dummy_tokens=N_DUMMY,
    )


def measure(shape: Shape) -> dict[str, Any]:
    """Return seconds, memory and disk of each stage at a shape."""
    stages = Stages()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made: list[MadeSessions] = []

        def seconds_made() -> float:
            return made[0].made_s if made else 0.0

        sessions = stages.run("moments", lambda: MadeSessions(shape, folder))
        stages.rows["moments"]["apart_s"] = sessions.made_s
        stages.rows["moments"]["seconds"] -= sessions.made_s
        made.append(sessions)
        sizes = _reduced(shape, folder, sessions, stages)
        files = {"files": sums_below(folder)}
        manifest = {"inputs": {"most_networks": shape.n_networks}, **files, **sizes}
        summary = Summary(folder, manifest, sessions)
        sessions.summary = summary
        ica = GroupICA(n_components=shape.n_networks, n_runs=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotConvergedWarning)
            result = stages.run("networks", lambda: ica.fit(sessions).result_, seconds_made)
        _refit(summary, sessions, stages)
        r = match_maps(sessions.maps, result.spatial_maps)[1]
        disk = folder_size(folder)
    n_units = shape.n_layers * shape.width
    return {
        "shape": {name: getattr(shape, name) for name in Shape.__slots__},
        "stages": stages.rows,
        "disk_gb": {
            "summary": disk / 1e9,
            "of_which_moments": 20 * n_units * shape.n_sessions / 1e9,
            "all_signals": 2 * n_units * shape.n_sessions * shape.n_tokens / 1e9,
        },
        "planted_maps_found": {"median_r": float(np.median(r)), "least_r": float(r.min())},
    }


def _reduced(shape: Shape, folder: Path, sessions: MadeSessions, stages: Stages) -> dict[str, int]:
    """Reduce the sessions, and tell the two passes apart, without the making of signals."""
    ends: dict[str, NDArray[np.float64]] = {}

    def clocks() -> NDArray[np.float64]:
        return np.array(
            [
                time.perf_counter() - sessions.made_s,
                time.process_time() - sessions.made_cpu_s,
            ]
        )

    def note(event: ProgressEvent) -> None:
        ends[event.stage] = clocks()

    start = clocks()
    sizes = stages.run(
        "reducing",
        lambda: reduce_sessions(
            folder, sessions, most_networks=shape.n_networks, progress=note, cancel=NEVER
        ),
        lambda: sessions.made_s,
    )
    # The last session of a pass is told once it is in, and the basis is found after the first.
    components, projections = ends["pca"] - start, ends["projecting"] - ends["pca"]
    stages.rows["reducing"] |= {
        "components_s": components[0],
        "components_cpu_s": components[1],
        "basis_projections_and_gram_s": projections[0],
        "basis_projections_and_gram_cpu_s": projections[1],
    }
    return sizes


def _refit(summary: Summary, sessions: MadeSessions, stages: Stages) -> None:
    """Refit a layer under uneven weights; its output projection is made up."""
    rng = np.random.default_rng(0)
    shape = sessions.shape
    weights = rng.random(sessions.n_tokens)
    gram, mean = stages.run(
        "predictors, and one layer's weighted Gram matrix",
        lambda: summary.weighted_gram(0, weights),
    )
    del gram
    gram, mean = stages.run(
        "one layer's weighted Gram matrix", lambda: summary.weighted_gram(0, weights)
    )
    weight = rng.normal(size=(large_model.hidden_size(shape.width), shape.width))
    removed = np.sort(rng.choice(shape.width, int(_RATIO * shape.width), replace=False))
    statistics = CalibrationStatistics(mean=mean, gram=gram, gram_mean=mean)
    stages.run("one layer's refit", lambda: least_squares_refit(weight, removed, statistics, False))


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--networks", type=int, default=16)
    parser.add_argument("--model", action="store_true", help="a model of random weights reads")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure and print JSON."""
    options = parsed()
    shape = Shape(
        n_layers=options.layers,
        width=options.width,
        n_sessions=options.sessions,
        n_tokens=options.tokens,
        n_networks=options.networks,
    )
    result = {
        **(large_model.measure(shape) if options.model else measure(shape)),
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "versions": package_versions(),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
