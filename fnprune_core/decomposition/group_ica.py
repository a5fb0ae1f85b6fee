"""Group ICA of recordings: session PCA, incremental group PCA, spatial ICA, time courses."""

import itertools
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import Tensor

from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.decomposition.ica import (
    ALGORITHMS,
    IcaRun,
    IcaSettings,
    as_z_maps,
    run_ica,
    whiten,
)
from fnprune_core.decomposition.order import energy_order
from fnprune_core.decomposition.reduction import time_courses, time_courses_of_summary
from fnprune_core.decomposition.stability import run_agreement
from fnprune_core.errors import (
    NotConvergedWarning,
    SettingsError,
    SignalsNotKeptError,
    TooFewTokensError,
)
from fnprune_core.inputs.numbers import MOST_NETWORKS, MOST_SEED
from fnprune_core.machine import memory, workers
from fnprune_core.machine.threads import of_each
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.group_pca import group_pca, sizes_for
from fnprune_core.recording.recording import open_recording
from fnprune_core.recording.sessions import ArraySessions, Sessions, blocks_of
from fnprune_core.recording.summary import Summary
from fnprune_core.storage.manifests import artifact_id
from fnprune_core.storage.workspace import Workspace

#: Bounds of what can be asked for: each run is kept until the last, and each seed is drawn.
MOST_RUNS = 1000
MOST_ITERATIONS = 1_000_000

#: What networks of a recording that keeps a summary are found by: it was made for that.
OF_SUMMARY: dict[str, Any] = {
    "scope": "model", "normalize": "recording", "n_session_components": None,
}  # fmt: skip


def _one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: value in choices


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and low <= value <= high


_CONSTRAINTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "n_components": (_whole(1, MOST_NETWORKS), f"an integer from 1 to {MOST_NETWORKS:,}"),
    "scope": (_one_of("model", "layer"), "model or layer"),
    "algorithm": (_one_of(*ALGORITHMS), " or ".join(ALGORITHMS)),
    "fun": (_one_of("cube", "logcosh"), "cube or logcosh"),
    "n_runs": (_whole(1, MOST_RUNS), f"an integer from 1 to {MOST_RUNS:,}"),
    "normalize": (_one_of("recording", "session"), "recording or session"),
    "n_session_components": (
        lambda v: v is None or _whole(1, MOST_NETWORKS)(v),
        f"None or an integer from 1 to {MOST_NETWORKS:,}",
    ),
    "max_iter": (_whole(1, MOST_ITERATIONS), f"an integer from 1 to {MOST_ITERATIONS:,}"),
    "tol": (lambda v: isinstance(v, int | float) and 0 < v < float("inf"), "above 0, and finite"),
    "seed": (_whole(0, MOST_SEED), "an integer from 0, below 2^63"),
}


