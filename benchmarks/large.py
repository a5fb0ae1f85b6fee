"""Time and memory of a recording that keeps a summary, at the shape of a large model, by stage.

Run: ``python benchmarks/large.py [--layers 32 --width 11008 --sessions 200]``. Signals are made,
session by session, in place of a model that reads: sparse maps, their time courses and noise. So
stages are those of the summary alone: moments, group components, projections and Gram matrices,
then the networks, and one layer's refit. A model's three readings come on top. Prints JSON; the
default is small enough for every machine.
"""

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg

from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import NEVER, ProgressEvent
from fnprune_core.recording.moments import SessionMoments
from fnprune_core.recording.reading import PER_SESSION
from fnprune_core.recording.reducing import reduce_sessions
from fnprune_core.recording.summary import DUMMY, Summary
from fnprune_core.storage.folders import folder_size
from fnprune_core.storage.manifests import package_versions
from fnprune_core.texts.windows import Windows

N_DUMMY = 4
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of what is recorded and found."""

    n_layers: int
    width: int
    n_sessions: int
    n_tokens: int
    n_networks: int


class MadeSessions(SessionMoments):
    """Sessions of signals with planted networks, each made anew when it is asked for.

    Making one stands for a model's pass: its time is counted apart, in `made_s`.
    """

    id, fingerprint = "", ""

    def __init__(self, shape: Shape, folder: Path, *, seed: int = 0) -> None:
        self.shape, self.made_s = shape, 0.0
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
        start = time.perf_counter()
        generator = torch.Generator().manual_seed(session)
        shape = self.shape
        courses = torch.randn(shape.n_tokens, shape.n_networks, generator=generator)
        signals = torch.randn(shape.n_tokens, shape.n_layers * shape.width, generator=generator)
        signals.addmm_(courses, self._planted)
        signals[:N_DUMMY] *= 20
        self.made_s += time.perf_counter() - start
        made: NDArray[np.float32] = signals.numpy()
        return made

    def _first_reading(self, layout: UnitLayout, folder: Path) -> dict[str, NDArray[Any]]:
        """Return each session's moments, and write the dummy tokens' signals."""
        size = (self.shape.n_sessions, layout.n_units)
        found = {name: np.ones(size, dtype=code) for name, code in PER_SESSION.items()}
        with (folder / DUMMY).open("wb") as file:
            for session in range(self.shape.n_sessions):
                x = self.session(session)
                usable = x[N_DUMMY:]
                found["session_mean"][session] = usable.mean(axis=0)
                found["session_m2"][session] = usable.var(axis=0) * len(usable)
                found["dummy_max"][session] = np.abs(x[:N_DUMMY]).max(axis=0)
                file.write(x[:N_DUMMY].astype(np.float16).tobytes())
        return found


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


@dataclass(slots=True)
class Stages:
    """Seconds and peak memory of stages, one after the other."""

    rows: dict[str, dict[str, float]] = field(default_factory=dict)

    def run(self, name: str, work: Callable[[], _Result], made: Callable[[], float]) -> _Result:
        """Run one stage; time in which signals were made is told apart."""
        _forget_peak()
        start, cpu_start, made_before = time.perf_counter(), time.process_time(), made()
        result = work()
        made_s = made() - made_before
        self.rows[name] = {
            "seconds": time.perf_counter() - start - made_s,
            "cpu_s_with_making": time.process_time() - cpu_start,
            "making_signals_s": made_s,
            "peak_memory_gb": _peak_bytes() / 1e9,
        }
        return result


def _forget_peak() -> None:
    """Let the system count the peak of memory anew, where it can (Linux)."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")


def _peak_bytes() -> int:
    if not _STATUS.exists():
        return 0
    line = next(x for x in _STATUS.read_text().splitlines() if x.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def measure(shape: Shape) -> dict[str, Any]:
    """Return seconds, memory and disk of each stage at a shape."""
    stages = Stages()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made: list[MadeSessions] = []

        def seconds_made() -> float:
            return made[0].made_s if made else 0.0

        sessions = stages.run("moments", lambda: MadeSessions(shape, folder), seconds_made)
        stages.rows["moments"]["making_signals_s"] = sessions.made_s
        stages.rows["moments"]["seconds"] -= sessions.made_s
        made.append(sessions)
        ends: dict[str, float] = {}
        making: dict[str, float] = {}

        def note(event: ProgressEvent) -> None:
            ends[event.stage], making[event.stage] = time.perf_counter(), sessions.made_s

        start, made_before = time.perf_counter(), sessions.made_s
        sizes = stages.run(
            "reducing",
            lambda: reduce_sessions(
                folder, sessions, most_networks=shape.n_networks, progress=note, cancel=NEVER
            ),
            seconds_made,
        )
        stages.rows["reducing"] |= {
            "components_s": ends["pca"] - start - (making["pca"] - made_before),
            "projections_and_gram_s": ends["projecting"]
            - ends["pca"]
            - (making["projecting"] - making["pca"]),
        }
        manifest = {"inputs": {"most_networks": shape.n_networks}, **sizes}
        summary = Summary(folder, manifest, sessions)
        sessions.summary = summary
        ica = GroupICA(n_components=shape.n_networks, n_runs=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotConvergedWarning)
            result = stages.run("networks", lambda: ica.fit(sessions).result_, seconds_made)
        stages.run("refit of one layer", lambda: _refit(summary, sessions), seconds_made)
        r = match_maps(sessions.maps, result.spatial_maps)[1]
        disk = folder_size(folder)
    n_units = shape.n_layers * shape.width
    return {
        "shape": {name: getattr(shape, name) for name in Shape.__slots__},
        "stages": stages.rows,
        "disk_gb": {
            "summary": disk / 1e9,
            "moments": 20 * n_units * shape.n_sessions / 1e9,
            "all_signals": 2 * n_units * shape.n_sessions * shape.n_tokens / 1e9,
        },
        "planted_maps_found": {"median_r": float(np.median(r)), "least_r": float(r.min())},
    }


def _refit(summary: Summary, sessions: SessionMoments) -> None:
    """Solve the least squares of a layer's kept units, half of them, under uneven weights."""
    weights = np.random.default_rng(0).random(sessions.n_tokens)
    gram, _ = summary.weighted_gram(0, weights)
    half = len(gram) // 2
    system = gram[:half, :half] + 0.3 * np.diag(np.diag(gram)[:half])
    linalg.cho_solve(linalg.cho_factor(system, lower=True), gram[:half, half:])


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--networks", type=int, default=16)
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
        **measure(shape),
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "versions": package_versions(),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
