"""Result of a localizer: an artifact with the blocks' effects, from which tables are made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fnprune_core.decomposition.fingerprint import KEY, MapsFingerprint, Renumbering, maps_in
from fnprune_core.errors import SettingsError
from fnprune_core.inputs.records import record_of
from fnprune_core.localizers.decoding import Decoding
from fnprune_core.localizers.glm import (
    LEVEL,
    Contrast,
    design_matrix,
    second_level,
    template_effects,
)
from fnprune_core.localizers.stimuli import Block, Localizer
from fnprune_core.models.layout import UnitLayout
from fnprune_core.storage.array_results import save_arrays
from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.folders import delete_folder, new_folder
from fnprune_core.storage.json_files import read_json, write_json
from fnprune_core.storage.manifests import manifest_of, read_manifest

_ARRAYS, _TOKENS, _STIMULI = "localizer.safetensors", "tokens.parquet", "stimuli.json"
KIND = "localizers"
_DIRECTIONS = "directions_"
COVARIATES = {
    "log frequency": "natural logarithm of the token's share in the recording, one added to counts",
    "position": "place in the block, in hundreds of tokens",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalizerResult:
    """Responses of an atlas to a localizer.

    Networks are in multiples of their usual strength (root mean square over the recording),
    units in standard deviations of the recording.

    Parameters
    ----------
    localizer : Localizer
        The stimuli and the contrast.
    blocks : tuple of Block
        In the order in which they were read.
    tokens : DataFrame
        One row per token: block, item, position, token_id, text, is_dummy, log_probability,
        log frequency.
    strengths : ndarray (K, n_tokens)
        Time courses of the networks, in multiples of usual strengths.
    network_effects : ndarray (n_blocks + 2, K)
        First level: of each block at average covariates, then of the covariates.
    unit_effects : ndarray (n_blocks, n_units)
        The same of units, without covariates.
    alive : ndarray (n_units,)
        Units that vary in the recording.
    decoding : Decoding
    layout : UnitLayout
    decomposition_id : str
    maps_fingerprint : MapsFingerprint or None
        The strongest units of the networks; results of before have none.
    directions : mapping
        Kind of random directions → their strengths, (K, n_tokens) in a unit of their own; results
        of before have none.
    seed : int
        Of block order, folds and permutations.
    """

    localizer: Localizer
    blocks: tuple[Block, ...]
    tokens: pd.DataFrame
    strengths: NDArray[np.float32]
    network_effects: NDArray[np.float64]
    unit_effects: NDArray[np.float32]
    alive: NDArray[np.bool_]
    decoding: Decoding
    layout: UnitLayout
    decomposition_id: str
    maps_fingerprint: MapsFingerprint | None = None
    directions: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    seed: int = 0
    id: str = ""

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.strengths)

    @cached_property
    def networks(self) -> Contrast:
        """The contrast in each network, in multiples of its usual strength: (K,) each."""
        effects = self.network_effects[: len(self.blocks)]
        return second_level(self.localizer, self.blocks, effects)

    @cached_property
    def units(self) -> Contrast:
        """The contrast in each unit, in its standard deviations; 0 where not alive."""
        contrast = second_level(self.localizer, self.blocks, self.unit_effects)
        return contrast

    def n_responding(self, *, q: float = LEVEL) -> int:
        """Return how many units respond at a false discovery rate."""
        return int((self.units.q < q).sum())

    def order(self) -> NDArray[np.int64]:
        """Return the networks by effect: those with q below 0.05 first, the largest first."""
        contrast = self.networks
        return np.lexsort((-np.abs(contrast.effect), contrast.q >= LEVEL))

    def network_table(self) -> pd.DataFrame:
        """Return one row per network, in the order of `order`."""
        contrast = self.networks
        low, high = contrast.interval()
        table = pd.DataFrame(
            {
                "network": np.arange(self.n_networks),
                "difference": contrast.effect,
                "low": low,
                "high": high,
                "effect_size": contrast.effect_size,
                "t": contrast.t,
                "df": contrast.df,
                "p": contrast.p,
                "q": contrast.q,
                "responds": contrast.q < LEVEL,
            }
        )
        return table.iloc[self.order()].reset_index(drop=True)

    def unit_table(self, *, q: float = LEVEL) -> pd.DataFrame:
        """Return the units that respond, the largest |t| first: layer, index, difference, …."""
        contrast = self.units
        units = np.flatnonzero(contrast.q < q)
        units = units[np.argsort(-np.abs(contrast.t[units]), kind="stable")]
        layer, index = self.layout.locate(units)
        return pd.DataFrame(
            {
                "layer": layer,
                "index": index,
                "difference": contrast.effect[units],
                "effect_size": contrast.effect_size[units],
                "t": contrast.t[units],
                "p": contrast.p[units],
                "q": contrast.q[units],
            }
        )

    def layer_table(self, *, q: float = LEVEL) -> pd.DataFrame:
        """Return how many units of each layer respond to either side of the contrast."""
        contrast = self.units
        responds = contrast.q < q
        n_positive = [
            int(layer_responds.sum())
            for layer_responds in self.layout.split(responds & (contrast.t > 0))
        ]
        n_negative = [
            int(layer_responds.sum())
            for layer_responds in self.layout.split(responds & (contrast.t < 0))
        ]
        return pd.DataFrame(
            {
                "layer": np.arange(self.layout.n_layers),
                "units": self.layout.widths,
                "positive": n_positive,
                "negative": n_negative,
            }
        )

    def block_table(self, network: int) -> pd.DataFrame:
        """Return one row per block, in reading order: condition, template, effect, decoding."""
        return pd.DataFrame(
            {
                "block": np.arange(len(self.blocks)),
                "condition": [block.condition for block in self.blocks],
                "template": [block.template for block in self.blocks],
                "effect": self.network_effects[: len(self.blocks), self._checked_network(network)],
                "decoded": self.decoding.by_block,
            }
        )

    def template_table(self, network: int) -> pd.DataFrame:
        """Return the contrast of a network in each template; of unpaired blocks, each by itself.

        Columns: template, condition (empty where paired), difference, example.
        """
        column = self._checked_network(network)
        effects = self.network_effects[: len(self.blocks), [column]]
        if self.localizer.is_paired:
            names, differences = template_effects(self.localizer, self.blocks, effects)
            rows = [
                (name, "", float(difference[0]))
                for name, difference in zip(names, differences, strict=True)
            ]
        else:
            rows = [
                (block.template, block.condition, float(effect[0]))
                for block, effect in zip(self.blocks, effects, strict=True)
            ]
        examples = {
            (item.template, item.condition): item.text for item in reversed(self.localizer.items)
        }
        first_condition = self.localizer.positive[0]
        return pd.DataFrame(
            [
                (name, condition, value, examples[name, condition or first_condition])
                for name, condition, value in rows
            ],
            columns=["template", "condition", "difference", "example"],
        )

    def surprise_table(self) -> pd.DataFrame:
        """Return mean −log probability of each condition's tokens, over templates: nats."""
        usable = self.tokens[~self.tokens["is_dummy"] & self.tokens["log_probability"].notna()]
        by_block = -usable.groupby("block")["log_probability"].mean()
        conditions = np.array([self.blocks[int(i)].condition for i in by_block.index])
        rows = []
        for condition in self.localizer.conditions:
            values = by_block.to_numpy()[conditions == condition]
            error = float(values.std(ddof=1) / np.sqrt(len(values)))
            n_tokens = int(usable["block"].isin(by_block.index[conditions == condition]).sum())
            rows.append((condition, n_tokens, float(values.mean()), error))
        return pd.DataFrame(rows, columns=["condition", "tokens", "surprise", "standard_error"])

    def item_table(self) -> pd.DataFrame:
        """Return the stimuli: condition, template, text, tokens."""
        counts = self.tokens["item"].value_counts()
        return pd.DataFrame(
            [
                (item.condition, item.template, item.text, int(counts.get(number, 0)))
                for number, item in enumerate(self.localizer.items)
            ],
            columns=["condition", "template", "text", "tokens"],
        )

    def design(self) -> pd.DataFrame:
        """Return the design matrix of the first level: one row per token that counts."""
        usable = self.tokens[~self.tokens["is_dummy"]]
        covariates = {name: usable[name].to_numpy() for name in COVARIATES}
        return design_matrix(usable["block"].to_numpy(), covariates)

    def _checked_network(self, network: int) -> int:
        if not 0 <= network < self.n_networks:
            raise SettingsError(
                f"There is no network {network}: they run from 0 to {self.n_networks - 1}."
            )
        return network

    def renumbered(self, renumbering: Renumbering) -> "LocalizerResult":
        """Return the result with the numbers and signs that its networks have in an atlas."""
        there = sorted(renumbering.numbers, key=renumbering.numbers.__getitem__)
        sign = np.array([-1.0 if k in renumbering.turned else 1.0 for k in there])
        maps = self.maps_fingerprint
        return replace(
            self,
            strengths=(self.strengths[there] * sign[:, None]).astype(np.float32),
            network_effects=self.network_effects[:, there] * sign,
            maps_fingerprint=None
            if maps is None
            else MapsFingerprint(marks={renumbering.numbers[k]: maps.marks[k] for k in there}),
        )

    def save(self, target: Path, inputs: Mapping[str, Any]) -> None:
        """Write the result as an artifact folder, at once, in the place of one of before."""
        decoding = self.decoding
        arrays: dict[str, NDArray[Any]] = {
            "strengths": self.strengths,
            "network_effects": self.network_effects,
            "unit_effects": self.unit_effects,
            "alive": self.alive.astype(np.uint8),
            "decoding_null": decoding.null,
            "decoding_by_block": decoding.by_block,
            **{f"{_DIRECTIONS}{kind}": each for kind, each in self.directions.items()},
        }
        facts = {
            "title": self.localizer.title,
            "contrast": self.localizer.contrast,
            "n_items": len(self.localizer.items),
            "n_blocks": len(self.blocks),
            "widths": list(self.layout.widths),
            "decomposition_id": self.decomposition_id,
            "decoding": {
                name: getattr(decoding, name)
                for name in ("accuracy", "standard_error", "p", "n_folds", "n_items")
            },
        }
        if self.maps_fingerprint is not None:
            facts[KEY] = self.maps_fingerprint.to_json()
        with new_folder(target) as folder:
            save_arrays(arrays, folder / _ARRAYS)
            self.tokens.to_parquet(folder / _TOKENS, index=False)
            stimuli = {
                "localizer": asdict(self.localizer),
                "blocks": [asdict(block) for block in self.blocks],
            }
            write_json(folder / _STIMULI, stimuli)
            write_json(folder / MANIFEST, manifest_of(KIND, inputs, facts))
            if target.exists():  # of before, without random directions
                delete_folder(target)

    @classmethod
    def load(cls, folder: Path) -> "LocalizerResult":
        """Read a result from its artifact folder."""
        manifest = read_manifest(folder)
        with damage_told(folder, "Delete it; the localizer is run again."):
            arrays = load_file(checked(folder, manifest, _ARRAYS))
            stimuli = read_json(checked(folder, manifest, _STIMULI))
            decoding = Decoding(
                null=arrays["decoding_null"],
                by_block=arrays["decoding_by_block"],
                **manifest["decoding"],
            )
            return cls(
                localizer=record_of(Localizer, stimuli["localizer"]),
                blocks=record_of(tuple[Block, ...], stimuli["blocks"]),
                tokens=pd.read_parquet(checked(folder, manifest, _TOKENS)),
                strengths=arrays["strengths"],
                network_effects=arrays["network_effects"],
                unit_effects=arrays["unit_effects"],
                alive=arrays["alive"].astype(bool),
                decoding=decoding,
                layout=UnitLayout(tuple(manifest["widths"])),
                decomposition_id=manifest["decomposition_id"],
                maps_fingerprint=maps_in(manifest),
                directions={
                    name.removeprefix(_DIRECTIONS): arrays[name]
                    for name in sorted(arrays)
                    if name.startswith(_DIRECTIONS)
                },
                seed=manifest["inputs"]["settings"]["seed"],
                id=folder.name,
            )
