"""The atlas: networks with their maps and time courses, and what can be asked of them."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.decomposition import Decomposition
from fnprune_core.errors import SettingsError
from fnprune_core.layout import UnitLayout

DEFAULT_THRESHOLD = 3.0
MOST_PASSAGES_OF_A_DOCUMENT = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passage:
    """A stretch of text with a network's strength at each token; `centre` is the peak."""

    pieces: tuple[str, ...]
    values: NDArray[np.float32]
    centre: int
    session: int
    position: int
    document: str
    domain: str


class NetworkAtlas:
    """The functional networks of a model.

    Parameters
    ----------
    decomposition : Decomposition
    tokens : DataFrame
        The recording's token table, one row for each column of the time courses.
    """

    def __init__(self, decomposition: Decomposition, tokens: pd.DataFrame) -> None:
        if len(tokens) != decomposition.time_courses.shape[1]:
            raise SettingsError(
                f"The time courses have {decomposition.time_courses.shape[1]} tokens, the token "
                f"table {len(tokens)}.",
                hint="Open the recording that this decomposition was made from.",
            )
        self.decomposition = decomposition
        self.tokens = tokens

    @property
    def id(self) -> str:
        """The decomposition's id."""
        return self.decomposition.id

    @property
    def layout(self) -> UnitLayout:
        """The model's layout of units."""
        return self.decomposition.layout

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return self.decomposition.n_networks

    @property
    def maps(self) -> NDArray[np.float32]:
        """Statistic maps, z over alive units: (K, n_units)."""
        return self.decomposition.spatial_maps

    @property
    def time_courses(self) -> NDArray[np.float32]:
        """Strength of each network at each token: (K, n_tokens)."""
        return self.decomposition.time_courses

    @cached_property
    def is_dummy(self) -> NDArray[np.bool_]:
        """Tokens that statistics leave out: (n_tokens,)."""
        return self.tokens["is_dummy"].to_numpy(dtype=bool)

    @property
    def domain_names(self) -> tuple[str, ...]:
        """The recording's domains."""
        return tuple(str(name) for name in self.tokens["domain"].cat.categories)

    def check_network(self, network: int) -> int:
        """Return `network`, refusing numbers that do not exist."""
        if not 0 <= network < self.n_networks:
            raise SettingsError(
                f"There is no network {network}: they run from 0 to {self.n_networks - 1}."
            )
        return network

    def layer_map(self, network: int) -> NDArray[np.float32]:
        """Return a map as (n_layers, widest layer); NaN beyond a layer's own width."""
        parts = self.layout.split(self.maps[self.check_network(network)])
        rows = np.full((self.layout.n_layers, max(self.layout.widths)), np.nan, dtype=np.float32)
        for row, part in zip(rows, parts, strict=True):
            row[: len(part)] = part
        return rows

    def members(self, network: int, *, z: float = DEFAULT_THRESHOLD) -> NDArray[np.int64]:
        """Return the flat indices of units with |z| above a threshold."""
        return np.flatnonzero(np.abs(self.maps[self.check_network(network)]) > z)

    def membership(self, *, z: float = DEFAULT_THRESHOLD) -> NDArray[np.bool_]:
        """Return which units belong to which network: (K, n_units)."""
        return np.abs(self.maps) > z

    def threshold_for(self, network: int, *, share: float) -> float:
        """Return the |z| above which the given share of alive units lies (top-k %)."""
        if not 0 < share < 1:
            raise SettingsError(f"The share of units must be between 0 and 1, got {share}.")
        z = np.abs(self.maps[self.check_network(network), self.decomposition.alive])
        return float(np.quantile(z, 1.0 - share))

    def depth_profile(self, network: int, *, z: float = DEFAULT_THRESHOLD) -> NDArray[np.float64]:
        """Return the share of each layer's units with |z| above a threshold: (n_layers,)."""
        above = np.abs(self.maps[self.check_network(network)]) > z
        return np.array([part.mean() for part in self.layout.split(above)])

    def parcellation(self, *, z: float = DEFAULT_THRESHOLD) -> NDArray[np.int64]:
        """Return each unit's strongest network, −1 where no |z| is above the threshold."""
        strength = np.abs(self.maps)
        strongest = strength.argmax(axis=0)
        return np.where(strength.max(axis=0) > z, strongest, -1).astype(np.int64)

    def functional_connectivity(self) -> NDArray[np.float64]:
        """Return the correlation of time courses over usable tokens (FNC): (K, K)."""
        return np.atleast_2d(np.corrcoef(self.time_courses[:, ~self.is_dummy].astype(np.float64)))

    @cached_property
    def _domain_share(self) -> NDArray[np.float64]:
        usable = ~self.is_dummy
        codes = self.tokens["domain"].cat.codes.to_numpy()[usable]
        squares = np.square(self.time_courses[:, usable].astype(np.float64))
        per_token = np.stack(
            [
                squares[:, codes == d].mean(axis=1)
                if np.any(codes == d)
                else np.zeros(len(squares))
                for d in range(len(self.domain_names))
            ],
            axis=1,
        )
        total = per_token.sum(axis=1, keepdims=True)
        return np.asarray(per_token / np.where(total > 0, total, 1.0))

    def domain_share(self) -> NDArray[np.float64]:
        """Return how a network's time-course energy per token divides over domains: (K, D).

        Rows sum to 1. Energy is per token, so that a larger domain does not count for more.
        """
        return self._domain_share

    def networks_of_domain(self, domain: str, *, share: float = 0.5) -> tuple[int, ...]:
        """Return the networks with more than `share` of their energy per token in a domain."""
        if domain not in self.domain_names:
            raise SettingsError(
                f"There is no domain {domain!r} in this recording.",
                hint=f"It has: {', '.join(self.domain_names)}.",
            )
        column = self.domain_share()[:, self.domain_names.index(domain)]
        return tuple(int(k) for k in np.flatnonzero(column > share))

    def token_weights(self, preserved: tuple[int, ...]) -> NDArray[np.float64]:
        """Return how much each token counts when only some networks are preserved: (n_tokens,).

        w_t = (Σ_{k∈P} s_kt² / Σ_k s_kt²)², 1 where no network is active, 0 on dummy tokens.
        """
        if not preserved:
            raise SettingsError(
                "No network is preserved, so no token counts.", hint="Preserve at least one."
            )
        for network in preserved:
            self.check_network(network)
        weights = (~self.is_dummy).astype(np.float64)
        if len(set(preserved)) < self.n_networks:
            squares = np.square(self.time_courses.astype(np.float64))
            whole = squares.sum(axis=0)
            kept = squares[sorted(set(preserved))].sum(axis=0)
            share = np.divide(kept, whole, out=np.ones_like(whole), where=whole > 0)
            weights *= np.square(share)
        return weights

    def top_passages(self, network: int, *, n: int = 8, radius: int = 12) -> list[Passage]:
        """Return the passages around the strongest |time course|, strongest first.

        No two share a token, none goes beyond its session, and while others have any, no
        document gives more than two: near-equal passages teach little.
        """
        course = self.time_courses[self.check_network(network)]
        strength = np.where(self.is_dummy, -np.inf, np.abs(course))
        session = self.tokens["session"].to_numpy()
        document = self.tokens["document"].to_numpy()
        order = [p for p in np.argsort(-strength, kind="stable") if np.isfinite(strength[p])]
        taken = np.zeros(len(course), dtype=bool)
        given: Counter[str] = Counter()
        found: dict[int, NDArray[np.int64]] = {}
        for most in (MOST_PASSAGES_OF_A_DOCUMENT, n):
            for peak in order:
                if len(found) == n:
                    break
                first, last = max(0, peak - radius), min(len(course), peak + radius + 1)
                window = np.arange(first, last)
                window = window[session[window] == session[peak]]
                if given[document[peak]] < most and not taken[window].any():
                    taken[window] = True
                    given[document[peak]] += 1
                    found[int(peak)] = window
        peaks = sorted(found, key=lambda peak: -strength[peak])
        return [self._passage(found[peak], peak, course) for peak in peaks]

    def _passage(
        self, window: NDArray[np.int64], peak: int, course: NDArray[np.float32]
    ) -> Passage:
        rows = self.tokens.iloc[window]
        centre = int(np.flatnonzero(window == peak)[0])
        row = rows.iloc[centre]
        return Passage(
            pieces=tuple(rows["text"].astype(str)),
            values=course[window],
            centre=centre,
            session=int(row["session"]),
            position=int(row["position"]),
            document=str(row["document"]),
            domain=str(row["domain"]),
        )

    def top_tokens(self, network: int, *, n: int = 20, least: int = 3) -> pd.DataFrame:
        """Return token types by mean strength: text, mean, count; those seen `least` times."""
        usable = ~self.is_dummy
        frame = pd.DataFrame(
            {
                "text": self.tokens["text"].to_numpy()[usable],
                "strength": self.time_courses[self.check_network(network)][usable],
            }
        )
        grouped = frame.groupby("text")["strength"].agg(["mean", "count"]).reset_index()
        frequent = grouped[grouped["count"] >= least]
        order = frequent["mean"].abs().sort_values(ascending=False, kind="stable").index
        return frequent.loc[order].head(n).reset_index(drop=True)

    def table(self) -> pd.DataFrame:
        """Return one row a network: stability, variance, domain, peak layer, size."""
        share = self.domain_share()
        above = np.abs(self.maps) > DEFAULT_THRESHOLD
        per_layer = np.stack([part.mean(axis=1) for part in self.layout.split(above)], axis=1)
        d = self.decomposition
        return pd.DataFrame(
            {
                "network": np.arange(self.n_networks),
                "stability": d.stability_index,
                "variance_alone": d.variance_alone,
                "variance_left_out": d.variance_left_out,
                "top_domain": [self.domain_names[i] for i in share.argmax(axis=1)],
                "top_domain_share": share.max(axis=1),
                "peak_layer": per_layer.argmax(axis=1),
                "units_above_3": above.sum(axis=1),
            }
        )
