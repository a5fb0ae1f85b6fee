"""Lesions: the units that a network's lesion takes, and random lesions that match it."""

import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.evaluation.results import documents_of, domains_of
from fnprune_core.inputs.numbers import MOST_SEED, check_most
from fnprune_core.lesions.statistics import Texts
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import scaled, silenced
from fnprune_core.recording.recording import Recording
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import sink_units
from fnprune_core.texts.windows import Windows

Target = Literal["zero", "mean"]
TARGETS: tuple[Target, ...] = ("zero", "mean")
STRENGTHS = (-1.0, 1.0)
_NEIGHBOURS = 8  # of like magnitude, among which a matched unit is drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """A lesion: the networks whose units are scaled, and how strongly.

    Parameters
    ----------
    networks : tuple of int
    strength : float
        1 silences, 0 leaves everything as it is, −1 doubles (the reverse of a lesion).
    """

    networks: tuple[int, ...]
    strength: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "networks", tuple(sorted(set(self.networks))))
        if not self.networks:
            raise SettingsError(
                "A lesion needs a network, and none was chosen.",
                hint="Choose at least one, or silence each in turn.",
            )
        if not STRENGTHS[0] <= self.strength <= STRENGTHS[1]:
            raise SettingsError(
                f"The strength of a lesion is from −1 to 1, got {self.strength:g}.",
                hint="1 silences, 0.5 halves, 0 changes nothing, −1 doubles.",
            )

    @property
    def factor(self) -> float:
        """Factor by which the units' activations are multiplied."""
        return 1.0 - self.strength


#: Bounds of what can be asked for: each random lesion is measured.
MOST_RANDOM = 10_000
MOST_SINKS = 1 << 20
MOST_GAIN = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionSettings:
    """Settings that all lesions of a study share.

    Parameters
    ----------
    z : float or None
        A network's lesion takes its units with |z| above it; None takes those that belong to it
        (`atlas.membership.RULE`).
    towards : {"zero", "mean"}
        What activations are scaled towards: nothing, as pruning does, or the unit's mean.
    n_random : int
        Matched random lesions for each lesion; two at least for a p-value.
    sink_units : int
        Units a layer that serve attention sinks and are spared by every lesion, random ones too:
        one of them outweighs all others.
    seed : int
        Of the random lesions.
    """

    z: float | None = None
    towards: Target = "zero"
    n_random: int = 4
    sink_units: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        check_most("n_random", self.n_random, MOST_RANDOM)
        check_most("sink_units", self.sink_units, MOST_SINKS)
        check_most("seed", self.seed, MOST_SEED)
        if self.z is not None and not 0 < self.z < float("inf"):
            raise SettingsError(f"The threshold on |z| must be above 0, got {self.z:g}.")
        if self.towards not in TARGETS:
            raise SettingsError(
                f"Lesions scale towards {' or '.join(TARGETS)}, not {self.towards!r}."
            )
        for name in ("n_random", "sink_units", "seed"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} must be 0 or more, got {getattr(self, name)}.")

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return asdict(self)

    def on(self, atlas: NetworkAtlas) -> Self:
        """Return the settings with |z| > 3 where an atlas's members were not measured."""
        if self.z is not None or atlas.known_members is not None:
            return self
        return replace(self, z=DEFAULT_THRESHOLD)

    @property
    def units(self) -> str:
        """Which units a lesion takes, in words."""
        return "members of the network" if self.z is None else f"units with |z| above {self.z:g}"


