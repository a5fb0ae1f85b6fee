"""Ours beside others, in turn in one process: recording, preview, perplexity, ICA, decomposition.

Run: ``OMP_NUM_THREADS=2 python benchmarks/side_by_side.py [--rows recording,preview]``, on the
embedded model and the built-in texts. Prints a table and JSON, and exits 1 where a goal is missed.
On a busy machine take ``--clock cpu`` and one thread: seconds of processor time, all threads
together, in which waiting for the disk and for others does not count. The maps' rows take minutes
at full size: `--sessions` and `--layers` make them smaller. lm-eval is optional
(``pip install 'fnprune[bench]'``); without it a plain loop in transformers stands in and says so.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import util
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from alternating import CLOCKS, OURS, Contest, Goal, table
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.ica import IcaSettings, run_ica, whiten
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.machine import memory
from fnprune_core.machine.batches import in_passes
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.loading import load_model
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import NEVER, ignore
from fnprune_core.recording.group_pca import group_pca
from fnprune_core.recording.record import record, record_texts, windows_for
from fnprune_core.recording.recording import Recording, RecordingSettings, open_recording
from fnprune_core.recording.sessions import ArraySessions, blocks_of
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents
from fnprune_core.texts.windows import Windows, batches_of, stacked_ids

SEED = 0
ICA = IcaSettings(fun="cube", max_iter=400, tol=1e-4)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the rows share, each thing made when first asked for.

    Parameters
    ----------
    n_windows : int
        Of 512 tokens, read in a round of recording, preview and perplexity.
    n_sessions, n_layers, n_networks : int
        Of the decompositions; `n_layers` are taken evenly, for the layer-by-layer row.
    workspace : Workspace
        Where the recording that is decomposed is found or made.
    can_be_apart : bool
        Whether a rival may run in a process of its own. Its processor time is not seen here, so
        that by that clock bare passes run in this one, which keeps more memory than by itself.
    """

    n_windows: int
    n_sessions: int
    n_layers: int
    n_networks: int
    workspace: Workspace
    can_be_apart: bool = False

    @cached_property
    def language_model(self) -> LanguageModel:
        """The embedded model."""
        return load_model()

    @cached_property
    def settings(self) -> RecordingSettings:
        """How the windows of a round are cut and batched."""
        return RecordingSettings(max_tokens=512 * self.n_windows)

    @cached_property
    def windows(self) -> Windows:
        """The windows of a round."""
        return windows_for(self.language_model, builtin_documents(), self.settings)

    @cached_property
    def batches(self) -> list[Tensor]:
        """Their token ids, as the recording batches them."""
        batches = batches_of(self.windows, self.settings.batch_size)
        return [stacked_ids(self.windows, batch) for batch in batches]

    @cached_property
    def recording(self) -> Recording:
        """The recording that is decomposed."""
        settings = RecordingSettings(max_tokens=512 * self.n_sessions)
        documents = builtin_documents()
        id = record_texts(self.workspace, self.language_model, documents, settings=settings)
        return open_recording(self.workspace, id)

    @cached_property
    def layers(self) -> ArraySessions:
        """Some layers of the recording, in memory."""
        all_layers = self.recording.layout
        chosen = np.unique(np.linspace(0, all_layers.n_layers - 1, self.n_layers).astype(int))
        return ArraySessions(
            [
                np.concatenate([self.recording.session(i, layer=layer) for layer in chosen], axis=1)
                for i in range(self.recording.n_sessions)
            ],
            layout=UnitLayout(tuple(all_layers.widths[layer] for layer in chosen)),
        )

    def bare(self) -> None:
        """Read the windows with the model, and do nothing else."""
        with torch.inference_mode():
            for ids in self.batches:
                self.language_model.model(ids, use_cache=False)

    def bare_apart(self) -> Callable[[], None]:
        """Return `bare` in a process of its own, in which memory is as transformers has it."""
        if not self.can_be_apart:
            return self.bare
        here, there = multiprocessing.Pipe()
        spawning = multiprocessing.get_context("spawn")
        options = (self.n_windows, self.workspace, torch.get_num_threads(), there)
        spawning.Process(target=_pass_when_asked, args=options, daemon=True).start()
        there.close()  # so that a process that ends is noticed
        here.recv()  # once it has the model

        def passed() -> None:
            here.send(True)
            here.recv()

        return passed


def _pass_when_asked(
    n_windows: int, workspace: Workspace, n_threads: int, asked: Connection
) -> None:
    """Read the windows each time that somebody asks."""
    torch.set_num_threads(n_threads)
    bench = Bench(n_windows=n_windows, n_sessions=1, n_layers=1, n_networks=1, workspace=workspace)
    bench.bare()
    asked.send(True)
    while asked.recv():
        bench.bare()
        asked.send(True)


