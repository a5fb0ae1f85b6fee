"""Fingerprint of an atlas's maps: the strongest units of each, by which numbers are checked.

An id says how networks were made, not which number each of them got: another machine may number
them otherwise. What refers to a network by its number keeps the fingerprint of its maps, and where
it is opened the two are compared. Rounding moves no strong unit out, so that it passes; a network
at another place, of another kind or of the other sign does not.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import CorruptArtifactError
from fnprune_core.inputs.numbers import MOST_NETWORKS

KEY = "maps_fingerprint"
#: Strongest units that stand for a map, at most.
N_STRONGEST = 32
#: Smallest correlation of one and the same network's strongest units.
SAME_R = 0.5
_UNIT = re.compile(r"^(\d{1,9}):(-?\d{1,6}(?:\.\d)?)$")

Mark = Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapsFingerprint:
    """Strongest units of networks' maps.

    Parameters
    ----------
    marks : mapping of int to mapping of int to float
        Network → its strongest units, flat, with their z; all networks of an atlas, or some.
    """

    marks: Mapping[int, Mark]

    def of(self, networks: Iterable[int]) -> "MapsFingerprint":
        """Return the fingerprint of some networks alone; those it does not have are left out."""
        return MapsFingerprint(marks={k: self.marks[k] for k in networks if k in self.marks})

    def to_json(self) -> dict[str, str]:
        """Return network → its units as text."""
        return {str(network): mark_text(mark) for network, mark in sorted(self.marks.items())}

    @classmethod
    def from_json(cls, value: object) -> "MapsFingerprint":
        """Return the fingerprint that `to_json` wrote.

        Raises
        ------
        CorruptArtifactError
            If it is something else.
        """
        try:
            items = value.items()  # type: ignore[attr-defined]  # what is no mapping is told below
            marks = {network_number(str(number)): mark_of(text) for number, text in items}
        except (AttributeError, TypeError, ValueError) as error:
            raise CorruptArtifactError(
                f"The fingerprint of the maps is damaged: {error}.",
                hint="Make or export again what holds it.",
            ) from error
        return cls(marks=MappingProxyType(marks))


def maps_in(facts: Mapping[str, object]) -> MapsFingerprint | None:
    """Return the fingerprint that stands in facts under `KEY`; older ones hold none."""
    return MapsFingerprint.from_json(facts[KEY]) if KEY in facts else None


def mark_text(mark: Mark) -> str:
    """Return a network's strongest units as text: ``"1201:14.2 77:-9.8"``."""
    return " ".join(f"{unit}:{z:.1f}" for unit, z in mark.items())


def mark_of(text: object) -> Mark:
    """Return the units of `mark_text`; raises ValueError for anything else."""
    words = str(text).split()
    found = [_UNIT.match(word) for word in words]
    if not words or len(words) > 4 * N_STRONGEST or not all(found):
        raise ValueError(f"{str(text)[:40]!r} does not name strong units")
    return MappingProxyType({int(m[1]): float(m[2]) for m in found if m})


def network_number(text: str) -> int:
    """Return a network's number from its digits; raises ValueError for all else."""
    if text.isdecimal() and text.isascii() and len(text) < 10 and int(text) < MOST_NETWORKS:
        return int(text)
    raise ValueError(f"{text[:40]!r} is no number of a network")


