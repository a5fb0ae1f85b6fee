"""Sums of a recording over groups of alike tokens, from which variances follow at once.

How much a token counts in a plan depends on nothing but the shares that the networks have in its
energy. Tokens whose shares are alike count alike for any choice of networks, so they are summed
once: a weighted variance is then one product with a small matrix instead of a pass over the
recording. All tokens take part; only differences of weight within a group are lost.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore, steps
from fnprune_core.recording.recording import Recording
from fnprune_core.storage.checksums import damage_told

MOST_GROUPS = 1024
MEMORY_BYTES = 400_000_000  # of the sums while they are made, float32; of stored ones half
_ITERATIONS = 8
_MOST_CLUSTERED = 32_768  # centres are found on so many tokens, all are then assigned
_CHUNK = 8192
_UNPACKED_BYTES = 3_000_000  # of stored sums at once: larger arrays are mapped anew each time
_SUMS = ("first", "second")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredSums:
    """Sums over groups as they lie on the disk, which take half the memory of float32.

    Parameters
    ----------
    scaled : ndarray (n_groups - 1, n_units)
        float16, each unit scaled by its largest sum; without the dummy tokens' group.
    scale : ndarray (n_units,)
    dummy : ndarray (n_units,)
        The dummy tokens' sums: far larger, they would leave the others no precision.
    """

    scaled: NDArray[np.float16]
    scale: NDArray[np.float32]
    dummy: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of groups, that of the dummy tokens included."""
        return len(self.scaled) + 1

    @classmethod
    def of(cls, sums: NDArray[np.float32]) -> Self:
        """Pack sums: (n_groups, n_units), the dummy tokens' last."""
        largest = np.abs(sums[:-1]).max(axis=0)
        scale = np.where(largest > 0, largest, 1.0).astype(np.float32)
        scaled = (sums[:-1] / scale).astype(np.float16)
        return cls(scaled=scaled, scale=scale, dummy=np.ascontiguousarray(sums[-1]))

    def times(self, weights: Tensor) -> NDArray[np.float64]:
        """Return the product of weights (n, n_groups) with the sums: (n, n_units)."""
        n_units = len(self.scale)
        product = torch.zeros(len(weights), n_units, dtype=torch.float32)
        step = max(1, _UNPACKED_BYTES // (4 * n_units))
        for start in range(0, len(self.scaled), step):
            groups = slice(start, min(start + step, len(self.scaled)))
            product.addmm_(weights[:, groups], torch.from_numpy(self.scaled[groups]).float())
        product.mul_(torch.from_numpy(self.scale))
        product.addmm_(weights[:, -1:], torch.from_numpy(self.dummy[None]))
        return np.asarray(product.double().numpy())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenGroups:
    """Sums of every unit's signal over groups of alike tokens.

    Parameters
    ----------
    group : ndarray (n_tokens,)
        Group of each token; dummy tokens are one by themselves, the last.
    centre : ndarray (n_units,)
        What signals are taken relative to: the recording's mean.
    first, second : ndarray (n_groups, n_units) or StoredSums
        Σ (x − centre) and Σ (x − centre)² over a group's tokens, float32.
    """

    group: NDArray[np.int32]
    centre: NDArray[np.float32]
    first: NDArray[np.float32] | StoredSums
    second: NDArray[np.float32] | StoredSums

    @property
    def n_groups(self) -> int:
        """Number of groups, that of the dummy tokens included."""
        return len(self.first)

    def moments(
        self, weights: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weighted mean and variance of each unit: (n, n_units) each.

        Parameters
        ----------
        weights : ndarray (n, n_tokens)
            Non-negative, one row per question. Within a group their mean is taken.
        """
        total = weights.sum(axis=1, dtype=np.float64)
        if not (total > 0).all():
            raise SettingsError("No token has any weight.", hint="Preserve other networks.")
        mean = torch.from_numpy(self._group_means(weights))
        first, second = (
            sums.times(mean)
            if isinstance(sums, StoredSums)
            else (mean @ torch.from_numpy(sums)).double().numpy()
            for sums in (self.first, self.second)
        )
        for sums in (first, second):  # in place: of many questions they take most of the memory
            sums /= total[:, None]
        second -= np.square(first)
        first += self.centre
        return first, np.maximum(second, 0, out=second)

    def _group_means(self, weights: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the mean weight of each group's tokens: (n, n_groups)."""
        index = torch.from_numpy(self.group.astype(np.int64))
        sums = torch.zeros(len(weights), self.n_groups, dtype=torch.float64)
        sums.index_add_(1, index, torch.from_numpy(np.asarray(weights, dtype=np.float64)))
        sizes = torch.bincount(index, minlength=self.n_groups).clamp(min=1)
        return np.asarray((sums / sizes).float().numpy())

    def save(self, path: Path) -> None:
        """Write to one file; sums as float16, each unit scaled by its largest."""
        arrays: dict[str, Any] = {"group": self.group, "centre": self.centre}
        for name in _SUMS:
            sums = getattr(self, name)
            stored = sums if isinstance(sums, StoredSums) else StoredSums.of(sums)
            arrays |= {
                name: stored.scaled, f"{name}_scale": stored.scale, f"{name}_dummy": stored.dummy
            }  # fmt: skip
        save_file(arrays, path)

    @classmethod
    def load(cls, path: Path) -> "TokenGroups":
        """Read what `save` wrote; sums stay packed."""
        with damage_told(path, "Delete the preview; it is prepared again."):
            arrays = load_file(path)
            sums = {
                name: StoredSums(
                    scaled=arrays[name],
                    scale=arrays[f"{name}_scale"],
                    dummy=arrays[f"{name}_dummy"],
                )
                for name in _SUMS
            }
            return cls(group=arrays["group"], centre=arrays["centre"], **sums)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """Result of one pass over a recording.

    Parameters
    ----------
    groups : TokenGroups
    variance : ndarray (n, n_units)
        The exact weighted variances that were asked for beside.
    """

    groups: TokenGroups
    variance: NDArray[np.float64]


def energy_shares(atlas: NetworkAtlas) -> NDArray[np.float64]:
    """Return each network's share of each token's energy: (K, n_tokens); 0 where there is none."""
    energies = np.square(atlas.time_courses.astype(np.float64))
    total_energy = energies.sum(axis=0)
    return np.asarray(
        np.divide(energies, total_energy, out=np.zeros_like(energies), where=total_energy > 0)
    )


def n_groups_for(n_units: int, n_tokens: int) -> int:
    """Return how many groups fit the memory: a token each where there are few."""
    return min(MOST_GROUPS, n_tokens, max(32, MEMORY_BYTES // (8 * n_units)))


def group_tokens(
    shares: NDArray[np.floating], is_dummy: NDArray[np.bool_], n_groups: int, *, seed: int = 0
) -> NDArray[np.int32]:
    """Return the group of each token, (n_tokens,), by k-means of the networks' shares."""
    usable = np.flatnonzero(~is_dummy)
    group = np.full(len(is_dummy), n_groups, dtype=np.int32)
    if len(usable) <= n_groups:
        group[usable] = np.arange(len(usable))
        return group
    points = torch.from_numpy(shares[:, usable].T.astype(np.float32))
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(points), generator=generator)
    clustered = points[order[:_MOST_CLUSTERED]]
    centres = clustered[:n_groups].clone()
    for _ in range(_ITERATIONS):
        nearest = _nearest(clustered, centres)
        sizes = torch.bincount(nearest, minlength=n_groups)
        sums = torch.zeros_like(centres).index_add_(0, nearest, clustered)
        # A centre that lost all its tokens stays where it was.
        centres = torch.where((sizes > 0)[:, None], sums / sizes.clamp(min=1)[:, None], centres)
    group[usable] = _nearest(points, centres).numpy()
    return group


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    return torch.cat([torch.cdist(chunk, centres).argmin(dim=1) for chunk in points.split(_CHUNK)])


def summarise(
    recording: Recording,
    group: NDArray[np.int32],
    n_groups: int,
    *,
    weights: NDArray[np.float64],
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Summary:
    """Return sums of a recording by groups, and exact variances under a few weights, in one pass.

    Parameters
    ----------
    group : ndarray (n_tokens,)
        Below `n_groups`, which itself is the dummy tokens'.
    weights : ndarray (n, n_tokens)
    """
    first = torch.zeros(n_groups + 1, recording.layout.n_units, dtype=torch.float32)
    second = torch.zeros_like(first)
    exact = torch.zeros(2, len(weights), recording.layout.n_units, dtype=torch.float64)
    for session in steps(
        range(recording.n_sessions), stage="preparing the preview", unit="sessions",
        total=recording.n_sessions, progress=progress, cancel=cancel,
    ):  # fmt: skip
        tokens = recording.session_slice(session)
        index = torch.from_numpy(group[tokens].astype(np.int64))
        weight = torch.from_numpy(weights[:, tokens].astype(np.float32))
        deviations = recording.deviations(session)
        first.index_add_(0, index, deviations.values)
        exact[0] += (weight @ deviations.values).double()
        squares = deviations.square_()
        second.index_add_(0, index, squares)
        exact[1] += (weight @ squares).double()
    total = torch.from_numpy(weights.sum(axis=1))[:, None]
    variance = exact[1] / total - (exact[0] / total).square()
    groups = TokenGroups(
        group=group, centre=recording.mean, first=first.numpy(), second=second.numpy()
    )
    return Summary(groups=groups, variance=variance.clamp(min=0).numpy())
