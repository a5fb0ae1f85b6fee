"""Recordings: the activation of every unit at every token of some texts, on disk.

The signal is what enters each layer's output projection, in the words of fMRI the BOLD signal:
a unit is a voxel, a token is a TR, a window is a session.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fnprune_core.errors import CorruptArtifactError, SettingsError, SignalsNotKeptError
from fnprune_core.inputs.numbers import MOST_NETWORKS, MOST_SEED, check_most
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.deviations import Deviations
from fnprune_core.recording.moments import SessionMoments, open_array
from fnprune_core.recording.pages import release_pages
from fnprune_core.recording.reading import PER_SESSION
from fnprune_core.recording.sessions import StoredSession, runs_of_sessions
from fnprune_core.recording.summary import Summary
from fnprune_core.recording.writer import SIGNALS
from fnprune_core.storage.checksums import Blocks, checked, damage_told
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import STORED, Windows

#: Bounds of what can be asked for; above any model and disk.
MOST_WINDOW = 1 << 24
MOST_BATCH = 1 << 16
MOST_TOKENS = 10**12

KEPT = ("all", "summary")
_TOKENS_AT_ONCE = 2048  # of one layer, whose products are summed in float32


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings:
    """How texts are cut and read.

    Parameters
    ----------
    window : int
        Tokens per session.
    n_dummy_tokens : int
        First tokens of each session that statistics leave out (attention sinks).
    max_tokens : int or None
        Upper bound, in whole windows.
    batch_size : int
        Sessions that are read together, at least one for each thread of a CPU; does not change
        the signals.
    pack : bool
        Join the documents of a domain before cutting, for documents shorter than a window.
    seed : int or None
        Draws the windows that are read where `max_tokens` leaves some out; None takes them from
        all documents in turn.
    keep : {"all", "summary"}
        Every unit's activation at every token; or what atlases, scores and refits need of them:
        moments, group components and Gram matrices (see `summary`), so that disk grows with the
        number of networks instead of units times tokens. The texts are then read three times.
    most_networks : int
        Of a summary: up to so many networks can be found in it.
    chat : bool
        Put each document into the model's chat template, as what a user says.
    """

    window: int = 512
    n_dummy_tokens: int = 4
    max_tokens: int | None = 16384
    batch_size: int = 4
    pack: bool = False
    seed: int | None = None
    keep: str = "all"
    most_networks: int = 64
    chat: bool = False

    def __post_init__(self) -> None:
        check_most("window", self.window, MOST_WINDOW)
        check_most("batch_size", self.batch_size, MOST_BATCH)
        check_most("max_tokens", self.max_tokens or 0, MOST_TOKENS)
        check_most("seed", self.seed or 0, MOST_SEED)
        if self.window < 8:
            raise SettingsError(f"A window needs at least 8 tokens, got {self.window}.")
        if not 0 <= self.n_dummy_tokens < self.window:
            raise SettingsError(
                f"Dummy tokens must be 0 to {self.window - 1} of a window, "
                f"got {self.n_dummy_tokens}."
            )
        if self.batch_size < 1:
            raise SettingsError(f"The batch size must be at least 1, got {self.batch_size}.")
        if self.max_tokens is not None and self.max_tokens < self.window:
            raise SettingsError(
                f"max_tokens is {self.max_tokens}, one window is {self.window} tokens.",
                hint="Allow at least one window.",
            )
        if self.seed is not None and self.seed < 0:
            raise SettingsError(f"A seed is 0 or more, got {self.seed}.")
        if self.keep not in KEPT:
            raise SettingsError(f"What is kept is one of {', '.join(KEPT)}, got {self.keep!r}.")
        if not 1 <= self.most_networks <= MOST_NETWORKS:
            raise SettingsError(
                f"most_networks is 1 to {MOST_NETWORKS:,}, got {self.most_networks}."
            )


class Recording(SessionMoments):
    """A recording in a workspace, read through memory maps.

    Parameters
    ----------
    folder : Path
        An artifact folder written by `record`.

    Attributes
    ----------
    layout : UnitLayout
    windows : Windows
        The text that was read.
    is_dummy, mean, std, dummy_max : ndarray
        As `SessionMoments` has them.
    tokens : DataFrame
        One row per token: session, position, token_id, text, document, domain, is_dummy,
        log_probability (natural logarithm; missing for the first token of a session).
    summary : Summary or None
        What is kept in place of the signals, if these are not.
    """

    def __init__(self, folder: Path) -> None:
        manifest = read_manifest(folder)
        if manifest["kind"] != "recordings":
            raise CorruptArtifactError(f"{folder} is not a recording but {manifest['kind']}.")
        self.folder = folder
        self.id: str = folder.name
        self.manifest: dict[str, Any] = manifest
        with damage_told(folder, "Delete it and record again."):
            self._open(manifest)

    def _open(self, manifest: dict[str, Any]) -> None:
        folder = self.folder
        layout = UnitLayout(
            tuple(manifest["widths"]), tuple(map(tuple, manifest.get("expert_sizes", ())))
        )
        self.fingerprint: str = manifest["inputs"]["fingerprint"]
        self.model_name: str = manifest["model_name"]
        self.dtype: str = manifest["inputs"]["dtype"]
        self.tokens = pd.read_parquet(checked(folder, manifest, "tokens.parquet"))
        windows = _windows_of(manifest, self.tokens)
        self.keep: str = manifest["inputs"].get("keep", "all")
        if self.keep == "all":
            self._signals = open_array(
                folder / SIGNALS, np.float16, (windows.n_tokens, layout.n_units)
            )
            self._blocks = Blocks(folder / SIGNALS, manifest)
        sessions = (windows.n_windows, layout.n_units)
        super().__init__(
            windows,
            layout,
            {
                name: open_array(
                    checked(folder, manifest, f"{name}.{code}"), np.dtype(code), sessions
                )
                for name, code in PER_SESSION.items()
            },
        )
        self.summary = None if self.keep == "all" else Summary(folder, manifest, self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Send its folder to another process, where it is opened once."""
        return _opened, (self.folder.resolve(),)

    @contextmanager
    def stored(self, session: int, *, layer: int | None = None) -> Iterator[StoredSession]:
        """Hand out a session, or one layer of it, as it is stored; then let its pages go."""
        self._need_signals()
        units = slice(None) if layer is None else self.layout.layer_slice(layer)
        rows = self.session_slice(session)
        self._check_signals(rows.start, rows.stop)
        try:
            yield StoredSession(
                values=self._signals[rows, units], scales=self.scales[session, units].copy()
            )
        finally:
            release_pages(self._signals, rows)

    def session(self, session: int, *, layer: int | None = None) -> NDArray[np.float32]:
        """Return the signals of a session, or of one layer in it: (tokens, units)."""
        with self.stored(session, layer=layer) as stored:
            return stored.signals()

    def deviations(self, session: int) -> Deviations:
        """Return how far a session's signals are from their means.

        Of a summary: as far as its components hold them, and how much is beyond these.
        """
        if self.summary is not None:
            return self.summary.deviations(session)
        values = torch.from_numpy(self.session(session)).sub_(torch.from_numpy(self.mean))
        return Deviations(values=values)

    def squares(self, tokens: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return each unit's squared distance from its mean at some tokens: (n, units).

        Of a summary: what is to be expected from its components and the session's variance.
        """
        if self.summary is None:
            for token in tokens:
                self._check_signals(int(token), int(token) + 1)
            scales = np.asarray(self.scales[self.windows.session[tokens]])
            rows = self._signals[tokens].astype(np.float32) * scales
            return np.asarray(np.square(rows - self.mean), dtype=np.float32)
        squares = np.empty((len(tokens), self.layout.n_units), dtype=np.float32)
        session_of_token = self.windows.session[tokens]
        for session in np.unique(session_of_token):
            is_here = session_of_token == session
            rows_here = tokens[is_here] - self.session_slice(int(session)).start
            squares[is_here] = self.deviations(int(session)).square_().numpy()[rows_here]
        return squares

    def unit(self, unit: int) -> NDArray[np.float32]:
        """Return one unit's activation at every token: (n_tokens,); touches a page a token."""
        self._need_signals()
        self._check_signals(0, self.n_tokens)
        scales = np.asarray(self.scales[:, unit])
        signal = self._signals[:, unit].astype(np.float32)
        release_pages(self._signals)
        return np.asarray(signal * scales[self.windows.session], dtype=np.float32)

    def _check_signals(self, start: int, stop: int) -> None:
        row = 2 * self.layout.n_units  # float16
        self._blocks.check(start * row, stop * row)

    def _need_signals(self) -> None:
        """Raise `SignalsNotKeptError` if this recording keeps a summary in their place."""
        if self.keep != "all":
            raise SignalsNotKeptError(
                "This needs the activation of single units at single tokens, and recording "
                f"{self.id} keeps a summary in place of them.",
                hint="Record the texts again and keep all (--keep all).",
            )

    def weighted_moments(
        self,
        weights: NDArray[np.floating],
        *,
        progress: Progress = ignore,
        cancel: CancelToken = NEVER,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weighted mean and variance of each unit over tokens: (n_units,) each.

        Parameters
        ----------
        weights : ndarray (n_tokens,)
            Non-negative; 0 leaves a token out.
        """
        centre = torch.from_numpy(self.mean)
        first = torch.zeros(self.layout.n_units, dtype=torch.float64)
        second = torch.zeros_like(first)
        for index in range(self.n_sessions):
            cancel.raise_if_cancelled()
            weight = torch.from_numpy(weights[self.session_slice(index)].astype(np.float32))
            deviations = self.deviations(index)
            first += (weight @ deviations.values).double()
            second += (weight @ deviations.square_()).double()
            progress(
                ProgressEvent(
                    stage="moments", done=index + 1, total=self.n_sessions, unit="sessions"
                )
            )
        total = float(weights.sum(dtype=np.float64))
        if not total > 0:
            raise SettingsError("No token has any weight.", hint="Preserve other networks.")
        shift = first / total
        variance = (second / total - shift.square()).clamp_(min=0)
        return (centre.double() + shift).numpy(), variance.numpy()

    def weighted_gram(
        self, layer: int, weights: NDArray[np.floating], *, part: slice = slice(None)
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return Σ_t w_t x_t x_tᵀ / Σ_t w_t of a layer, (units, units), and the weighted mean.

        Of some neighbouring units of it, if `part` says which. Memory: two matrices of units²,
        one in float64. Cost: O(tokens · units²), half of it saved by symmetry; what comes next is
        read meanwhile.
        """
        if self.summary is not None:
            gram, mean = self.summary.weighted_gram(layer, weights)
            return gram[part, part], mean[part]
        width = len(range(self.layout.widths[layer])[part])
        gram, weighted_sum = np.zeros((width, width)), np.zeros(width)
        with ThreadPoolExecutor(max_workers=1) as reader:
            runs = deque(runs_of_sessions(self, _TOKENS_AT_ONCE))
            waiting = reader.submit(self._signals_of, runs[0], layer, part)
            while runs:
                sessions = runs.popleft()
                x = waiting.result()
                if runs:
                    waiting = reader.submit(self._signals_of, runs[0], layer, part)
                tokens = slice(
                    self.session_slice(sessions[0]).start, self.session_slice(sessions[-1]).stop
                )
                session_weights = weights[tokens].astype(np.float32)
                weighted_sum += session_weights @ x
                x *= np.sqrt(session_weights)[:, None]
                gram += x.T @ x
        total = float(weights.sum())
        gram /= total
        return gram, weighted_sum / total

    def _signals_of(self, sessions: range, layer: int, part: slice) -> NDArray[np.float32]:
        return np.concatenate([self.session(session, layer=layer)[:, part] for session in sessions])

    def expert_shares(self, layer: int) -> NDArray[np.float64] | None:
        """Return the share of all tokens that each expert of a layer saw; None without experts."""
        shares = self.manifest.get("expert_shares")
        return None if shares is None else np.asarray(shares[layer], dtype=np.float64)

    def routing(self) -> pd.DataFrame | None:
        """Return one row per expert: layer, expert, units, share of tokens that it saw.

        None in a model without experts; its layers without experts have one row of share 1.
        """
        if not self.layout.expert_sizes:
            return None
        rows = [
            (layer, expert, size, share)
            for layer, sizes in enumerate(self.layout.expert_sizes)
            for expert, (size, share) in enumerate(
                zip(sizes, self.manifest["expert_shares"][layer], strict=True)
            )
        ]
        return pd.DataFrame(rows, columns=["layer", "expert", "units", "share"])

    def layer_statistics(self) -> pd.DataFrame:
        """Return one row per layer: units, alive, mean |mean|, median and maximum deviation."""
        alive = self.layout.split(self.alive)
        std = self.layout.split(self.std)
        mean = self.layout.split(self.mean)
        dummy_max = self.layout.split(self.dummy_max)
        return pd.DataFrame(
            {
                "layer": np.arange(self.layout.n_layers),
                "units": self.layout.widths,
                "alive": [int(values.sum()) for values in alive],
                "mean_activation": [float(values.mean()) for values in mean],
                "median_sd": [float(np.median(values)) for values in std],
                "max_sd": [float(values.max()) for values in std],
                "max_on_dummy_tokens": [float(values.max()) for values in dummy_max],
            }
        )


def _windows_of(manifest: dict[str, Any], tokens: pd.DataFrame) -> Windows:
    facts = manifest["windows"]
    session = tokens["session"].to_numpy()
    starts = np.concatenate([np.flatnonzero(np.diff(session, prepend=-1)), [len(session)]])
    return Windows(
        token_ids=tokens["token_id"].to_numpy(dtype=np.int32),
        starts=starts.astype(np.int64),
        document_index=np.asarray(tokens["document"].cat.codes, dtype=np.int32),
        domain_index=np.asarray(tokens["domain"].cat.codes, dtype=np.int32),
        **{name: facts[name] for name in STORED},
        chat=bool(manifest["inputs"].get("chat", False)),
    )


@lru_cache(maxsize=1)
def _opened(folder: Path) -> Recording:
    return Recording(folder)


def open_recording(workspace: Workspace, recording_id: str) -> Recording:
    """Return a recording of the workspace; `recording_id` may be an unambiguous beginning."""
    return Recording(workspace.existing("recordings", recording_id))