def fingerprint_of(maps: NDArray[np.floating]) -> MapsFingerprint:
    """Return the fingerprint of maps (K, n_units). O(K · units).

    A map is stood for by its `N_STRONGEST` units, or a hundredth of all where that is less, but
    at least four: of a small model, more would be in every network.
    """
    n_units = maps.shape[1]
    n = min(max(n_units // 100, 4), N_STRONGEST, n_units)
    marks: dict[int, Mark] = {}
    for network, values in enumerate(maps):
        size = np.abs(values)
        units = np.argpartition(-size, n - 1)[:n]
        units = units[np.lexsort((units, -size[units]))]
        marks[network] = MappingProxyType(
            {int(unit): round(float(values[unit]), 1) for unit in units if values[unit] != 0}
        )
    return MapsFingerprint(marks=MappingProxyType(marks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumbering:
    """Numbers that networks had elsewhere, beside those that they have here.

    Parameters
    ----------
    numbers : mapping of int to int
        Number there → number here, of networks that are the same by the spatial correlation of
        their strongest units.
    turned : frozenset of int
        Those, by their number there, whose sign is turned here.
    lost : tuple of int
        Numbers there that no network here continues.
    """

    numbers: Mapping[int, int]
    turned: frozenset[int] = frozenset()
    lost: tuple[int, ...] = ()

    @property
    def moved(self) -> tuple[int, ...]:
        """Numbers there whose network has another number, or the other sign, here."""
        return tuple(k for k, here in sorted(self.numbers.items()) if k != here or k in self.turned)

    @property
    def is_same(self) -> bool:
        """Whether all numbers mean the same networks here."""
        return not self.moved and not self.lost

    @property
    def is_in_place(self) -> bool:
        """Whether all numbers mean the same networks here, whatever their sign."""
        return not self.lost and all(k == here for k, here in self.numbers.items())

    def here(self, networks: Iterable[int]) -> tuple[int, ...]:
        """Return the numbers here, sorted; of networks that are not lost."""
        return tuple(sorted({self.numbers[k] for k in networks if k in self.numbers}))

    def of(self, networks: Iterable[int]) -> "Renumbering":
        """Return what is said of some networks, by their numbers there."""
        asked = set(networks)
        return Renumbering(
            numbers=MappingProxyType({k: v for k, v in self.numbers.items() if k in asked}),
            turned=self.turned & asked,
            lost=tuple(k for k in self.lost if k in asked),
        )

    def sentence(self) -> str:
        """Return the comparison in words."""
        if self.is_same:
            return "The numbers mean the same networks here."
        n = len(self.numbers) + len(self.lost)
        examples = ", ".join(f"{k} is {self.numbers[k]} here" for k in self.moved[:3])
        parts = [f"{len(self.moved)} of {n} networks have another number or sign here ({examples})"
                 if self.moved else "",
                 f"{len(self.lost)} of {n} are not here ({_listed(self.lost)})"
                 if self.lost else ""]  # fmt: skip
        return "; ".join(part for part in parts if part) + "."


def _listed(networks: tuple[int, ...]) -> str:
    return ", ".join(map(str, networks[:6])) + (", …" if len(networks) > 6 else "")


def similarity(there: MapsFingerprint, here: MapsFingerprint) -> NDArray[np.float64]:
    """Return the spatial correlation of strongest units, uncentred and signed: (there, here).

    As of maps that are 0 everywhere else, so that unlike ones have 0. Rows and columns are in
    the order of the networks' numbers.
    """
    sides = [[side.marks[k] for k in sorted(side.marks)] for side in (there, here)]
    column = {unit: i for i, unit in enumerate({u for marks in sides for m in marks for u in m})}
    matrices = []
    for marks in sides:
        matrix: NDArray[np.float64] = np.zeros((len(marks), len(column)))
        for row, mark in enumerate(marks):
            matrix[row, [column[unit] for unit in mark]] = list(mark.values())
        norm = np.linalg.norm(matrix, axis=1, keepdims=True)
        matrices.append(matrix / np.where(norm > 0, norm, 1.0))
    return np.asarray(matrices[0] @ matrices[1].T)


def compare(there: MapsFingerprint, here: MapsFingerprint) -> Renumbering:
    """Return which network here each network there is (Hungarian method on |r|)."""
    from scipy.optimize import linear_sum_assignment  # the command line's help must not wait for it

    r = similarity(there, here)
    theirs, ours = sorted(there.marks), sorted(here.marks)
    rows, columns = linear_sum_assignment(-np.abs(r))
    numbers, turned = {}, set()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if abs(r[row, column]) >= SAME_R:
            numbers[theirs[row]] = ours[column]
            if r[row, column] < 0:
                turned.add(theirs[row])
    return Renumbering(
        numbers=MappingProxyType(numbers),
        turned=frozenset(turned),
        lost=tuple(k for k in theirs if k not in numbers),
    )