def recording_row(bench: Bench) -> Contest:
    """Record and publish, against the forward passes that this cannot do without.

    These are asked three times: with memory kept from pass to pass, as a recording keeps it, with
    a window on each thread and all threads on each batch; and as transformers runs them, in a
    process of its own.
    """

    def by_window() -> None:
        model = bench.language_model.model
        with memory.kept():
            for ids in bench.batches:
                in_passes(model, ids, lambda rows, ids=ids: _passed(model, ids[rows]))

    def kept() -> None:
        with memory.kept():
            bench.bare()

    def recorded() -> None:
        with tempfile.TemporaryDirectory(dir=bench.workspace.root) as folder:
            record(
                Workspace(Path(folder)), bench.language_model, bench.windows,
                settings=bench.settings,
            )  # fmt: skip

    return Contest(
        what=f"record {bench.n_windows} windows of 512 tokens",
        ours=recorded,
        theirs={
            "bare passes, a window a thread": by_window,
            "bare passes, batches of four": kept,
            "the same, memory not kept": bench.bare_apart(),
        },
        goals={"bare passes, a window a thread": Goal(most=1.25)},
    )


def _passed(model: torch.nn.Module, ids: Tensor) -> None:
    """Read windows, and keep nothing of it."""
    model(ids, use_cache=False)


