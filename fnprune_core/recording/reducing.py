"""A recording reduced while the model reads: sessions come, are added to sums, and go."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import CancelToken, Progress, ProgressEvent
from fnprune_core.recording.group_pca import carried_rows, columns, room_for, sizes_for
from fnprune_core.recording.moments import SessionMoments
from fnprune_core.recording.reading import Reader, ReadWindows
from fnprune_core.recording.sessions import Sessions, normalised
from fnprune_core.recording.summary import BASIS, GRAM, GROUP, PRODUCTS, PROJECTIONS
from fnprune_core.texts.windows import Windows, batches_of, stacked_ids
from fnprune_core.threads import product


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
        self._reader = Reader(language_model, n_dummy_tokens=windows.n_dummy_tokens)
        self._batch_of = {i: b for b in batches_of(windows, batch_size) for i in b}
        self._batch, self._read = range(0), _NOTHING

    def session(self, session: int) -> NDArray[np.float32]:
        """Return the signals of a session, rounded as a recording stores them: (tokens, units)."""
        if session not in self._batch:
            self._batch = self._batch_of[session]
            ids = stacked_ids(self.windows, self._batch)
            with self.language_model.pace.timed("recording", ids.numel()):
                self._read = self._reader.read(ids)
        row = session - self._batch.start
        tokens = self.session_slice(session)
        n_tokens = tokens.stop - tokens.start
        stored = torch.from_numpy(self._read.signals[row * n_tokens : (row + 1) * n_tokens])
        scales = torch.from_numpy(self._read.per_session["scales"][row])
        signals: NDArray[np.float32] = stored.float().mul_(scales).numpy()
        return signals


_NOTHING = ReadWindows(
    signals=np.zeros((0, 0), dtype=np.float16),
    per_session={},
    log_probabilities=np.zeros((0, 0), dtype=np.float32),
    is_finite=np.zeros((0, 0), dtype=np.bool_),
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

    What an earlier try left is written anew. Memory: two sessions in float32, a few matrices of
    the basis's size, and two of the largest layer's units².
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
    alive = torch.from_numpy(np.flatnonzero(sessions.alive)).to(device)
    rows = torch.from_numpy(basis.rows).to(device)
    products = torch.zeros_like(rows)
    room = room_for(sessions, device)
    gram = _GramFile(folder / GRAM, sessions.layout.widths)
    with (folder / PROJECTIONS).open("wb") as file:
        for session in range(sessions.n_sessions):
            cancel.raise_if_cancelled()
            z = normalised(sessions, session, normalize="recording", device=device, room=room)
            projections = product(columns(z, alive), rows.T)
            file.write(projections.cpu().numpy().tobytes())
            n_dummy = int(sessions.is_dummy[sessions.session_slice(session)].sum())
            usable = z[n_dummy:]  # dummy tokens are the first ones
            products += product(projections[n_dummy:].T, columns(usable, alive))
            for layer in range(sessions.layout.n_layers):
                gram.add(layer, _gram_of(usable[:, sessions.layout.layer_slice(layer)]))
            progress(
                ProgressEvent(
                    stage="projecting", done=session + 1, total=sessions.n_sessions, unit="sessions"
                )
            )
    products.cpu().numpy().tofile(folder / PRODUCTS)


def _gram_of(x: torch.Tensor) -> NDArray[np.float32]:
    """Return xᵀ x; on the CPU half of it is saved by symmetry."""
    if x.device.type != "cpu":
        return np.asarray((x.T @ x).cpu().numpy())
    array = x.numpy()
    return np.asarray(array.T @ array)


class _GramFile:
    """Sums of matrices, one a layer, in a file: all together may not fit in memory.

    By ordinary reading and writing, so that a full disk is an error.
    """

    def __init__(self, path: Path, widths: tuple[int, ...]) -> None:
        self._path, self._widths = path, widths
        with path.open("wb") as file:
            for width in widths:
                file.write(np.zeros((width, width), dtype=np.float32).tobytes())

    def add(self, layer: int, matrix: NDArray[np.float32]) -> None:
        """Add a matrix to a layer's."""
        offset = matrix.itemsize * sum(width**2 for width in self._widths[:layer])
        with self._path.open("r+b") as file:
            file.seek(offset)
            stored = np.fromfile(file, dtype=np.float32, count=matrix.size)
            stored += matrix.ravel()
            file.seek(offset)
            file.write(stored.data)