class GroupICA(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Functional networks of a recording by group spatial ICA.

    Session PCA keeps singular values, group PCA is incremental (MIGP, Smith et al. 2014) so
    that memory does not grow with the number of sessions, and ICA is spatial (Calhoun et al.
    2001). The result is the converged run of highest contrast; the others measure how far runs
    agree.

    Parameters
    ----------
    n_components : int
        Networks K, in the whole model or in each layer.
    scope : {"model", "layer"}
        Networks that span layers, or each layer by itself (as in arXiv 2508.05239).
    algorithm : {"fastica", "picard"}
    fun : {"cube", "logcosh"}
        Contrast function.
    n_runs : int
        Runs from random starts.
    normalize : {"recording", "session"}
        Scale of a unit: over the whole recording, which keeps differences between sessions
        (domains), or within each session, as is usual for fMRI.
    n_session_components : int or None
        Components kept of each session; None takes 2 K, or as many as a session has tokens.
    max_iter, tol : int, float
        Stopping rule of a run.
    seed : int
        Starts of the runs are spawned from it.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``; float64 ICA on the CPU, float32 on a GPU.

    Attributes
    ----------
    result_ : Decomposition
    components_ : ndarray (K, n_units)
        ``result_.spatial_maps``.
    n_iter_ : int
        Iterations of the longest run.
    """

    def __init__(  # noqa: PLR0913 - an estimator's settings, as scikit-learn has them
        self,
        *,
        n_components: int = 64,
        scope: str = "model",
        algorithm: str = "fastica",
        fun: str = "cube",
        n_runs: int = 5,
        normalize: str = "recording",
        n_session_components: int | None = None,
        max_iter: int = 400,
        tol: float = 1e-4,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.n_components = n_components
        self.scope = scope
        self.algorithm = algorithm
        self.fun = fun
        self.n_runs = n_runs
        self.normalize = normalize
        self.n_session_components = n_session_components
        self.max_iter = max_iter
        self.tol = tol
        self.seed = seed
        self.device = device

    def settings(self) -> dict[str, Any]:
        """Return the parameters that determine the result, checked."""
        for name, (is_valid, expected) in _CONSTRAINTS.items():
            value = getattr(self, name)
            if not is_valid(value):
                raise SettingsError(f"{name} must be {expected}, got {value!r}.")
        return {name: getattr(self, name) for name in _CONSTRAINTS}

    @memory.kept()
    def fit(
        self,
        recording: Sessions | Sequence[NDArray[np.floating]],
        y: None = None,
        *,
        progress: Progress = ignore,
        cancel: CancelToken = NEVER,
    ) -> Self:
        """Find networks shared by all sessions of a recording.

        Parameters
        ----------
        recording : Recording, ArraySessions, or sequence of ndarray (tokens, units)
            Tokens flagged as dummy are left out of the decomposition.
        y : None
            Ignored; scikit-learn's convention.

        Returns
        -------
        self
            With ``result_`` and ``components_``. Runs that hit ``max_iter`` are counted in a
            `NotConvergedWarning`.

        Raises
        ------
        SettingsError
            If K is more than the data can hold.
        TooFewTokensError
            If a session has fewer usable tokens than ``n_session_components``.
        NonFiniteError
            If a signal is NaN or infinite.
        SignalsNotKeptError
            If the recording keeps a summary, and these settings need its signals.
        """
        settings = self.settings()
        sessions = recording if isinstance(recording, Sessions) else ArraySessions(recording)
        device = _linear_algebra_device(self.device)
        blocks = blocks_of(sessions, self.scope)
        sizes = self._checked_sizes(sessions, blocks)
        summary = self._summary_of(sessions)
        reduced = (
            group_pca(
                sessions, blocks, n_components=sizes,
                normalize=self.normalize, device=device, progress=progress, cancel=cancel,
            )
            if summary is None
            else [summary.group_pca(self.n_components, device=device)]
        )  # fmt: skip
        maps, iq, n_iter, converged = self._unmix(sessions, blocks, reduced, progress, cancel)
        courses = (
            time_courses(
                sessions, blocks, maps, normalize=self.normalize, device=device,
                progress=progress, cancel=cancel,
            )
            if summary is None
            else time_courses_of_summary(summary, maps[0])
        )  # fmt: skip
        usable = courses.strengths[:, ~sessions.is_dummy]
        energy = np.square(usable, dtype=np.float64).sum(axis=1)
        full_maps = _full_maps(maps, blocks, sessions.layout.n_units)
        order = energy_order(energy, full_maps)
        layer = np.repeat(
            np.arange(len(blocks)) if self.scope == "layer" else [-1], [len(m) for m in maps]
        )
        self.result_ = Decomposition(
            spatial_maps=full_maps[order],
            time_courses=courses.strengths[order],
            run_agreement=iq[order],
            variance_alone=courses.variance_alone[order],
            variance_left_out=courses.variance_left_out[order],
            variance_explained=courses.variance_explained,
            layer_of_network=layer[order].astype(np.int64),
            alive=sessions.alive.copy(),
            n_iter=n_iter,
            converged=converged,
            layout=sessions.layout,
            recording_id=sessions.id,
            fingerprint=sessions.fingerprint,
            settings=settings,
        )
        self.components_ = self.result_.spatial_maps
        self.n_iter_ = int(n_iter.max())
        return self

    def _checked_sizes(
        self, sessions: Sessions, blocks: list[NDArray[np.int64]]
    ) -> tuple[int, int]:
        """Return (components of a session, networks); refuses more than the data can hold."""
        usable = [
            int((~sessions.is_dummy[sessions.session_slice(i)]).sum())
            for i in range(sessions.n_sessions)
        ]
        fewest, total = min(usable), sum(usable)
        n_alive = min(len(block) for block in blocks)
        if n_alive < 2:
            where = "In some layer" if self.scope == "layer" else "In the model"
            raise SettingsError(
                f"{where} only {n_alive} units vary, too few to decompose.",
                hint="Record more varied texts, or choose the scope model.",
            )
        max_networks = min(total, n_alive - 1)
        k = self.n_components
        if k > max_networks:
            raise SettingsError(
                f"{k} networks are more than these data can hold: {total} usable tokens and "
                f"{n_alive} alive units allow at most {max_networks}.",
                hint=f"Choose K of at most {max_networks}, or record more tokens.",
            )
        n_requested = self.n_session_components
        if n_requested is not None and n_requested > fewest:
            raise TooFewTokensError(
                f"n_session_components is {n_requested}, but a session has only {fewest} usable "
                "tokens.",
                hint=f"Use at most {fewest}, or a longer window.",
            )
        m, _ = sizes_for(k, fewest, asked=n_requested)
        if m * sessions.n_sessions < k:
            raise SettingsError(
                f"{sessions.n_sessions} sessions of {m} components give at most "
                f"{m * sessions.n_sessions} networks, asked for {k}.",
                hint="Raise n_session_components, lower K, or record more sessions.",
            )
        return m, k

    def _summary_of(self, sessions: Sessions) -> Summary | None:
        """Return the summary that a recording keeps in place of signals, if it holds the answer."""
        summary: Summary | None = getattr(sessions, "summary", None)
        if summary is None:
            return None
        for name, value in OF_SUMMARY.items():
            if getattr(self, name) != value:
                raise SignalsNotKeptError(
                    f"{name} is {getattr(self, name)!r}, and recording {sessions.id} keeps a "
                    f"summary that was made for {value!r}.",
                    hint=f"Choose {value}, or record the texts again and keep all (--keep all).",
                )
        if self.n_components > summary.most_networks:
            raise SignalsNotKeptError(
                f"Recording {sessions.id} keeps a summary, in which up to {summary.most_networks} "
                f"networks can be found, not {self.n_components}.",
                hint="Lower K, or record the texts again with a larger --most-networks.",
            )
        return summary

    def _unmix(
        self,
        sessions: Sessions,
        blocks: list[NDArray[np.int64]],
        reduced: list[Tensor],
        progress: Progress,
        cancel: CancelToken,
    ) -> tuple[
        list[NDArray[np.float32]], NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]
    ]:
        """Run ICA on each block; return maps per block, Iq, iterations and convergence."""
        ica = IcaSettings(fun=self.fun, max_iter=self.max_iter, tol=self.tol)  # type: ignore[arg-type]  # checked in settings()
        seeds = np.random.SeedSequence(self.seed).spawn(self.n_runs * len(blocks))
        total = self.n_runs * len(blocks)
        device = reduced[0].device
        precision = torch.float64 if device.type == "cpu" else torch.float32
        lock, ended = threading.Lock(), itertools.count(1)
        progress(ProgressEvent(stage="ica", done=0, total=total, unit="runs"))

        def unmixed(block: int) -> _Unmixed:
            white, rank = whiten(reduced[block].to(precision))
            if rank < self.n_components:
                raise SettingsError(
                    f"The signals have only {rank} independent components, asked for "
                    f"{self.n_components} networks.",
                    hint=f"Choose K of at most {rank}, or record more varied texts.",
                )
            work = partial(run_ica, white, algorithm=self.algorithm, settings=ica, cancel=cancel)
            own_seeds = seeds[block * self.n_runs : (block + 1) * self.n_runs]
            found_runs: dict[int, IcaRun] = {}
            for number, run in workers.each(work, own_seeds, cancel=cancel):
                found_runs[number] = run
                with lock:  # several blocks may be under way
                    n_done = next(ended)
                    progress(ProgressEvent(stage="ica", done=n_done, total=total, unit="runs"))
            runs = [found_runs[number] for number in range(self.n_runs)]
            best = max(range(self.n_runs), key=lambda i: (runs[i].converged, runs[i].contrast))
            maps_by_run = [run.sources.cpu().numpy() for run in runs]
            return _Unmixed(
                maps=as_z_maps(maps_by_run[best]),
                agreement=run_agreement(maps_by_run, best),
                n_iter=[run.n_iter for run in runs],
                converged=[run.converged for run in runs],
            )

        numbers = range(len(blocks))
        if workers.is_spread():  # each block's runs are
            found = [unmixed(block) for block in numbers]
        else:
            found = of_each(unmixed, numbers, device=device)
        n_iter = np.max([each.n_iter for each in found], axis=0).astype(np.int64)
        converged = np.all([each.converged for each in found], axis=0)
        if not converged.all():
            warnings.warn(
                f"{int((~converged).sum())} of {self.n_runs} ICA runs stopped at "
                f"max_iter={self.max_iter} before they converged; raise max_iter, lower "
                "n_components or record more tokens.",
                NotConvergedWarning,
                stacklevel=3,
            )
        agreement = np.concatenate([each.agreement for each in found])
        return [each.maps for each in found], agreement, n_iter, converged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Unmixed:
    """One block's maps, how far its runs agree, and how each of them ended."""

    maps: NDArray[np.float32]
    agreement: NDArray[np.float64]
    n_iter: list[int]
    converged: list[bool]


def _linear_algebra_device(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def _full_maps(
    maps: list[NDArray[np.float32]], blocks: list[NDArray[np.int64]], n_units: int
) -> NDArray[np.float32]:
    full = np.zeros((sum(len(block_maps) for block_maps in maps), n_units), dtype=np.float32)
    row = 0
    for block_maps, units in zip(maps, blocks, strict=True):
        full[row : row + len(block_maps), units] = block_maps
        row += len(block_maps)
    return full


def decompose(
    workspace: Workspace,
    recording_id: str,
    *,
    settings: GroupICA,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Find a recording's networks; return the decomposition's id.

    Runs that did not converge give a `NotConvergedWarning` and are False in ``converged``.
    """
    recording = open_recording(workspace, recording_id)
    inputs = {"recording_id": recording.id, "settings": settings.settings()}
    id = artifact_id("decompositions", inputs)
    if not workspace.has("decompositions", id):
        settings.fit(recording, progress=progress, cancel=cancel)
        settings.result_.save(workspace.folder("decompositions", id), inputs)
    return id
