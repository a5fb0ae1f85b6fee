"""A recording reduced while the model reads: sessions come, are added to sums, and go."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.machine.threads import product
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import CancelToken, Progress, ProgressEvent
from fnprune_core.recording.gram_file import GramSums
from fnprune_core.recording.group_pca import carried_rows, sizes_for
from fnprune_core.recording.moments import SessionMoments
from fnprune_core.recording.reading import Reader, ReadWindows
from fnprune_core.recording.sessions import Sessions, StoredSession, normalised, runs_of_sessions
from fnprune_core.recording.summary import BASIS, GRAM, GROUP, PRODUCTS, PROJECTIONS
from fnprune_core.texts.windows import Windows, batches_of, stacked_ids

#: Of sessions that are gathered before they are added to the Gram matrices, which are read and
#: written each time: 15.5 GB together of a 7B model.
GATHERED_BYTES = 3 << 30


class ReadSessions(SessionMoments):
    """Sessions that the model reads when they are asked for; a batch is in memory.

    Parameters
    ----------
    per_session : mapping of str to ndarray
        Moments of an earlier reading.
    batch_size : int
        Sessions that are read together, when the first of them is asked for.
    """

    id, fingerprint = "", ""

    def __init__(
        self,
        language_model: LanguageModel,
        windows: Windows,
        per_session: Mapping[str, NDArray[Any]],
        *,
        batch_size: int,
    ) -> None:
        super().__init__(windows, language_model.layout, per_session)
        self.language_model = language_model
        # One buffer: what is asked for is copied before the next pass.
        self._reader = Reader(language_model, n_dummy_tokens=windows.n_dummy_tokens, n_buffers=1)
        self._fitting = self._reader.fitting(windows.window, most=batch_size)
        self._batch_of = {i: b for b in batches_of(windows, self._fitting.most) for i in b}
        self._batch, self._read = range(0), _NOTHING

    def _read_batch(self, batch: range) -> ReadWindows:
        ids = stacked_ids(self.windows, batch)
        with self.language_model.pace.timed("recording", ids.numel()):
            return self._reader.read(ids)

    @contextmanager
    def stored(self, session: int) -> Iterator[StoredSession]:
        """Hand out a session, rounded as a recording stores it."""
        if session not in self._batch:
            batch = range(session, self._batch_of[session].stop)
            self._batch, self._read = next(self._fitting.parts(batch, self._read_batch))
        row = session - self._batch.start
        tokens = self.session_slice(session)
        n_tokens = tokens.stop - tokens.start
        yield StoredSession(
            values=self._read.signals[row * n_tokens : (row + 1) * n_tokens],
            scales=self._read.per_session["scales"][row],
        )

    def session(self, session: int) -> NDArray[np.float32]:
        """Return the signals of a session, rounded as a recording stores them: (tokens, units)."""
        with self.stored(session) as stored:
            return stored.signals()


_NOTHING = ReadWindows(
    signals=np.zeros((0, 0), dtype=np.float16),
    per_session={},
    log_probabilities=np.zeros((0, 0), dtype=np.float32),
    is_finite=np.zeros((0, 0), dtype=np.bool_),
    expert_tokens=np.zeros((0, 0), dtype=np.int32),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """Directions over alive units, and the group components in them.

    Parameters
    ----------
    rows : ndarray (r, n_alive)
        Orthonormal; the constant and the components lie in their span.
    group : ndarray (n_carried, r)
        The components, singular values kept.
    """

    rows: NDArray[np.float32]
    group: NDArray[np.float32]


def reduce_sessions(
    folder: Path,
    sessions: Sessions,
    *,
    most_networks: int,
    progress: Progress,
    cancel: CancelToken,
) -> dict[str, int]:
    """Reduce sessions to the files of a `Summary`, in two passes over them; return their sizes.

    What an earlier try left is written anew. Memory: a session in float32 as it is read, as many
    scaled ones as `GATHERED_BYTES` hold but one at least, and a few matrices of the basis's size.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    basis = _basis(
        sessions, most_networks=most_networks, device=device, progress=progress, cancel=cancel
    )
    basis.rows.tofile(folder / BASIS)
    basis.group.tofile(folder / GROUP)
    _project(folder, sessions, basis, device=device, progress=progress, cancel=cancel)
    n_carried, n_rows = basis.group.shape
    return {"n_rows": n_rows, "n_carried": n_carried}