class LesionSites:
    """Sites of an atlas's lesions: units of networks, and others that match them.

    Parameters
    ----------
    atlas : NetworkAtlas
    recording : Recording
        That the atlas was made from: means and deviations of units.
    language_model : LanguageModel
        The atlas's own; asked for the norms of its output columns.
    settings : LesionSettings
    """

    def __init__(
        self,
        atlas: NetworkAtlas,
        recording: Recording,
        language_model: LanguageModel,
        *,
        settings: LesionSettings,
    ) -> None:
        language_model.check_fingerprint(atlas.decomposition.fingerprint, "atlas")
        self.atlas, self.settings, self.layout = atlas, settings.on(atlas), atlas.layout
        self._recording, self._model = recording, language_model
        self._inputs = RecordedInputs(language_model=language_model, recording=recording)

    @cached_property
    def spared(self) -> NDArray[np.bool_]:
        """The units that no lesion takes: (n_units,)."""
        return sink_units(self._inputs, self.settings.sink_units)

    @cached_property
    def magnitudes(self) -> NDArray[np.float64]:
        """Change of a layer's output when a unit is silenced: (n_units,).

        Mean square over usable tokens, ‖W[:, j]‖² · E (x_j − c_j)², with c_j where activations are
        scaled towards; towards the mean it is FLAP's score.
        """
        norms = self._inputs.column_norms()
        power = np.square(self._recording.std.astype(np.float64))
        if self.settings.towards == "zero":
            power = power + np.square(self._recording.mean.astype(np.float64))
        return np.asarray(norms * power)

    @cached_property
    def centre(self) -> NDArray[np.float32] | None:
        """Values towards which activations are scaled: (n_units,), or None for 0."""
        return None if self.settings.towards == "zero" else self._recording.mean

    def members(self, networks: Sequence[int]) -> NDArray[np.bool_]:
        """Return the units that a lesion of networks takes: (n_units,).

        Raises
        ------
        SettingsError
            If there is no such network or unit, or the lesion covers the whole model.
        """
        is_member, names = self._taken(networks), _networks_text(networks)
        if not is_member.any():
            z = self.settings.z
            raise SettingsError(
                f"The lesion of {names} takes no unit: "
                + (
                    "halves of the documents do not agree on any. There is too little text to "
                    "say which units belong to it."
                    if z is None
                    else f"none has |z| above {z:g}."
                ),
                hint="Choose other networks, "
                + ("or take units by |z|." if z is None else "or lower the threshold."),
            )
        alive = self.atlas.decomposition.alive & ~self.spared
        if is_member[alive].all():
            raise SettingsError(
                f"The lesion of {names} ({self.settings.units}) covers every unit: nothing of the "
                "model would be left, and no random lesion could be set against it.",
                hint="Choose fewer networks, or raise the threshold.",
            )
        return is_member

    def _taken(self, networks: Sequence[int]) -> NDArray[np.bool_]:
        is_member = np.zeros(self.layout.n_units, dtype=bool)
        for network in networks:
            is_member[self.atlas.members(network, z=self.settings.z)] = True
        return is_member & ~self.spared

    def with_units(self, lesions: Sequence[Lesion]) -> tuple[Lesion, ...]:
        """Return the lesions that take any unit; all if none does, for `members` says why."""
        taking = tuple(each for each in lesions if self._taken(each.networks).any())
        return taking or tuple(lesions)

    def random(self, networks: Sequence[int], draw: int) -> NDArray[np.bool_]:
        """Return a random lesion that matches a lesion: as many units in each layer, (n_units,).

        For each unit of the lesion one outside of it, in the same layer, is drawn among the
        `_NEIGHBOURS` of most similar magnitude that are still free. The draw depends on seed,
        networks and number alone, not on strength or order.

        Raises
        ------
        SettingsError
            If a layer has too few units outside of the lesion.
        """
        is_member = self.members(networks)
        free = self.atlas.decomposition.alive & ~self.spared & ~is_member
        by_layer = (
            self.layout.split(values)
            for values in (is_member, free, np.log(self.magnitudes + 1e-30))
        )
        key = zlib.crc32(",".join(map(str, sorted(set(networks)))).encode())
        rng = np.random.default_rng([self.settings.seed, key, draw])
        is_drawn = np.zeros(self.layout.n_units, dtype=bool)
        for layer, (inside, outside, size) in enumerate(zip(*by_layer, strict=True)):
            if inside.sum() > outside.sum():
                raise SettingsError(
                    f"The lesion of {_networks_text(networks)} takes {inside.sum():,} of "
                    f"{len(inside):,} units of layer {layer}, and a random lesion of the same "
                    f"size finds only {outside.sum():,} others there.",
                    hint="Choose fewer networks, raise the threshold, or ask for no random "
                    "lesions (they are then compared with the healthy model alone).",
                )
            matched = _matched_indices(size[inside], size[outside], rng)
            is_drawn[self.layout.flat(layer, np.flatnonzero(outside)[matched])] = True
        return is_drawn

    def units(self, networks: Sequence[int], draw: int | None) -> NDArray[np.bool_]:
        """Return the units of a lesion, or of one of its random lesions."""
        return self.members(networks) if draw is None else self.random(networks, draw)

    def factors(self, gains: Mapping[int, float]) -> NDArray[np.float64]:
        """Return each unit's factor where networks have gains: (n_units,).

        A unit of several of them gets the product. Sink units keep 1, as in every lesion.

        Raises
        ------
        SettingsError
            As `members` does, for each network whose gain is not 1; or if a gain is out of bounds.
        """
        factors = np.ones(self.layout.n_units)
        for network, gain in gains.items():
            if not 0 <= gain <= MOST_GAIN:
                raise SettingsError(f"A gain lies between 0 and {MOST_GAIN:g}, got {gain:g}.")
            if gain != 1:
                factors[self.members((network,))] *= gain
        return factors

    def scale(self, factors: NDArray[np.float64]) -> AbstractContextManager[None]:
        """Return the context of one forward pass with units scaled by `factors`."""
        return scaled(self._model, factors, centre=self.centre)

    def silence(self, units: NDArray[np.bool_], lesion: Lesion) -> AbstractContextManager[None]:
        """Return the context of one forward pass with units scaled as a lesion does."""
        return silence(self._model, units, lesion, centre=self.centre)


