"""A recording reduced once, with what is needed to find the networks of its atlas again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.decomposition.ica import IcaSettings
from fnprune_core.errors import FingerprintMismatchError, SettingsError
from fnprune_core.machine import workers
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.sessions import Sessions, blocks_of
from fnprune_core.recording.shifted import ShiftedSessions
from fnprune_core.reliability.resampling import (
    Piece,
    Pool,
    Reduction,
    build_pools,
    most_pieces,
    pieces_of,
)
from fnprune_core.reliability.unmixing import Start, Unmixed, Unmixing, UnmixingTask


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSettings:
    """Numbers of runs, bootstraps and splits to be measured.

    Parameters
    ----------
    n_seeds, n_bootstraps : int
        ICA runs from random starts, on all sessions and on sessions drawn with replacement.
    n_splits : int
        Random divisions of the documents in halves.
    n_null_seeds, n_null_splits : int
        The same for each null.
    seed : int
    """

    n_seeds: int = 20
    n_bootstraps: int = 20
    n_splits: int = 3
    n_null_seeds: int = 5
    n_null_splits: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"n_seeds": 2, "n_bootstraps": 2, "n_splits": 1, "n_null_seeds": 2}
        for name, value in {**least, "n_null_splits": 1, "seed": 0}.items():
            if getattr(self, name) < value:
                raise SettingsError(f"{name} must be at least {value}, got {getattr(self, name)}.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReferenceStudy:
    """A recording's components in pools, one a block, and the networks to be judged.

    Parameters
    ----------
    networks : tuple of ndarray
        Which networks of the atlas belong to each block.
    targets : tuple of ndarray
        Their maps' products with the rows of the pool (`Space.projections`).
    maps : tuple of ndarray
        Their maps over the units of the block.
    units : tuple of ndarray
        The flat units of each block.
    n_units : int
        Of the model.
    halves : list
        Maps of halves of the documents that were found (`members.unmixed_halves`).
    """

    pools: tuple[Pool, ...]
    pieces: tuple[Piece, ...]
    networks: tuple[NDArray[np.int64], ...]
    targets: tuple[NDArray[np.float64], ...]
    maps: tuple[NDArray[np.float32], ...]
    units: tuple[NDArray[np.int64], ...]
    n_units: int
    unmixing: Unmixing
    settings: TrustSettings
    progress: Progress = ignore
    cancel: CancelToken = NEVER
    halves: list[list[tuple[Unmixed, Unmixed]]] = field(default_factory=list)

    @property
    def n_networks(self) -> int:
        """Number of networks in all blocks."""
        return sum(len(index) for index in self.networks)

    @property
    def equal_weights(self) -> NDArray[np.float64]:
        """Weights that take each piece once."""
        return np.ones(len(self.pieces))

    def seed(self, *key: int) -> np.random.SeedSequence:
        """Return the stream of draws that belongs to a run."""
        return np.random.SeedSequence(self.settings.seed, spawn_key=key)

    def rng(self, *key: int) -> np.random.Generator:
        """Return a generator of a run's own draws, independent of its starts of ICA."""
        return np.random.default_rng(self.seed(*key, 1 << 20))

    def unmixed(
        self, starts: Iterable[Start], *, stage: str, total: int, unit: str = "runs"
    ) -> Iterator[Unmixed]:
        """Yield the maps that ICA finds from each start, in order; workers take a share.

        Parameters
        ----------
        starts : iterable of Start
            Each is made when its turn comes.
        stage, total, unit : str, int, str
            What to report as progress: how many starts there are, and what one is.
        """

        def report(done: int) -> None:
            self.progress(ProgressEvent(stage=stage, done=done, total=total, unit=unit))
            self.cancel.raise_if_cancelled()

        report(0)
        tasks = (start.task(self.unmixing, self.cancel) for start in starts)
        found = workers.in_order(UnmixingTask.best, tasks, cancel=self.cancel)
        for done, run in enumerate(found, start=1):
            report(done)
            yield run

    def gathered(self, values_by_block: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """Return values by block, (…, K of the block), in the atlas's order: (…, K)."""
        values = np.empty((*values_by_block[0].shape[:-1], self.n_networks))
        for index, block_values in zip(self.networks, values_by_block, strict=True):
            values[..., index] = block_values
        return values


def pieces_for(
    sessions: Sessions, tokens: pd.DataFrame, decomposition: Decomposition
) -> list[Piece]:
    """Return the pieces of a recording with which an atlas is judged; reads no signals."""
    blocks = blocks_of(sessions, decomposition.settings["scope"])
    n_units = sum(len(block) for block in blocks)
    n = _session_components(sessions, decomposition)
    return pieces_of(sessions, tokens, most=most_pieces(n_units, len(blocks), n))


def _session_components(sessions: Sessions, decomposition: Decomposition) -> int:
    usable = [
        int((~sessions.is_dummy[sessions.session_slice(i)]).sum())
        for i in range(sessions.n_sessions)
    ]
    n_requested = decomposition.settings["n_session_components"]
    return int(n_requested or min(2 * decomposition.settings["n_components"], min(usable)))


def open_study(
    sessions: Sessions,
    tokens: pd.DataFrame,
    decomposition: Decomposition,
    *,
    settings: TrustSettings,
    is_shifted: bool = False,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> ReferenceStudy:
    """Reduce a recording once, as its atlas was made, for all measures.

    Parameters
    ----------
    is_shifted : bool
        Shift every unit by itself first (`ShiftedSessions`): the null without co-activation.
    """
    if sessions.layout != decomposition.layout:
        raise FingerprintMismatchError(
            "The recording and the atlas have different units.",
            hint="Open the recording that this atlas was made from.",
        )
    atlas_settings = decomposition.settings
    blocks = blocks_of(sessions, atlas_settings["scope"])
    pieces = pieces_for(sessions, tokens, decomposition)
    pools = build_pools(
        ShiftedSessions(sessions, seed=settings.seed) if is_shifted else sessions,
        blocks,
        pieces,
        reduction=Reduction(
            n_components=_session_components(sessions, decomposition),
            normalize=atlas_settings["normalize"],
            device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        ),
        stage="reducing shifted sessions" if is_shifted else "reducing sessions",
        progress=progress,
        cancel=cancel,
    )
    layer = decomposition.layer_of_network
    networks = tuple(
        np.flatnonzero(layer == (i if atlas_settings["scope"] == "layer" else -1))
        for i in range(len(blocks))
    )
    maps = tuple(
        decomposition.spatial_maps[np.ix_(index, units)]
        for index, units in zip(networks, blocks, strict=True)
    )
    return ReferenceStudy(
        pools=tuple(pools),
        pieces=tuple(pieces),
        networks=networks,
        targets=tuple(pool.projections(z) for pool, z in zip(pools, maps, strict=True)),
        maps=maps,
        units=tuple(blocks),
        n_units=decomposition.layout.n_units,
        unmixing=Unmixing(
            algorithm=atlas_settings["algorithm"],
            settings=IcaSettings(
                fun=atlas_settings["fun"],
                max_iter=atlas_settings["max_iter"],
                tol=atlas_settings["tol"],
            ),
        ),
        settings=settings,
        progress=progress,
        cancel=cancel,
    )