def _basis(
    sessions: Sessions,
    *,
    most_networks: int,
    device: torch.device,
    progress: Progress,
    cancel: CancelToken,
) -> Basis:
    """Find the group components as a decomposition does, and a basis of them: one pass."""
    usable = [
        int((~sessions.is_dummy[sessions.session_slice(i)]).sum())
        for i in range(sessions.n_sessions)
    ]
    alive = np.flatnonzero(sessions.alive)
    carried = carried_rows(
        sessions,
        [alive],
        n_components=sizes_for(most_networks, min(n for n in usable if n)),
        normalize="recording",
        device=device,
        progress=progress,
        cancel=cancel,
    )[0].cpu()
    constant = torch.ones(1, len(alive), dtype=torch.float32)
    directions, mixture = torch.linalg.qr(torch.cat([constant, carried]).T)
    return Basis(
        rows=np.ascontiguousarray(directions.T.numpy()),
        group=np.ascontiguousarray(mixture[:, 1:].T.numpy()),
    )


def gathered_tokens(n_units: int) -> int:
    """Return how many tokens are gathered at most, where a session has no more."""
    return max(1, GATHERED_BYTES // (4 * n_units))


def _project(
    folder: Path,
    sessions: Sessions,
    basis: Basis,
    *,
    device: torch.device,
    progress: Progress,
    cancel: CancelToken,
) -> None:
    """Write projections, products and Gram matrices: one pass."""
    n_units = sessions.layout.n_units
    alive = torch.from_numpy(np.flatnonzero(sessions.alive)).to(device)
    # At 0 for units that are not alive, as their signals are: none of these has to be cut out.
    rows = torch.zeros(len(basis.rows), n_units, dtype=torch.float32, device=device)
    rows[:, alive] = torch.from_numpy(basis.rows).to(device)
    products = torch.zeros_like(rows)
    runs = runs_of_sessions(sessions, gathered_tokens(n_units))
    room = torch.empty(
        max(len(_is_usable(sessions, run)) for run in runs), n_units,
        dtype=torch.float32, device=device,
    )  # fmt: skip
    gram = GramSums(folder / GRAM, sessions.layout.widths)
    with (folder / PROJECTIONS).open("wb") as file:
        for run in runs:
            n_gathered = 0
            for session in run:
                cancel.raise_if_cancelled()
                z = normalised(
                    sessions, session, normalize="recording", device=device, room=room[n_gathered:]
                )
                n_gathered += len(z)
                projections = product(z, rows.T)
                file.write(projections.cpu().numpy().data)
                n_dummy = int(sessions.is_dummy[sessions.session_slice(session)].sum())
                usable = slice(n_dummy, None)  # dummy tokens are the first ones
                products += product(projections[usable].T, z[usable])
                if session == run[-1]:
                    _add_to_gram(gram, sessions, run, room, cancel)
                progress(
                    ProgressEvent(
                        stage="projecting",
                        done=session + 1,
                        total=sessions.n_sessions,
                        unit="sessions",
                    )
                )
    products[:, alive].cpu().numpy().tofile(folder / PRODUCTS)


def _is_usable(sessions: Sessions, run: range) -> NDArray[np.bool_]:
    """Return which tokens of neighbouring sessions are not dummy."""
    start, stop = sessions.session_slice(run[0]).start, sessions.session_slice(run[-1]).stop
    return ~sessions.is_dummy[start:stop]


def _add_to_gram(
    gram: GramSums, sessions: Sessions, run: range, gathered: torch.Tensor, cancel: CancelToken
) -> None:
    """Add what was gathered of neighbouring sessions to each layer's matrix."""
    usable = torch.from_numpy(np.flatnonzero(_is_usable(sessions, run))).to(gathered.device)
    for layer in range(sessions.layout.n_layers):
        cancel.raise_if_cancelled()
        units = sessions.layout.layer_slice(layer)
        gram.add(layer, gathered[:, units].index_select(0, usable))
