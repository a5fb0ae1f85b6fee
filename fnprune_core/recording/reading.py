"""Windows read by the model: every unit scaled, rounded and summed while it is hot.

A layer's activations are in the processor's cache when its output projection is about to read
them. There they become float16, and their moments are taken, before the next layer replaces them.
"""

import threading
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fnprune_core.machine.batches import FittingBatches, in_passes, windows_that_fit
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import watch_inputs
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.outputs import token_log_probabilities
from fnprune_core.storage.large_writes import page_aligned

_SCALED_MAXIMUM = 4096.0  # leaves 2^26 below the largest value before float16 goes subnormal
_LEAST_EXPONENT = -100.0  # a scale that is itself subnormal would divide by zero
_CACHED_VALUES = 1 << 18  # so many in float32 stay in the caches of two cores
#: What is kept of each unit in each session, and as which type it is stored.
PER_SESSION = {"scales": "f4", "session_mean": "f4", "session_m2": "f8", "dummy_max": "f4"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadWindows:
    """What passes over equally long windows give.

    Parameters
    ----------
    signals : ndarray of float16 (windows · tokens, n_units)
        Activations over their session's scales.
    per_session : dict of str to ndarray (windows, n_units)
        By the names of `PER_SESSION`.
    log_probabilities : ndarray of float32 (windows, tokens)
        NaN for the first token of each window.
    is_finite : ndarray of bool (windows, n_units)
        Whether a unit's activations are all finite.
    expert_tokens : ndarray of int32 (windows, experts of all layers)
        How many tokens were routed to each expert; none in a model without experts.
    """

    signals: NDArray[np.float16]
    per_session: dict[str, NDArray[np.floating]]
    log_probabilities: NDArray[np.float32]
    is_finite: NDArray[np.bool_]
    expert_tokens: NDArray[np.int32]


class Reader:
    """Reads windows with a model, in buffers by turns.

    With two, what a pass gave stays as it is until the pass after the next, so that it can be
    written while the next one runs.

    Parameters
    ----------
    n_dummy_tokens : int
        First tokens of each window that the moments leave out.
    n_buffers : int
        Each holds the signals of a pass.
    """

    def __init__(
        self, language_model: LanguageModel, *, n_dummy_tokens: int, n_buffers: int = 2
    ) -> None:
        self.language_model = language_model
        self.n_dummy_tokens = n_dummy_tokens
        self._buffers = [page_aligned(0) for _ in range(n_buffers)]

    def fitting(self, window: int, *, most: int) -> FittingBatches:
        """Return batches of windows of so many tokens that memory holds beside what is kept."""
        model = self.language_model.model
        n_bytes = 2 * len(self._buffers) * self.language_model.layout.n_units
        return FittingBatches(windows_that_fit(model, window, most=most, kept_bytes=n_bytes))

    def read(self, token_ids: Tensor) -> ReadWindows:
        """Read windows of equal length, (windows, tokens); the model's lock is held meanwhile."""
        language_model, layout = self.language_model, self.language_model.layout
        n_windows, n_tokens = token_ids.shape
        signals = self._room(n_windows, n_tokens, layout.n_units)
        kept = {
            name: torch.zeros(n_windows, layout.n_units, dtype=_TORCH[code])
            for name, code in {**PER_SESSION, "largest": "f4"}.items()
        }

        n_experts = [len(sizes) for sizes in layout.expert_sizes]
        expert_tokens = torch.zeros(n_windows, sum(n_experts), dtype=torch.int32)
        here = threading.local()  # passes run side by side: which rows this one reads

        def keep(layer: int, x: Tensor) -> None:
            units = layout.layer_slice(layer)
            stored = signals[here.rows, :, units]
            # Some families (OPT) lay all tokens of a batch in one row.
            x = x.detach().reshape(len(stored), n_tokens, -1)
            if layout.expert_sizes:
                start = sum(n_experts[:layer])
                for expert, own in enumerate(layout.experts_of(layer), start=start):
                    expert_tokens[here.rows, expert] = x[..., own].any(-1).sum(-1).int().cpu()
            found = self._store(x, stored)
            for name, values in found.items():
                kept[name][here.rows, units] = values.to("cpu")

        projections = output_projections(language_model.model, language_model.architecture)
        ids = token_ids.to(language_model.device)
        log_probabilities = np.full((n_windows, n_tokens), np.nan, dtype=np.float32)

        def read(rows: slice) -> None:
            here.rows = rows
            logits = language_model.model(ids[rows], use_cache=False).logits
            pairs = zip(logits, ids[rows].to(logits.device), strict=True)
            found = [token_log_probabilities(*pair).cpu().numpy() for pair in pairs]
            log_probabilities[rows, 1:] = found

        with language_model.lock, watch_inputs(projections, keep):
            in_passes(language_model.model, ids, read)
        # Only now: after a pass that failed the same is filled again, and none that may be written.
        self._buffers.append(self._buffers.pop(0))
        return ReadWindows(
            signals=signals.view(-1, layout.n_units).numpy(),
            per_session={name: kept[name].numpy() for name in PER_SESSION},
            log_probabilities=log_probabilities,
            is_finite=kept["largest"].isfinite().numpy(),
            expert_tokens=expert_tokens.numpy(),
        )

    def _store(self, x: Tensor, signals: Tensor) -> dict[str, Tensor]:
        """Write one layer's activations, (windows, tokens, units); return each window's facts."""
        if x.device.type == "mps":  # it has no float64
            x = x.cpu()
        n_windows, n_tokens, n_units = x.shape
        n_dummy = min(self.n_dummy_tokens, n_tokens)
        nothing = torch.zeros(n_windows, n_units, dtype=torch.float32, device=x.device)
        largest = _largest(x)
        exponent = torch.ceil(torch.log2(largest / _SCALED_MAXIMUM)).clamp(min=_LEAST_EXPONENT)
        scale = torch.where(largest > 0, torch.exp2(exponent), torch.ones_like(largest))
        inverse = scale.reciprocal()[:, None]  # exact, for scales are powers of two
        centre = x[:, n_dummy].float() * inverse[:, 0] if n_dummy < n_tokens else nothing
        moments = Moments(centre)
        step = max(1, min(n_tokens, _CACHED_VALUES // (n_windows * n_units)))
        room = torch.empty(n_windows, step, n_units, dtype=torch.float32, device=x.device)
        for start in range(0, n_tokens, step):
            tokens = slice(start, min(start + step, n_tokens))
            scaled = room[:, : tokens.stop - start].copy_(x[:, tokens]).mul_(inverse)
            signals[:, tokens].copy_(scaled)
            moments.add(scaled[:, max(n_dummy - start, 0) :])
        fine_scale = scale.to(_FINE)
        return {
            "largest": largest,
            "scales": scale,
            "session_mean": moments.mean().mul_(fine_scale).float(),
            "session_m2": moments.variance().mul_(fine_scale.square()).mul_(moments.n_tokens),
            "dummy_max": _largest(x[:, :n_dummy]) if n_dummy else nothing,
        }

    def _room(self, n_windows: int, n_tokens: int, n_units: int) -> Tensor:
        """Return memory for a pass in the buffer whose turn it is."""
        n_bytes = 2 * n_windows * n_tokens * n_units
        if len(self._buffers[0]) < n_bytes:
            self._buffers[0] = page_aligned(n_bytes)
        values = torch.from_numpy(self._buffers[0][:n_bytes]).view(torch.float16)
        return values.view(n_windows, n_tokens, n_units)


def _largest(x: Tensor) -> Tensor:
    """Return each unit's largest magnitude, (windows, units) in float32; NaN if any token's is.

    Without their sign the bits of numbers are in the order of their magnitudes, and whole numbers
    of two bytes are compared in half the time.
    """
    if x.itemsize != 2:
        return x.abs().amax(dim=1).float()
    return (x.view(torch.int16) & 0x7FFF).amax(dim=1).view(x.dtype).float()


class Moments:
    """Mean and variance of each unit over tokens: sums of parts, added in float64.

    Parameters
    ----------
    centre : Tensor (..., n_units)
        Near the mean: any token's activations. Sums are about it, so that a variance far below
        the mean keeps its digits, and what does not vary has none. In float32 a variance is right
        to about 10⁻⁷ · (1 + d²) of itself, where this token is d standard deviations from the mean.
    """

    def __init__(self, centre: Tensor) -> None:
        self.n_tokens = 0
        self._centre = centre
        self._sum, self._squares = (torch.zeros_like(centre, dtype=_FINE) for _ in range(2))

    def add(self, signals: Tensor) -> None:
        """Count some tokens, (..., tokens, n_units), whose memory is used up."""
        self.n_tokens += signals.shape[-2]
        self._sum += signals.sub_(self._centre[..., None, :]).sum(dim=-2)
        self._squares += signals.square_().sum(dim=-2)

    def mean(self) -> Tensor:
        """Return the mean, (..., n_units) in float64; 0 of no tokens."""
        return self._centre.to(_FINE) + self._sum / max(self.n_tokens, 1)

    def variance(self) -> Tensor:
        """Return the variance, (..., n_units) in float64; 0 of no tokens."""
        shift = self._sum / max(self.n_tokens, 1)
        return (self._squares / max(self.n_tokens, 1) - shift.square()).clamp_(min=0)


_FINE = torch.float64
_TORCH = {"f4": torch.float32, "f8": torch.float64}
