"""Lesion studies: losses of every lesion and its random ones, and the effects they show."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fnprune_core.decomposition.fingerprint import KEY, MapsFingerprint, Renumbering
from fnprune_core.evaluation.intervals import MIN_DOCUMENTS
from fnprune_core.evaluation.results import Protocol
from fnprune_core.inputs.records import record_of
from fnprune_core.lesions.sites import Lesion, LesionSettings
from fnprune_core.lesions.statistics import (
    DoubleDissociation,
    Floats,
    Tested,
    Texts,
    double_dissociations,
    tested,
)
from fnprune_core.storage.array_results import save_arrays
from fnprune_core.storage.checksums import checked, damage_told
from fnprune_core.storage.json_files import read_json, write_json
from fnprune_core.storage.manifests import read_manifest

LEVEL = 0.05
#: What studies of version 0.2 resampled where a domain had few documents.
_BLOCKS = "blocks of windows"
_ARRAYS, _FACTS = "losses.safetensors", "study.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts of a study: everything but its numbers.

    Parameters
    ----------
    columns : tuple of str
        Domains, or conditions of localizers.
    pairs : tuple of (int, int)
        Columns compared for dissociations.
    unit : str
        What is resampled, in words.
    failures : tuple of str
        Lesions whose loss was not finite, in words.
    maps_fingerprint : MapsFingerprint or None
        The strongest units of the atlas's networks; studies of before have none.
    """

    decomposition_id: str
    model_name: str
    lesions: tuple[Lesion, ...]
    settings: LesionSettings
    columns: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    unit: str
    protocol: Protocol
    failures: tuple[str, ...] = ()
    maps_fingerprint: MapsFingerprint | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        value = asdict(replace(self, maps_fingerprint=None))
        maps = self.maps_fingerprint
        return {**value, KEY: None if maps is None else maps.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the facts that `to_json` wrote."""
        maps = MapsFingerprint.from_json(value[KEY]) if value.get(KEY) else None
        return replace(record_of(cls, {**value, KEY: None}), maps_fingerprint=maps)


@dataclass(frozen=True, kw_only=True, eq=False)
class LesionStudy:
    """Losses of L lesions, each with R random ones that match it, on W windows.

    Parameters
    ----------
    facts : Facts
    texts : Texts
    healthy : ndarray (W,)
        Sum of −log p of each window, nats; NaN where not yet read.
    nll : ndarray (L, 1 + R, W)
        The lesion itself first; NaN where not yet read.
    n_units : ndarray (L,)
        Units of each lesion.
    magnitude : ndarray (L, 1 + R)
        Sum of what its units give to their layers' outputs (`LesionSites.magnitudes`).
    """

    facts: Facts
    texts: Texts
    healthy: Floats
    nll: Floats
    n_units: NDArray[np.int64]
    magnitude: Floats

    @property
    def lesions(self) -> tuple[Lesion, ...]:
        """The lesions, row by row."""
        return self.facts.lesions

    @property
    def columns(self) -> tuple[str, ...]:
        """Domains or conditions."""
        return self.facts.columns

    @property
    def is_done(self) -> NDArray[np.bool_]:
        """Which lesions and random lesions were read: (L, 1 + R)."""
        return np.asarray(np.isfinite(self.nll).all(axis=2))

    @property
    def n_done(self) -> int:
        """Number of lesions and random lesions that were read."""
        return int(self.is_done.sum())

    @property
    def is_complete(self) -> bool:
        """Whether all were read; those that failed do not come any more."""
        return self.n_done + len(self.facts.failures) == self.is_done.size

    @property
    def n_random(self) -> int:
        """Random lesions of each lesion, whether read or not."""
        return int(self.nll.shape[1]) - 1

    @property
    def is_tested(self) -> bool:
        """Whether any effect is tested."""
        return bool(np.isfinite(self.effects.q).any())

    def why_untested(self) -> str:
        """Return what is not tested and why, a sentence; empty where everything is."""
        if self.n_random < 2:
            number = "one" if self.n_random else "none"
            return (
                f"Nothing is tested: that takes two random lesions of each, and there is {number}."
            )
        few = self.texts.columns_without_error()
        samples = self.texts.samples()
        columns = ", ".join(f"{self.columns[c]} ({samples[c].n} {self.facts.unit})" for c in few)
        return (
            f"Nothing is tested in {columns}: an error takes {MIN_DOCUMENTS} {self.facts.unit} of "
            "equal length."
            if few
            else ""
        )

    @cached_property
    def healthy_loss(self) -> Floats:
        """Nats per token of the healthy model: (C,)."""
        return self.texts.means(self.healthy)

    @cached_property
    def change(self) -> Floats:
        """Loss change from healthy in nats per token: (L, 1 + R, C)."""
        return self.texts.means(self.nll - self.healthy)

    @cached_property
    def change_error(self) -> Floats:
        """Standard error of `change` over the texts, paired by window: (L, 1 + R, C)."""
        return self.texts.errors(self.nll - self.healthy)

    @cached_property
    def effects(self) -> Tested:
        """Each lesion's excess over its random lesions, tested: fields of shape (L, C)."""
        return self._tested(self._column_pairs)

    @cached_property
    def contrasts(self) -> Tested:
        """Excess in one column less excess in another, tested: fields of shape (L, pairs)."""
        return self._tested(list(self.facts.pairs))

    @cached_property
    def null_p(self) -> Floats:
        """P of each random lesion against the others of its lesion: (R, L, C).

        Under the null hypothesis a lesion is like them, so that one in twenty may be below
        0.05; NaN with fewer than three.
        """
        n_random = self.n_random
        if n_random < 3:
            return np.full((n_random, len(self.lesions), len(self.columns)), np.nan)
        p_values = []
        for draw in range(1, n_random + 1):
            others = [r for r in range(1, n_random + 1) if r != draw]
            p_values.append(self._tested(self._column_pairs, row=draw, others=others).p)
        return np.stack(p_values)

    @property
    def _column_pairs(self) -> list[tuple[int, int | None]]:
        return [(c, None) for c in range(len(self.columns))]

    @cached_property
    def dissociations(self) -> list[DoubleDissociation]:
        """Double dissociations at a rate of false discoveries of `LEVEL`, the clearest first."""
        return double_dissociations(self.contrasts, self.effects, self.facts.pairs, level=LEVEL)

    def _tested(
        self,
        pairs: Sequence[tuple[int, int | None]],
        *,
        row: int = 0,
        others: Sequence[int] | None = None,
    ) -> Tested:
        """Return tests of excesses (a, None) or contrasts of excesses (a, b) of all lesions.

        `row` and `others`: which reading of each lesion is held against which.
        """
        shape = (len(self.lesions), len(pairs))
        references = list(others) if others is not None else list(range(1, self.nll.shape[1]))
        excess_nll = self.nll[:, row] - _mean(self.nll[:, references])
        excess, error = self.texts.means(excess_nll), self.texts.errors(excess_nll)
        random = self.change[:, references]
        text_freedom = [sample.freedom for sample in self.texts.samples()]
        difference, errors = np.empty(shape), np.empty(shape)
        spread, freedom = np.empty((len(references), *shape)), np.empty(shape)
        for j, (a, b) in enumerate(pairs):
            difference[:, j], errors[:, j] = excess[:, a], error[:, a]
            spread[:, :, j], freedom[:, j] = random[:, :, a].T, text_freedom[a]
            if b is not None:
                difference[:, j] -= excess[:, b]
                errors[:, j] = np.hypot(error[:, a], error[:, b])
                spread[:, :, j] -= random[:, :, b].T
                freedom[:, j] = min(text_freedom[a], text_freedom[b])
        log_magnitude = np.repeat(np.log(np.maximum(self.magnitude[:, 0], 1e-30)), len(pairs))
        pair_index = np.tile(np.arange(len(pairs)), len(self.lesions))
        effects = tested(
            difference.ravel(),
            spread.reshape(len(references), difference.size),
            errors.ravel(),
            text_freedom=freedom.ravel(),
            trend=np.column_stack(
                [log_magnitude, *(pair_index == j for j in range(1, len(pairs)))]
            ),
            n_lesions=int((self.is_done[:, references].sum(axis=1) > 1).sum()),
        )
        return effects.reshaped(shape)

    def table(self) -> pd.DataFrame:
        """Return one row per lesion and column, with all its figures.

        Columns: networks, strength, units, column, healthy (nats per token), change and
        change_error, random (mean change of the random lesions), random_sd, excess, text_error,
        lesion_error, p, q, magnitude_ratio (random over lesion).
        """
        rows, effects = [], self.effects
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = _mean(self.change[:, 1:])
            n = np.isfinite(self.change[:, 1:]).sum(axis=1)
            sd = np.sqrt(np.nansum(np.square(self.change[:, 1:] - mean[:, None]), axis=1) / (n - 1))
            ratio = _mean(self.magnitude[:, 1:]) / self.magnitude[:, 0]
        for i, lesion in enumerate(self.lesions):
            for c, name in enumerate(self.columns):
                rows.append(
                    {
                        "networks": " ".join(map(str, lesion.networks)),
                        "strength": lesion.strength,
                        "units": int(self.n_units[i]),
                        "column": name,
                        "healthy": self.healthy_loss[c],
                        "change": self.change[i, 0, c],
                        "change_error": self.change_error[i, 0, c],
                        "random": mean[i, c],
                        "random_sd": sd[i, c],
                        "excess": effects.excess[i, c],
                        "text_error": effects.text_error[i, c],
                        "lesion_error": effects.lesion_error[i, c],
                        "p": effects.p[i, c],
                        "q": effects.q[i, c],
                        "magnitude_ratio": ratio[i],
                    }
                )
        return pd.DataFrame(rows)

    def with_failure(self, text: str) -> "LesionStudy":
        """Return the study with one more lesion that cannot be read."""
        return replace(self, facts=replace(self.facts, failures=(*self.facts.failures, text)))

    def renumbered(self, renumbering: Renumbering, here: MapsFingerprint) -> "LesionStudy":
        """Return the study with the numbers that its networks have in another atlas."""
        lesions = tuple(
            Lesion(networks=renumbering.here(lesion.networks), strength=lesion.strength)
            for lesion in self.lesions
        )
        return replace(self, facts=replace(self.facts, lesions=lesions, maps_fingerprint=here))

    def save(self, folder: Path) -> None:
        """Write numbers and facts into a folder."""
        arrays = {
            "nll": self.nll,
            "healthy": self.healthy,
            "n_units": self.n_units,
            "magnitude": self.magnitude,
            "tokens": self.texts.tokens,
            "column": self.texts.column,
            "unit": self.texts.unit,
        }
        save_arrays(arrays, folder / _ARRAYS)
        write_json(folder / _FACTS, self.facts.to_json())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a study from its artifact folder."""
        manifest = read_manifest(folder)
        with damage_told(folder, "Delete it and run the study again."):
            arrays = load_file(checked(folder, manifest, _ARRAYS))
            facts = Facts.from_json(read_json(checked(folder, manifest, _FACTS)))
            texts = {name: arrays[name] for name in ("tokens", "column", "unit")}
            if _BLOCKS in facts.unit:  # of a few documents: no observations, so there is no error
                texts["unit"] = np.zeros_like(texts["unit"])
                facts = replace(facts, unit="documents")
            return cls(
                facts=facts,
                texts=Texts(**texts, n_columns=len(facts.columns)),
                healthy=arrays["healthy"],
                nll=arrays["nll"],
                n_units=arrays["n_units"],
                magnitude=arrays["magnitude"],
            )


def _mean(values: Floats) -> Floats:
    """Return the mean over axis 1 of finite values; NaN where there is none."""
    n = np.isfinite(values).sum(axis=1)
    return np.asarray(np.where(n > 0, np.nansum(values, axis=1) / np.maximum(n, 1), np.nan))
