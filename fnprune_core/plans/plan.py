"""Pruning plans: which units go, and where that came from. JSON, no pickle."""

import hashlib
from dataclasses import asdict, dataclass, replace
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.decomposition.fingerprint import KEY, MapsFingerprint, Renumbering, maps_in
from fnprune_core.errors import (
    CorruptArtifactError,
    FnpruneError,
    PlanError,
    RatioError,
    SettingsError,
)
from fnprune_core.inputs.files import read_bytes
from fnprune_core.inputs.json_values import parse_json
from fnprune_core.inputs.numbers import MOST_SEED, check_range
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import allocation_named
from fnprune_core.plans.plan_values import (
    MOST_FILE_BYTES,
    MOST_UNITS,
    MOST_VALUES,
    MOST_VERSION,
    checked_values,
)
from fnprune_core.storage.json_files import canonical_json

if TYPE_CHECKING:
    from fnprune_core.models.language_model import LanguageModel

PLAN_VERSION = 1
PLAN_FILE = "plan.json"
#: Settings that plans of the first version lack, with what their absence means.
_LATER: dict[str, Any] = {
    "pinned_keep": (), "pinned_remove": (), "attention_ratio": 0.0, "layer_weights": (),
    "score_version": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """Settings of a plan, as a person chooses them.

    Parameters
    ----------
    score : str
        Name in the table of scores.
    ratio : float
        Share of all MLP units of the model to remove, in [0, 1).
    allocation : str
        Name in the table of allocations.
    compensation : str
        Name in the table of compensations: ``"none"``, ``"bias"``, ``"least-squares"``, or
        ``"reconstruct"``, which takes minutes.
    intercept : bool
        Whether least squares also fits a bias.
    sink_units : int or None
        Units per layer that serve attention sinks and always stay; None, as many as the score
        needs: none where it counts the first tokens of a window.
    preserved : tuple of int or None
        Networks to preserve; None for all.
    seed : int
        Only the random score uses it.
    multiple : int or None
        Keep more units, the highest scored, until each layer's number is a multiple of this, and
        with the uniform allocation the same in all; None meets the ratio to one unit.
    pinned_keep, pinned_remove : tuple of int
        Flat units that stay, or go, whatever their score, layer or service to attention sinks.
        Those that go count in the ratio.
    attention_ratio : float
        Share of all KV groups of the model to remove, in [0, 1), by the same score, allocation
        and compensation; each layer keeps at least one.
    layer_weights : tuple of float
        With the allocation ``"weighted"``: how large a share of its units each layer gives beside
        the others, 0 for none; the ratio scales them. Kept over the largest, to three decimals;
        empty weighs all layers alike.
    score_version : int
        What the score's name meant when the plan was made; the planner sets today's.
    """

    score: str = "network-energy"
    ratio: float = 0.2
    allocation: str = "protect-ends"
    compensation: str = "least-squares"
    intercept: bool = False
    sink_units: int | None = None
    preserved: tuple[int, ...] | None = None
    seed: int = 0
    multiple: int | None = None
    pinned_keep: tuple[int, ...] = ()
    pinned_remove: tuple[int, ...] = ()
    attention_ratio: float = 0.0
    layer_weights: tuple[float, ...] = ()
    score_version: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.ratio < 1:
            raise RatioError(
                f"The ratio is the share of MLP units to remove, from 0 to below 1; "
                f"got {self.ratio}.",
                hint="For 20 % write 0.2.",
            )
        if not 0 <= self.attention_ratio < 1:
            raise RatioError(
                f"The attention ratio is the share of KV groups to remove, from 0 to below 1; got "
                f"{self.attention_ratio}.",
                hint="For 20 % write 0.2.",
            )
        allocation_named(self.allocation)
        if self.sink_units is not None:
            check_range("sink_units", self.sink_units, 0, MOST_UNITS)
        check_range("score_version", self.score_version, 1, MOST_VERSION)
        check_range("seed", self.seed, 0, MOST_SEED)
        if self.multiple is not None and not 1 <= self.multiple <= MOST_UNITS:
            raise SettingsError(
                f"Widths are rounded to a multiple of 1 or more, got {self.multiple}.",
                hint="64 suits most hardware.",
            )
        if self.preserved is not None:
            if not self.preserved:
                raise SettingsError(
                    "No network is preserved.", hint="Preserve at least one network."
                )
            object.__setattr__(self, "preserved", tuple(sorted(set(self.preserved))))
        self._check_weights()
        self._check_pins()

    def _check_weights(self) -> None:
        weights = np.array(self.layer_weights, dtype=np.float64)
        if not len(weights):
            return
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise SettingsError(
                "Weights of layers are numbers of 0 or more, and not all 0; got "
                f"{', '.join(f'{w:g}' for w in weights)}.",
                hint="0 exempts a layer; larger gives more.",
            )
        canonical = tuple((weights / weights.max()).round(3).tolist())
        object.__setattr__(self, "layer_weights", canonical)

    def _check_pins(self) -> None:
        for name in ("pinned_keep", "pinned_remove"):
            object.__setattr__(self, name, tuple(sorted(set(map(index, getattr(self, name))))))
        pinned_twice = sorted(set(self.pinned_keep) & set(self.pinned_remove))
        if pinned_twice:
            raise SettingsError(
                f"Pinned to stay and to go at once: unit {', '.join(map(str, pinned_twice[:5]))}"
                f"{'' if len(pinned_twice) <= 5 else f' and {len(pinned_twice) - 5} more'}.",
                hint="Take one of the two pins away.",
            )

    def pins(self, layout: UnitLayout) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which units are pinned to stay and which to go, (n_units,) each.

        Raises
        ------
        SettingsError
            If a pinned unit is not in the layout.
        """
        pins = []
        for units in (self.pinned_keep, self.pinned_remove):
            unknown = [u for u in units if not 0 <= u < layout.n_units]
            if unknown:
                raise SettingsError(
                    f"Unit {unknown[0]} is pinned, but this model's units run from 0 to "
                    f"{layout.n_units - 1}.",
                    hint="Pinned for another model? Take the pin away.",
                )
            pinned = np.zeros(layout.n_units, dtype=bool)
            pinned[list(units)] = True
            pins.append(pinned)
        return pins[0], pins[1]

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON; settings of later versions are left out at their defaults.

        So ids of plans do not change when a new setting does.
        """
        value = asdict(self)
        return {k: v for k, v in value.items() if k not in _LATER or v != _LATER[k]}

    def with_(self, **changes: Any) -> "PlanSettings":
        """Return a copy with some settings changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PruningPlan:
    """Which units go, per layer, and where that came from.

    Parameters
    ----------
    removed : tuple of ndarray
        Sorted unit indices to remove in each layer.
    layout : UnitLayout
        Of the dense model.
    settings : PlanSettings
    share_of_parameters : float
        Share of all the model's parameters that goes with the units.
    thresholds : tuple of float
        Lowest score for which a unit of each layer is kept, sink units aside (for
        network-membership, |z|: the seed's T_l).
    sink_units : tuple of int
        Flat indices that were kept whatever their score.
    preserved : tuple of int
        Networks preserved, spelled out.
    removed_groups : tuple of ndarray
        Sorted KV groups to remove in each layer; empty where none was asked to go.
    group_counts : tuple of int
        KV groups of the dense model's layers, where some go.
    maps_fingerprint : MapsFingerprint or None
        The strongest units of the atlas's networks: which ones `preserved` means; None where the
        score knows no networks, and in plans of before.
    """

    removed: tuple[NDArray[np.int64], ...]
    layout: UnitLayout
    settings: PlanSettings
    fingerprint: str
    model_name: str
    recording_id: str
    decomposition_id: str
    share_of_parameters: float
    thresholds: tuple[float, ...]
    sink_units: tuple[int, ...]
    preserved: tuple[int, ...]
    n_networks: int
    removed_groups: tuple[NDArray[np.int64], ...] = ()
    group_counts: tuple[int, ...] = ()
    maps_fingerprint: MapsFingerprint | None = None

    @property
    def n_removed(self) -> int:
        """Number of units that go."""
        return sum(len(units) for units in self.removed)

    @property
    def achieved_ratio(self) -> float:
        """Share of all MLP units that goes."""
        return self.n_removed / self.layout.n_units

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Which units stay: (n_units,)."""
        return self.layout.keep_of(self.removed)

    @property
    def kept(self) -> tuple[NDArray[np.int64], ...]:
        """Sorted unit indices that stay in each layer."""
        return tuple(np.flatnonzero(layer_keep) for layer_keep in self.layout.split(self.keep))

    @property
    def kept_widths(self) -> tuple[int, ...]:
        """Number of units that stay in each layer."""
        return tuple(
            width - len(units)
            for width, units in zip(self.layout.widths, self.removed, strict=True)
        )

    @property
    def n_removed_groups(self) -> int:
        """Number of KV groups that go."""
        return sum(len(groups) for groups in self.removed_groups)

    @property
    def achieved_attention_ratio(self) -> float:
        """Share of all KV groups that goes."""
        return self.n_removed_groups / max(sum(self.group_counts), 1)

    @property
    def kept_group_counts(self) -> tuple[int, ...]:
        """Number of KV groups that stay in each layer, where some go."""
        return tuple(
            n - len(groups)
            for n, groups in zip(self.group_counts, self.removed_groups, strict=True)
        )

    @property
    def is_uniform(self) -> bool:
        """Whether every layer keeps the same number of units, and of KV groups."""
        return len(set(self.kept_widths)) == 1 and len(set(self.kept_group_counts)) <= 1

    def removal_key(self) -> str:
        """Return a hash of the removed units and groups: plans of the same key cut the same."""
        digest = hashlib.sha256(canonical_json(list(self.layout.widths)).encode())
        digest.update(np.packbits(self.keep).tobytes())
        if self.n_removed_groups:
            digest.update(canonical_json(self._groups_json()).encode())
        return digest.hexdigest()[:16]

    def _groups_json(self) -> dict[str, Any]:
        return {
            "group_counts": list(self.group_counts),
            "removed_groups": [groups.tolist() for groups in self.removed_groups],
        }

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON object."""
        return {
            **(self._groups_json() if self.group_counts else {}),
            "plan_version": PLAN_VERSION,
            "fingerprint": self.fingerprint,
            "model_name": self.model_name,
            "widths": list(self.layout.widths),
            "removed": [units.tolist() for units in self.removed],
            "settings": self.settings.to_json(),
            "recording_id": self.recording_id,
            "decomposition_id": self.decomposition_id,
            "share_of_parameters": self.share_of_parameters,
            "thresholds": list(self.thresholds),
            "sink_units": list(self.sink_units),
            "preserved": list(self.preserved),
            "n_networks": self.n_networks,
            **({KEY: self.maps_fingerprint.to_json()} if self.maps_fingerprint else {}),
        }

    @classmethod
    def from_json(cls, value: Any) -> "PruningPlan":
        """Return the plan in a JSON object, checked.

        Raises
        ------
        PlanError
            If a field is missing, of an unknown version, or units do not fit the layout.
        """
        if not isinstance(value, dict) or value.get("plan_version") != PLAN_VERSION:
            version = value.get("plan_version") if isinstance(value, dict) else None
            shown = repr(version)[:40]
            raise PlanError(
                f"This is not a plan that this version reads (plan_version {shown}, expected "
                f"{PLAN_VERSION}).",
                hint="Give a plan.json written by `fnprune plan`.",
            )
        try:
            fields = checked_values(value)
            plan = cls(
                removed=_as_indices(fields.pop("removed")),
                removed_groups=_as_indices(fields.pop("removed_groups")),
                layout=UnitLayout(tuple(fields.pop("widths"))),
                settings=PlanSettings(**fields.pop("settings")),
                maps_fingerprint=maps_in(value),
                **fields,
            )
        except (TypeError, ValueError, OverflowError, CorruptArtifactError) as error:
            cause = error.message.rstrip(".") if isinstance(error, FnpruneError) else error
            raise PlanError(
                f"The plan is damaged: {cause}.",
                hint="Make it again with `fnprune plan`.",
            ) from error
        plan.check()
        return plan

    def renumbered(self, renumbering: Renumbering, here: MapsFingerprint) -> "PruningPlan":
        """Return the plan with the numbers that its networks have in another atlas.

        What it cuts stays as it is.

        Raises
        ------
        PlanError
            If a network of the plan is not there.
        """
        if renumbering.lost:
            raise PlanError(
                f"The plan's networks cannot all be matched: {renumbering.sentence()}",
                hint="Take the numbers as they are: the units that it cuts are the same.",
            )
        settings, n_networks = self.settings, len(here.marks)
        if settings.preserved is not None or n_networks != self.n_networks:
            settings = settings.with_(preserved=renumbering.here(self.preserved))
        return replace(
            self,
            settings=settings,
            preserved=renumbering.here(self.preserved),
            n_networks=n_networks,
            maps_fingerprint=here,
        )

    def check(self) -> None:
        """Raise `PlanError` if a unit or KV group does not exist or a layer would be empty."""
        try:
            self._check_layers(self.layout, self.keep, "")
            if self.group_counts or self.removed_groups:
                groups = UnitLayout(self.group_counts)
                self._check_layers(groups, groups.keep_of(self.removed_groups), " of attention")
        except SettingsError as error:
            raise PlanError(
                f"The plan does not fit its own layout: {error.message}",
                hint="Made for another model? Compare the fingerprint in plan.json.",
            ) from error

    def check_for(self, language_model: "LanguageModel") -> None:
        """Raise an error if this is not a plan for a model.

        Raises
        ------
        FingerprintMismatchError
            If it is for another model.
        PlanError
            If a layer would be empty, or its numbers of units or KV groups are not the model's.
        """
        language_model.check_fingerprint(self.fingerprint, "plan")
        self.check()
        counts = {"units": (self.layout.widths, language_model.layout.widths)}
        if self.group_counts:
            counts["KV groups"] = (self.group_counts, language_model.attention.groups.widths)
        for noun, (wanted, there) in counts.items():
            if wanted != there:
                raise PlanError(
                    f"The plan is for layers of {', '.join(map(str, wanted))} {noun}, "
                    f"{language_model.name} has {', '.join(map(str, there))}.",
                    hint="Was plan.json edited? Give it as `fnprune plan` wrote it.",
                )

    @staticmethod
    def _check_layers(layout: UnitLayout, keep: NDArray[np.bool_], suffix: str) -> None:
        for layer, layer_keep in enumerate(layout.split(keep)):
            if not layer_keep.any():
                raise PlanError(
                    f"The plan would empty layer {layer}{suffix}.", hint="Choose a lower ratio."
                )

    @classmethod
    def read(cls, path: Path) -> "PruningPlan":
        """Read a plan from ``plan.json``, or from the folder that holds it."""
        file = path / PLAN_FILE if path.is_dir() else path
        if not file.is_file():
            raise PlanError(f"There is no plan at {path}.", hint="Give a plan.json or its folder.")
        content = read_bytes(file, most=MOST_FILE_BYTES, error=PlanError)
        try:
            value = parse_json(content, most_values=MOST_VALUES)
        except ValueError as error:
            raise CorruptArtifactError(
                f"{file} is damaged: not valid JSON, {error}.",
                hint="Give a plan.json written by `fnprune plan`, or make it again.",
            ) from error
        try:
            return cls.from_json(value)
        except PlanError as error:
            raise type(error)(f"{file}: {error.message}", hint=error.hint) from error


def _as_indices(layers: list[list[int]]) -> tuple[NDArray[np.int64], ...]:
    return tuple(np.array(sorted(set(indices)), dtype=np.int64) for indices in layers)
