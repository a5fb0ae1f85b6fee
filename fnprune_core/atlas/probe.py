"""Networks on a person's own text: how strong each is at every token, and how unusual that is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.atlas.chance.directions import HEADLINE, Directions
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.errors import FingerprintMismatchError, TextError
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.finite import check_finite
from fnprune_core.recording.record import signals_of
from fnprune_core.recording.recording import Recording
from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document
from fnprune_core.texts.token_pieces import pieces_of
from fnprune_core.texts.windows import Windows, stacked_ids

MAX_TOKENS = 4096
#: Returns the context of a forward pass that holds the model's lock, such as `silenced`.
Condition = Callable[[], AbstractContextManager[Any]]
# A longer text cannot be within the limit in any language; it is not worth tokenising.
_MAX_CHARACTERS = 64 * MAX_TOKENS


def usual_strength(atlas: NetworkAtlas) -> NDArray[np.float64]:
    """Return each network's root mean square strength over the recording's usable tokens: (K,).

    Strengths of different networks compare as multiples of it.
    """
    usable = atlas.time_courses[:, ~atlas.is_dummy]
    mean_square = np.square(usable, dtype=np.float64).mean(axis=1)
    return np.asarray(np.sqrt(np.maximum(mean_square, 1e-24)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """The networks' strengths on a text, token by token, and how unusual they are.

    Parameters
    ----------
    pieces : tuple of str (n_tokens,)
        Text that each token adds (see `pieces_of`).
    strengths : ndarray (K, n_tokens)
        Least squares of each token on [1, maps], as in the recording's time courses.
    rarity : ndarray (K, n_tokens)
        Share of the recording's usable tokens on which the network is at least as strong, of
        whatever sign: 0.01 is among the strongest 1 %.
    is_dummy : ndarray (n_tokens,)
        First tokens of each window, left out of statistics as they are in the recording.
    log_probability : ndarray (n_tokens,)
        Natural logarithm; NaN for the first token of a window.
    usual : ndarray (K,)
        Root mean square of each network over the recording.
    n_windows : int
        Stretches in which the text was read, each without memory of the one before.
    control : ndarray (K,), optional
        `energy` of permuted directions, where the probe has them.
    """

    pieces: tuple[str, ...]
    strengths: NDArray[np.float32]
    rarity: NDArray[np.float32]
    is_dummy: NDArray[np.bool_]
    log_probability: NDArray[np.float32]
    usual: NDArray[np.float64]
    n_windows: int
    control: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for values in (self.strengths, self.rarity, self.is_dummy, self.log_probability):
            values.setflags(write=False)

    @property
    def n_tokens(self) -> int:
        """Number of tokens, dummy ones included."""
        return len(self.pieces)

    def relative(self) -> NDArray[np.float64]:
        """Return strengths as multiples of each network's usual one: (K, n_tokens)."""
        return self.strengths / self.usual[:, None]

    def energy(self) -> NDArray[np.float64]:
        """Return each network's mean energy on the text over that on the recording: (K,)."""
        return np.asarray(np.square(self.relative()[:, ~self.is_dummy]).mean(axis=1))

    def beside(self) -> Beside | None:
        """Return each network's energy beside that of random directions; None without them."""
        if self.control is None:
            return None
        return Beside(networks=self.energy(), control={HEADLINE: self.control})

    def strongest(self) -> NDArray[np.int64]:
        """Return the network of largest relative strength at each token, −1 on dummy ones."""
        winner = np.abs(self.relative()).argmax(axis=0)
        return np.where(self.is_dummy, -1, winner).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Block:
    """Units that are solved together, and the networks that they carry.

    `factor` (units, networks) takes normalised signals to least squares on [1, maps].
    """

    units: slice
    networks: NDArray[np.int64]
    factor: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkProbe:
    """An atlas made ready to read texts; prepared once, then a text costs one forward pass.

    Signals are normalised with the recording's mean and deviation, also where the decomposition
    normalised each session by itself: a short text has no moments of its own.
    """

    atlas: NetworkAtlas
    mean: torch.Tensor
    scale: torch.Tensor
    window: int
    n_dummy_tokens: int
    usual: NDArray[np.float64]
    _blocks: tuple[_Block, ...]
    _magnitudes: NDArray[np.float32]
    _control: Self | None = None

    @classmethod
    def prepare(
        cls,
        atlas: NetworkAtlas,
        recording: Recording,
        *,
        template: Decomposition | None = None,
        directions: Directions | None = None,
    ) -> Self:
        """Return the probe of an atlas; `recording` is the one that it was made from.

        Costs one (K, n_units) product in float64, and a sort of the time courses.

        Parameters
        ----------
        template : Decomposition, optional
            Whose maps gave the time courses, if not the atlas's own: an applied atlas shows the
            maps of stage 2, its time courses are of stage 1. On other maps, strengths would not
            compare with the recording's.
        directions : Directions, optional
            Permuted ones are read in the same passes, for one product more.
        """
        recording_id = atlas.decomposition.recording_id
        if recording.id != recording_id:
            raise FingerprintMismatchError(
                f"This atlas was made from recording {recording_id}, not from {recording.id}.",
                hint="Open the recording that it was made from.",
            )
        basis = template or atlas.decomposition
        alive = atlas.decomposition.alive & basis.alive & (recording.std > 0)
        magnitudes = np.abs(atlas.time_courses[:, ~atlas.is_dummy])
        magnitudes.sort(axis=1)
        return cls(
            atlas=atlas,
            mean=torch.from_numpy(recording.mean.copy()),
            scale=torch.from_numpy(np.where(alive, recording.std, np.inf).astype(np.float32)),
            window=recording.windows.window,
            n_dummy_tokens=recording.windows.n_dummy_tokens,
            usual=usual_strength(atlas),
            _blocks=tuple(_blocks_of(basis, alive)),
            _magnitudes=magnitudes,
            _control=None
            if directions is None
            else cls.prepare(directions.of(HEADLINE), recording),
        )

    def cut(self, language_model: LanguageModel, text: str) -> Windows:
        """Return the tokens of a text, in windows as long as the recording's.

        Raises
        ------
        FingerprintMismatchError
            If the model is not the one that the atlas was made from.
        TextError
            If the text has no token, none beyond the dummy ones, or over `MAX_TOKENS`.
        """
        language_model.check_fingerprint(self.atlas.decomposition.fingerprint, "atlas")
        hint = f"The probe reads up to {MAX_TOKENS:,} tokens. Record longer texts instead."
        if len(text) > _MAX_CHARACTERS:
            raise TextError(f"The text has {len(text):,} characters, too many.", hint=hint)
        context = language_model.context_size or self.window
        windows = cut_windows(
            [Document(text=text)],
            language_model.tokenizer,
            window=min(self.window, context),
            n_dummy_tokens=self.n_dummy_tokens,
            allow_short=True,
        )
        if windows.n_tokens > MAX_TOKENS:
            raise TextError(f"The text has {windows.n_tokens:,} tokens, too many.", hint=hint)
        if windows.is_dummy.all():
            tokens = "token" if windows.n_tokens == 1 else "tokens"
            raise TextError(
                f"The text has {windows.n_tokens} {tokens}; the first {self.n_dummy_tokens} of a "
                "text are left out, for there the model only warms up.",
                hint="Write a few words more.",
            )
        return windows

    def read(
        self,
        language_model: LanguageModel,
        text: str,
        *,
        progress: Progress = ignore,
        cancel: CancelToken = NEVER,
    ) -> Reading:
        """Return how strong each network is at every token of a text.

        A text longer than the recording's window is read in such windows. Memory: one window of
        signals. Raises what `cut` raises, and `NonFiniteError`.
        """
        windows = self.cut(language_model, text)
        return self.read_windows(language_model, windows, progress=progress, cancel=cancel)

    def read_windows(
        self,
        language_model: LanguageModel,
        windows: Windows,
        *,
        condition: Condition = nullcontext,
        progress: Progress = ignore,
        cancel: CancelToken = NEVER,
    ) -> Reading:
        """Return how strong each network is at every token of windows that are already cut.

        Parameters
        ----------
        condition : callable, optional
            Returns the context of a forward pass, such as `silenced`: signals are those under it.
        """
        readings, controls = [], []
        for window in range(windows.n_windows):
            cancel.raise_if_cancelled()
            with condition():
                signals, log_p = self.signals(language_model, windows, window)
            readings.append((self.strengths(signals), log_p))
            if self._control is not None:
                controls.append(self._control.strengths(signals))
            progress(
                ProgressEvent(
                    stage="reading", done=window + 1, total=windows.n_windows, unit="windows"
                )
            )
        strengths = np.concatenate([window_strengths for window_strengths, _ in readings], axis=1)
        log_probability = np.concatenate([log_p for _, log_p in readings])
        pieces = [
            pieces_of(language_model.tokenizer, windows.window_ids(window).tolist())
            for window in range(windows.n_windows)
        ]
        return Reading(
            pieces=tuple(chain.from_iterable(pieces)),
            strengths=strengths,
            rarity=self.rarity(strengths),
            is_dummy=windows.is_dummy,
            log_probability=log_probability,
            usual=self.usual,
            n_windows=windows.n_windows,
            control=self._energy_of_control(controls, windows.is_dummy),
        )

    def _energy_of_control(
        self, strengths: Sequence[NDArray[np.float32]], is_dummy: NDArray[np.bool_]
    ) -> NDArray[np.float64] | None:
        if self._control is None:
            return None
        usable = np.concatenate(strengths, axis=1)[:, ~is_dummy]
        return np.asarray(np.square(usable / self._control.usual[:, None]).mean(axis=1))

    def signals(
        self, language_model: LanguageModel, windows: Windows, window: int
    ) -> tuple[torch.Tensor, NDArray[np.float32]]:
        """Return a window's signals and its log-probabilities, in one forward pass.

        Signals are (tokens, units), in the recording's deviations from its mean; units that do
        not vary there are 0.
        """
        ids = stacked_ids(windows, range(window, window + 1))
        signals, log_probability = signals_of(language_model, ids)
        check_finite(signals[0], self.atlas.layout, window, dtype=language_model.dtype)
        x = torch.from_numpy(signals[0]).sub_(self.mean).div_(self.scale)
        return x, log_probability[0]

    def strengths(self, signals: torch.Tensor) -> NDArray[np.float32]:
        """Return each network's strength in `signals`: (K, tokens)."""
        strengths = np.empty((self.atlas.n_networks, len(signals)), dtype=np.float32)
        for block in self._blocks:
            strengths[block.networks] = (signals[:, block.units] @ block.factor).T.numpy()
        return strengths

    def with_maps(self, maps: NDArray[np.float32]) -> Self:
        """Return a probe of other maps (K, n_units) over the same signals: random directions."""
        basis = replace(self.atlas.decomposition, spatial_maps=maps)
        return replace(self, _blocks=tuple(_blocks_of(basis, self.alive)))

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Units that have signals: (n_units,)."""
        return np.asarray(torch.isfinite(self.scale).numpy())

    def rarity(self, strengths: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the share of the recording's tokens that are at least as strong: (K, n)."""
        n = self._magnitudes.shape[1]
        below = [
            np.searchsorted(magnitudes, np.abs(row), side="left")
            for magnitudes, row in zip(self._magnitudes, strengths, strict=True)
        ]
        return np.asarray(1.0 - np.asarray(below) / n, dtype=np.float32)


def _blocks_of(basis: Decomposition, alive: NDArray[np.bool_]) -> Iterator[_Block]:
    """Yield the least-squares factor of the whole model, or of each layer that has networks."""
    layers = basis.layer_of_network
    for layer in np.unique(layers):
        units = slice(0, basis.layout.n_units)
        if layer >= 0:
            units = basis.layout.layer_slice(int(layer))
        networks = np.flatnonzero(layers == layer)
        is_alive = alive[units]
        maps = basis.spatial_maps[networks, units][:, is_alive].astype(np.float64)
        design = np.vstack([np.ones(maps.shape[1]), maps])
        factor = np.zeros((len(is_alive), len(networks)), dtype=np.float32)
        factor[is_alive] = np.linalg.solve(design @ design.T, design)[1:].T
        yield _Block(units=units, networks=networks, factor=torch.from_numpy(factor))
