"""What a localizer found: an artifact with the blocks' effects, from which all tables are made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.localizers.decoding import Decoding
from fnprune_core.localizers.glm import (
    LEVEL,
    Contrast,
    design_matrix,
    second_level,
    template_effects,
)
from fnprune_core.localizers.stimuli import Block, Item, Localizer
from fnprune_core.models.layout import UnitLayout
from fnprune_core.storage import (
    MANIFEST,
    manifest_of,
    new_folder,
    read_json,
    read_manifest,
    write_json,
)

_ARRAYS, _TOKENS, _STIMULI = "localizer.safetensors", "tokens.parquet", "stimuli.json"
KIND = "localizers"
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
        One row a token: block, item, position, token_id, text, is_dummy, log_probability,
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
        found = second_level(self.localizer, self.blocks, self.unit_effects)
        return found

    def n_responding(self, *, q: float = LEVEL) -> int:
        """Return how many units respond at a false discovery rate."""
        return int((self.units.q < q).sum())

    def order(self) -> NDArray[np.int64]:
        """Return the networks by effect: those with q below 0.05 first, the largest first."""
        found = self.networks
        return np.lexsort((-np.abs(found.effect), found.q >= LEVEL))

    def network_table(self) -> pd.DataFrame:
        """Return one row a network, in the order of `order`."""
        found = self.networks
        low, high = found.interval()
        table = pd.DataFrame(
            {
                "network": np.arange(self.n_networks),
                "difference": found.effect,
                "low": low,
                "high": high,
                "effect_size": found.effect_size,
                "t": found.t,
                "df": found.df,
                "p": found.p,
                "q": found.q,
                "responds": found.q < LEVEL,
            }
        )
        return table.iloc[self.order()].reset_index(drop=True)

    def unit_table(self, *, q: float = LEVEL) -> pd.DataFrame:
        """Return the units that respond, the largest |t| first: layer, index, difference, …."""
        found = self.units
        chosen = np.flatnonzero(found.q < q)
        chosen = chosen[np.argsort(-np.abs(found.t[chosen]), kind="stable")]
        layer, index = self.layout.locate(chosen)
        return pd.DataFrame(
            {
                "layer": layer,
                "index": index,
                "difference": found.effect[chosen],
                "effect_size": found.effect_size[chosen],
                "t": found.t[chosen],
                "p": found.p[chosen],
                "q": found.q[chosen],
            }
        )

    def layer_table(self, *, q: float = LEVEL) -> pd.DataFrame:
        """Return how many units of each layer respond to either side of the contrast."""
        found = self.units
        responds = found.q < q
        up = [int(n.sum()) for n in self.layout.split(responds & (found.t > 0))]
        down = [int(n.sum()) for n in self.layout.split(responds & (found.t < 0))]
        return pd.DataFrame(
            {
                "layer": np.arange(self.layout.n_layers),
                "units": self.layout.widths,
                "positive": up,
                "negative": down,
            }
        )

    def block_table(self, network: int) -> pd.DataFrame:
        """Return one row a block, in reading order: condition, template, effect, decoding."""
        return pd.DataFrame(
            {
                "block": np.arange(len(self.blocks)),
                "condition": [block.condition for block in self.blocks],
                "template": [block.template for block in self.blocks],
                "effect": self.network_effects[: len(self.blocks), self._checked(network)],
                "decoded": self.decoding.by_block,
            }
        )

    def template_table(self, network: int) -> pd.DataFrame:
        """Return the contrast of a network in each template; of unpaired blocks, each by itself.

        Columns: template, condition (empty where paired), difference, example.
        """
        column = self._checked(network)
        effects = self.network_effects[: len(self.blocks), [column]]
        if self.localizer.is_paired:
            names, differences = template_effects(self.localizer, self.blocks, effects)
            rows = [(name, "", float(d[0])) for name, d in zip(names, differences, strict=True)]
        else:
            rows = [
                (block.template, block.condition, float(effect[0]))
                for block, effect in zip(self.blocks, effects, strict=True)
            ]
        examples = {
            (item.template, item.condition): item.text for item in reversed(self.localizer.items)
        }
        first = self.localizer.positive[0]
        return pd.DataFrame(
            [
                (name, condition, value, examples[name, condition or first])
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
            own = by_block.to_numpy()[conditions == condition]
            error = float(own.std(ddof=1) / np.sqrt(len(own)))
            n = int(usable["block"].isin(by_block.index[conditions == condition]).sum())
            rows.append((condition, n, float(own.mean()), error))
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
        """Return the design matrix of the first level: one row a token that counts."""
        usable = self.tokens[~self.tokens["is_dummy"]]
        covariates = {name: usable[name].to_numpy() for name in COVARIATES}
        return design_matrix(usable["block"].to_numpy(), covariates)

    def _checked(self, network: int) -> int:
        if not 0 <= network < self.n_networks:
            raise SettingsError(
                f"There is no network {network}: they run from 0 to {self.n_networks - 1}."
            )
        return network

    def save(self, target: Path, inputs: Mapping[str, Any]) -> None:
        """Write the result as an artifact folder, at once."""
        decoding = self.decoding
        arrays = {
            "strengths": self.strengths,
            "network_effects": self.network_effects,
            "unit_effects": self.unit_effects,
            "alive": self.alive.astype(np.uint8),
            "decoding_null": decoding.null,
            "decoding_by_block": decoding.by_block,
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
        with new_folder(target) as folder:
            save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / _ARRAYS)
            self.tokens.to_parquet(folder / _TOKENS, index=False)
            stimuli = {
                "localizer": asdict(self.localizer),
                "blocks": [asdict(block) for block in self.blocks],
            }
            write_json(folder / _STIMULI, stimuli)
            write_json(folder / MANIFEST, manifest_of(KIND, inputs, facts))

    @classmethod
    def load(cls, folder: Path) -> "LocalizerResult":
        """Read a result from its artifact folder."""
        manifest = read_manifest(folder)
        try:
            arrays = load_file(folder / _ARRAYS)
            stimuli = read_json(folder / _STIMULI)
            localizer, blocks = _localizer(stimuli["localizer"]), stimuli["blocks"]
            decoding = Decoding(
                null=arrays["decoding_null"],
                by_block=arrays["decoding_by_block"],
                **manifest["decoding"],
            )
            return cls(
                localizer=localizer,
                blocks=tuple(Block(**{**b, "items": tuple(b["items"])}) for b in blocks),
                tokens=pd.read_parquet(folder / _TOKENS),
                strengths=arrays["strengths"],
                network_effects=arrays["network_effects"],
                unit_effects=arrays["unit_effects"],
                alive=arrays["alive"].astype(bool),
                decoding=decoding,
                layout=UnitLayout(tuple(manifest["widths"])),
                decomposition_id=manifest["decomposition_id"],
                id=folder.name,
            )
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise CorruptArtifactError(
                f"{folder} is damaged.", hint="Delete it; the localizer is run again."
            ) from error


def _localizer(stored: dict[str, Any]) -> Localizer:
    return Localizer(
        **{
            **stored,
            "items": tuple(Item(**item) for item in stored["items"]),
            "positive": tuple(stored["positive"]),
            "negative": tuple(stored["negative"]),
        }
    )