def silence(
    language_model: LanguageModel,
    units: NDArray[np.bool_],
    lesion: Lesion,
    *,
    centre: NDArray[np.float32] | None,
) -> AbstractContextManager[None]:
    """Return the context of one forward pass with units (n_units,) scaled as a lesion does."""
    return silenced(
        language_model,
        language_model.layout.removed_of(~units),
        factor=lesion.factor,
        centre=centre,
    )


def _networks_text(networks: Sequence[int]) -> str:
    numbers = ", ".join(map(str, networks[:6])) + (", …" if len(networks) > 6 else "")
    return f"network {numbers}" if len(networks) == 1 else f"networks {numbers}"


def _matched_indices(
    targets: NDArray[np.float64], candidates: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return for each target another index of a candidate near it, drawn at random."""
    remaining = np.argsort(candidates, kind="stable")
    matches = np.empty(len(targets), dtype=np.int64)
    for i in rng.permutation(len(targets)):
        values = candidates[remaining]
        position = int(np.searchsorted(values, targets[i]))
        low, high = max(position - _NEIGHBOURS, 0), min(position + _NEIGHBOURS, len(remaining))
        nearest = low + np.argsort(np.abs(values[low:high] - targets[i]), kind="stable")
        pick = int(rng.choice(nearest[:_NEIGHBOURS]))
        matches[i] = remaining[pick]
        remaining = np.delete(remaining, pick)
    return matches


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stimuli:
    """Windows that lesions are measured on, in columns, with their units of resampling.

    Parameters
    ----------
    windows : Windows
    texts : Texts
        Column and unit of resampling of each window.
    columns : tuple of str
        Domains, or conditions of localizers.
    unit : str
        What is resampled, in words.
    pairs : tuple of (int, int)
        Columns that are compared for dissociations.
    """

    windows: Windows
    texts: Texts
    columns: tuple[str, ...]
    unit: str
    pairs: tuple[tuple[int, int], ...]


def domain_stimuli(windows: Windows) -> Stimuli:
    """Return windows in columns by domain; documents are resampled.

    A domain with too few of them has no error, and nothing is tested in it.
    """
    names = windows.domain_names
    return Stimuli(
        windows=windows,
        texts=Texts(
            tokens=np.diff(windows.starts).astype(np.int64) - 1,
            column=domains_of(windows),
            unit=documents_of(windows),
            n_columns=len(names),
        ),
        columns=names,
        unit="documents",
        pairs=tuple((a, b) for a in range(len(names)) for b in range(a + 1, len(names))),
    )