def preview_row(bench: Bench) -> Contest:
    """Read with four units of ten silenced, against bare passes."""
    rng = np.random.default_rng(SEED)
    widths = bench.language_model.layout.widths
    removed = [np.sort(rng.choice(width, width * 2 // 5, replace=False)) for width in widths]

    def previewed() -> None:
        with torch.inference_mode():
            for ids in bench.batches:
                with silenced(bench.language_model, removed):
                    bench.language_model.model(ids, use_cache=False)

    return Contest(
        what=f"read {bench.n_windows} windows with 40 % of units silenced",
        ours=previewed,
        theirs={"bare forward pass": bench.bare},
        goals={"bare forward pass": Goal(most=1.05)},
    )


def perplexity_row(bench: Bench) -> Contest:
    """Perplexity of the windows, against lm-eval's scoring of the same windows."""
    name, score = _harness(bench)

    def ours() -> float:
        model = bench.language_model.model
        return perplexity(model, bench.windows).mean_nll

    return Contest(
        what=f"perplexity of {bench.n_windows} windows",
        ours=ours,
        theirs={name: score},
        goals={name: Goal(most=1.0)},
        agreement=lambda found: {
            "ours, nats a token": found[OURS],
            "theirs": found[name],
            "difference": found[OURS] - found[name],
        },
    )


def _harness(bench: Bench) -> tuple[str, Callable[[], float]]:
    """Return a name and a function that gives the loss a token of the bench's windows."""
    model, windows = bench.language_model.model, bench.windows
    n_predicted = windows.n_tokens - windows.n_windows
    if util.find_spec("lm_eval") is None:

        def loop() -> float:
            total = 0.0
            with torch.inference_mode():
                for i in range(windows.n_windows):
                    ids = stacked_ids(windows, range(i, i + 1))
                    loss = model(ids, labels=ids, use_cache=False).loss
                    total += float(loss) * (ids.numel() - 1)
            return total / n_predicted

        return "transformers' own loss", loop
    from lm_eval.models.huggingface import HFLM

    # As `loglikelihood_rolling` hands windows on once it has cut a text: a context of one token,
    # which is scored by nobody, and the rest. Sums are in float32, else bfloat16 rounds them.
    harness = HFLM(
        pretrained=model, tokenizer=bench.language_model.tokenizer,
        batch_size=bench.settings.batch_size, softmax_dtype="float32",
    )  # fmt: skip
    rows = [windows.window_ids(i).tolist() for i in range(windows.n_windows)]
    requests = [(("", ""), row[:1], row[1:]) for row in rows]

    def rolling() -> float:
        found = harness._loglikelihood_tokens(requests, disable_tqdm=True)
        return -sum(score for score, _ in found) / n_predicted

    return "lm-eval, rolling", rolling


def ica_row(bench: Bench) -> Contest:
    """One ICA run on whitened group components, against two libraries from the same start."""
    from picard import picard
    from sklearn.decomposition import FastICA

    sessions = bench.recording
    k = bench.n_networks
    reduced = group_pca(
        sessions, blocks_of(sessions, "model"), n_components=(2 * k, k), normalize="recording",
        device=torch.device("cpu"), progress=ignore, cancel=NEVER,
    )  # fmt: skip
    white, _ = whiten(reduced[0].double())
    seed = np.random.SeedSequence(SEED)
    start = np.random.default_rng(seed).standard_normal((k, k))
    columns = np.ascontiguousarray(white.numpy().T)

    def ours() -> NDArray[np.float64]:
        run = run_ica(white, algorithm="fastica", settings=ICA, seed=seed)
        return np.asarray(run.sources.numpy())

    def scikit_learn() -> NDArray[np.float64]:
        ica = FastICA(whiten=False, fun="cube", max_iter=400, tol=1e-4, w_init=start)
        return np.asarray(ica.fit_transform(columns).T)

    def python_picard() -> NDArray[np.float64]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(
                picard(
                    white.numpy(), fun="cube", ortho=True, extended=True, whiten=False,
                    centering=False, w_init=start, max_iter=400, tol=1e-4,
                )[2]
            )  # fmt: skip

    rivals = {"scikit-learn FastICA": scikit_learn, "python-picard": python_picard}
    return Contest(
        what=f"ICA of {k} × {white.shape[1]:,}, cube, to 1e-4",
        ours=ours,
        theirs=rivals,
        goals=dict.fromkeys(rivals, Goal(most=1.0)),
        agreement=lambda found: {
            f"median |r| with {name}": _median_r(found[OURS], found[name]) for name in rivals
        },
        is_warm=True,
    )


def model_row(bench: Bench) -> Contest:
    """Networks of the whole model, against nilearn's CanICA on the same images.

    By default CanICA weighs all components of a session alike (`do_cca`); ours, and CanICA without
    it, keep their singular values.
    """
    recording, k = bench.recording, bench.n_networks
    rivals = {
        "nilearn CanICA": lambda: canica(recording, k, do_cca=True),
        "the same, do_cca=False": lambda: canica(recording, k, do_cca=False),
    }

    def ours() -> NDArray[np.float32]:
        ica = GroupICA(n_components=k, n_runs=1, normalize="session", seed=SEED)  # as CanICA scales
        return ica.fit(recording).components_

    return Contest(
        what=f"{recording.n_sessions} sessions × {recording.layout.n_units:,} units, K = {k}",
        ours=ours,
        theirs=rivals,
        goals=dict.fromkeys(rivals, Goal(least_times=5)),
        agreement=lambda found: {
            f"median |r| with {name}": _median_r(found[OURS], found[name]) for name in rivals
        },
        is_warm=True,
    )


def canica(recording: Recording, n_networks: int, *, do_cca: bool) -> NDArray[np.float64]:
    """Return the maps that nilearn finds in a recording laid out as images, without smoothing."""
    import nibabel
    from nilearn.decomposition import CanICA

    layout = recording.layout
    shape = (layout.n_layers, layout.widths[0], 1)
    mask = nibabel.Nifti1Image(np.ones(shape, dtype=np.uint8), np.eye(4))
    images = [
        nibabel.Nifti1Image(recording.session(i).T.reshape(*shape, -1), np.eye(4))
        for i in range(recording.n_sessions)
    ]
    found = CanICA(
        n_components=n_networks, mask=mask, smoothing_fwhm=None, detrend=False, threshold=None,
        do_cca=do_cca, n_init=1, standardize="zscore_sample", random_state=SEED, n_jobs=1,
        memory_level=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.fit(images)
    return np.asarray(found.components_)


def layers_row(bench: Bench) -> Contest:
    """Networks of each layer by itself, against the seed paper's procedure."""
    sessions, k = bench.layers, bench.n_networks

    def ours() -> NDArray[np.float32]:
        ica = GroupICA(n_components=k, scope="layer", n_runs=1, seed=SEED)
        return ica.fit(sessions).components_

    return Contest(
        what=f"{sessions.layout.n_layers} layers × {sessions.layout.widths[0]:,} units, "
        f"{sessions.n_tokens:,} tokens, K = {k}",
        ours=ours,
        theirs={"seed paper's procedure": lambda: seed_paper(sessions, k)},
        goals={"seed paper's procedure": Goal(least_times=50)},
        is_warm=True,
    )


def seed_paper(sessions: ArraySessions, n_networks: int) -> list[NDArray[np.float64]]:
    """Return each layer's maps as the authors of arXiv 2508.05239 find them.

    All tokens are standardised, and scikit-learn's FastICA does the rest: whitening by a singular
    value decomposition of (tokens, units), the cube, at most 300 iterations.
    """
    from sklearn.decomposition import FastICA
    from sklearn.preprocessing import StandardScaler

    maps = []
    for layer in range(sessions.layout.n_layers):
        units = sessions.layout.layer_slice(layer)
        signals = np.concatenate(
            [sessions.session(i)[:, units] for i in range(sessions.n_sessions)]
        )
        standardised = StandardScaler().fit_transform(signals)
        ica = FastICA(
            n_components=n_networks, fun="cube", max_iter=300, tol=1e-4, whiten="unit-variance",
            random_state=SEED,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            maps.append(np.asarray(ica.fit_transform(standardised.T).T))
    return maps


def _median_r(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.median(match_maps(a, b)[1]))


ROWS: dict[str, Callable[[Bench], Contest]] = {
    "recording": recording_row,
    "preview": preview_row,
    "perplexity": perplexity_row,
    "ica": ica_row,
    "decomposition": model_row,
    "layers": layers_row,
}

# Growth: how time and memory go with the size of what is decomposed ------------------------------

GROWTH = "growth"
_BASE = {"n_sessions": 4, "n_units": 8192, "n_networks": 32}
_STEPS = (
    ("n_sessions", (4, 16, 64), 1.1),
    ("n_units", (4096, 8192, 32768), 1.1),
    ("n_networks", (32, 64, 128, 256), None),
)


class GeneratedSessions(ArraySessions):
    """Sessions that are drawn when they are read, so that memory does not hold them.

    Parameters
    ----------
    n_sessions, n_units : int
    """

    n_tokens_each = 512

    def __init__(self, *, n_sessions: int, n_units: int) -> None:
        rng = np.random.default_rng(SEED)
        self._maps = rng.laplace(size=(32, n_units)).astype(np.float32)
        super().__init__([self._drawn(0)])
        self.n_sessions, self.n_tokens = n_sessions, n_sessions * self.n_tokens_each
        self._starts = np.arange(n_sessions + 1) * self.n_tokens_each
        self.is_dummy = np.zeros(self.n_tokens, dtype=bool)
        self._signals = []

    def _drawn(self, session: int) -> NDArray[np.float32]:
        rng = np.random.default_rng([SEED, session])
        shape = (self.n_tokens_each, self._maps.shape[1])
        courses = rng.standard_normal((shape[0], 32), dtype=np.float32)
        return courses @ self._maps + rng.standard_normal(shape, dtype=np.float32)

    def session(self, session: int) -> NDArray[np.float32]:
        """Return the signals of a session: (tokens, units)."""
        return self._drawn(session)


def one_size(sizes: Mapping[str, int], *, clock: str) -> dict[str, float]:
    """Return the seconds and the peak memory of one decomposition, in this process."""
    n_networks = sizes["n_networks"]
    sessions = GeneratedSessions(n_sessions=sizes["n_sessions"], n_units=sizes["n_units"])
    warnings.simplefilter("ignore")
    ica = GroupICA(n_components=n_networks, n_runs=1, max_iter=10)  # as many steps at each size
    start = CLOCKS[clock]()
    ica.fit(sessions)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": CLOCKS[clock]() - start, "peak_bytes": peak}


def growth(clock: str) -> dict[str, Any]:
    """Return seconds and memory by size, each in a process of its own, and their exponents."""
    found: dict[str, Any] = {}
    is_met = True
    for name, values, most in _STEPS:
        sizes = [
            json.loads(
                subprocess.run(
                    [
                        sys.executable, __file__, "--clock", clock,
                        "--one-size", json.dumps({**_BASE, name: value}),
                    ],
                    check=True, capture_output=True, text=True,
                ).stdout
            )
            for value in values
        ]  # fmt: skip
        exponents = {
            what: float(np.polyfit(np.log(values), np.log([s[what] for s in sizes]), 1)[0])
            for what in ("seconds", "peak_bytes")
        }
        flat = name != "n_sessions" or exponents["peak_bytes"] < 0.1
        met = flat and (most is None or exponents["seconds"] <= most)
        is_met &= met
        found[name] = {
            "values": list(values),
            "sizes": sizes,
            "exponents": {k: round(v, 3) for k, v in exponents.items()},
            "is_met": met,
        }
    return {"what": f"decomposition from {_BASE}", "steps": found, "is_met": is_met}


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "versions": package_versions(),
    }


def main() -> int:
    """Measure the rows that were asked for, and print them; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join([*ROWS, GROWTH]), help="of %(default)s")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--sessions", type=int, default=32)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--networks", type=int, default=64)
    parser.add_argument("--workspace", type=Path, default=Workspace.default().root)
    parser.add_argument("--one-size", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_size:
        print(json.dumps(one_size(options.one_size, clock=options.clock)))
        return 0
    names = options.rows.split(",")
    if unknown := set(names) - {*ROWS, GROWTH}:
        parser.error(f"no rows {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}, {GROWTH}")
    options.workspace.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        n_windows=options.windows, n_sessions=options.sessions, n_layers=options.layers,
        n_networks=options.networks, workspace=Workspace(options.workspace),
        can_be_apart=options.clock == "wall",
    )  # fmt: skip
    clock = CLOCKS[options.clock]
    rows = {
        name: row(bench).measured(n_rounds=options.rounds, clock=clock)
        for name, row in ROWS.items()
        if name in names
    }
    print(table(rows))
    every = {**rows, **({GROWTH: growth(options.clock)} if GROWTH in names else {})}
    result = {"machine": machine(), "clock": options.clock, "rows": every}
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return 0 if all(row["is_met"] for row in every.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
