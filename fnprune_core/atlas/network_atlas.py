"""The atlas: networks with their maps and time courses, their passages, tokens and domains."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas.membership import read_members
from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.decomposition.fingerprint import MapsFingerprint, fingerprint_of
from fnprune_core.errors import SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.workspace import Workspace

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
    find_members : callable
        Returns which units belong to which network, (K, n_units), or None while that was not
        measured (`membership.read_members`).

    Notes
    -----
    Where a method takes `z`, None stands for the rule that holds everywhere: the units that belong
    to a network (`membership.RULE`), and where these were not measured those with |z| above 3.
    """

    def __init__(
        self,
        decomposition: Decomposition,
        tokens: pd.DataFrame,
        *,
        find_members: Callable[[], NDArray[np.bool_] | None] = lambda: None,
    ) -> None:
        if len(tokens) != decomposition.time_courses.shape[1]:
            raise SettingsError(
                f"The time courses have {decomposition.time_courses.shape[1]} tokens, the token "
                f"table {len(tokens)}.",
                hint="Open the recording that this decomposition was made from.",
            )
        self.decomposition = decomposition
        self.tokens = tokens
        self._find_members = find_members
        self._known_members: NDArray[np.bool_] | None = None

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
    def maps_fingerprint(self) -> MapsFingerprint:
        """The strongest units of each map, by which numbers of networks are checked."""
        return fingerprint_of(self.maps)

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
        layer_values = self.layout.split(self.maps[self.check_network(network)])
        rows = np.full((self.layout.n_layers, max(self.layout.widths)), np.nan, dtype=np.float32)
        for row, values in zip(rows, layer_values, strict=True):
            row[: len(values)] = values
        return rows

    @property
    def known_members(self) -> NDArray[np.bool_] | None:
        """Which units belong to which network, (K, n_units); None while it was not measured."""
        if self._known_members is None:
            self._known_members = self._find_members()
        return self._known_members

    def rule(self, z: float | None = None) -> str:
        """Return in words which units count as a network's own."""
        if z is None and self.known_members is not None:
            return "members in halves of the documents"
        return f"|z| above {DEFAULT_THRESHOLD if z is None else z:g}"

    def membership(self, *, z: float | None = None) -> NDArray[np.bool_]:
        """Return which units belong to which network, or have |z| above `z`: (K, n_units)."""
        if z is None and (known := self.known_members) is not None:
            return known
        return np.abs(self.maps) > (DEFAULT_THRESHOLD if z is None else z)

    def members(self, network: int, *, z: float | None = None) -> NDArray[np.int64]:
        """Return the flat indices of a network's units, as `membership` does of all."""
        self.check_network(network)
        if z is None and (known := self.known_members) is not None:
            return np.flatnonzero(known[network])
        return np.flatnonzero(np.abs(self.maps[network]) > (DEFAULT_THRESHOLD if z is None else z))

    def depth_profile(self, network: int, *, z: float | None = None) -> NDArray[np.float64]:
        """Return the share of each layer's units that are a network's own: (n_layers,)."""
        layer = self.layout.layer_of_unit[self.members(network, z=z)]
        counts = np.bincount(layer, minlength=self.layout.n_layers)
        return np.asarray(counts / np.asarray(self.layout.widths))

    @cached_property
    def peaks(self) -> NDArray[np.int64]:
        """The peak of each network: the flat unit with the largest |z| of its map, (K,)."""
        return np.asarray(np.abs(self.maps).argmax(axis=1), dtype=np.int64)

    @cached_property
    def peak_layers(self) -> NDArray[np.int64]:
        """The layer of each network's peak: (K,)."""
        return np.asarray(self.layout.layer_of_unit[self.peaks], dtype=np.int64)

    @cached_property
    def strongest(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Each unit's strongest network, however weak, and its z there with sign: (n_units,) each.

        Computed once, so that a threshold that moves costs a comparison only.
        """
        label = np.empty(self.layout.n_units, dtype=np.int32)
        value = np.empty(self.layout.n_units, dtype=np.float32)
        for layer in range(self.layout.n_layers):
            units = self.layout.layer_slice(layer)
            maps = self.maps[:, units]
            label[units] = np.abs(maps).argmax(axis=0)
            value[units] = np.take_along_axis(maps, label[None, units], axis=0)[0]
        return label, value

    def parcellation(self, *, z: float | None = None) -> NDArray[np.int64]:
        """Return for each unit the strongest of the networks that it belongs to, or −1."""
        known = self.known_members if z is None else None
        if known is None:
            label, value = self.strongest
            threshold = DEFAULT_THRESHOLD if z is None else z
            return np.where(np.abs(value) > threshold, label, -1).astype(np.int64)
        labels = np.full(self.layout.n_units, -1, dtype=np.int64)
        units = np.flatnonzero(known.any(axis=0))
        strength = np.where(known[:, units], np.abs(self.maps[:, units]), 0.0)
        labels[units] = strength.argmax(axis=0)
        return labels

    def parcel_maps(self, *, z: float | None = None) -> Iterator[NDArray[np.float32]]:
        """Yield each network's map for a picture of the parcellation: (n_units,) each.

        Where members are the rule, a map is 0 at all other units, so that no region of the picture
        is made of units that `parcellation` leaves out. Where |z| is, maps are whole: the picture
        cuts them at `z` after smoothing.
        """
        known = self.known_members if z is None else None
        if known is None:
            yield from self.maps
        else:
            for row, own in zip(self.maps, known, strict=True):
                yield np.where(own, row, np.float32(0))

    def parcel_sizes(self, *, z: float | None = None) -> NDArray[np.int64]:
        """Return how many units of each layer are in a network's parcel: (K, n_layers)."""
        sizes = np.zeros((self.n_networks, self.layout.n_layers), dtype=np.int64)
        for layer, labels in enumerate(self.layout.split(self.parcellation(z=z))):
            sizes[:, layer] = np.bincount(labels[labels >= 0], minlength=self.n_networks)
        return sizes

    def parcel_table(self, *, z: float | None = None) -> pd.DataFrame:
        """Return one row per network's parcel: network, units, share of all, peak and mean layer.

        The peak is the network's own (`peaks`), whatever its parcel holds.
        """
        sizes = self.parcel_sizes(z=z)
        total = sizes.sum(axis=1)
        weighted = sizes @ np.arange(self.layout.n_layers)
        mean = np.divide(weighted, total, out=np.full(len(total), np.nan), where=total > 0)
        return pd.DataFrame(
            {
                "network": np.arange(self.n_networks),
                "units": total,
                "share": total / self.layout.n_units,
                "peak_layer": self.peak_layers,
                "mean_layer": mean,
            }
        )

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
        """Return the share of each domain in a network's time-course energy per token: (K, D).

        Rows sum to 1. Energy is per token, so that a larger domain does not count for more.
        """
        return self._domain_share

    def most_typical(self, n: int, *, first: NDArray[np.bool_] | None = None) -> list[int]:
        """Return `n` networks most typical of a domain, dealt over the domains in turn.

        Parameters
        ----------
        first : ndarray (K,), optional
            Networks that are taken before others, and stand before them: those that come back in
            halves. Each of the two parts is sorted by number.
        """
        share = self.domain_share()
        top_domain = share.argmax(axis=1)
        turn = np.empty(self.n_networks, dtype=np.int64)
        is_later = np.zeros(self.n_networks, dtype=bool) if first is None else ~first
        for domain in range(share.shape[1]):
            for later in (False, True):
                of_domain = np.flatnonzero((top_domain == domain) & (is_later == later))
                order = of_domain[np.argsort(-share[of_domain, domain], kind="stable")]
                turn[order] = np.arange(len(order))
        taken = np.lexsort((top_domain, turn, is_later))[:n]
        return sorted(taken.tolist(), key=lambda k: (is_later[k], k))

    def networks_of_domain(self, domain: str, *, share: float = 0.5) -> tuple[int, ...]:
        """Return the networks with more than `share` of their energy per token in a domain."""
        if domain not in self.domain_names:
            raise SettingsError(
                f"There is no domain {domain!r} in this recording.",
                hint=f"It has: {', '.join(self.domain_names)}.",
            )
        column = self.domain_share()[:, self.domain_names.index(domain)]
        return tuple(int(k) for k in np.flatnonzero(column > share))

    def _token_strength(self, network: int, pole: int) -> NDArray[np.float32]:
        """Return each token's strength in a network, or in one pole of it; −inf where left out."""
        course = self.time_courses[self.check_network(network)]
        strength = np.abs(course) if pole == 0 else np.sign(pole) * course
        is_excluded = self.is_dummy if pole == 0 else self.is_dummy | (strength <= 0)
        return np.where(is_excluded, -np.inf, strength).astype(np.float32)

    def top_passages(
        self, network: int, *, n: int = 8, radius: int = 12, pole: int = 0
    ) -> list[Passage]:
        """Return the passages around the strongest |time course|, strongest first.

        No two share a token, none goes beyond its session, and while others have any, no
        document gives more than two: near-equal passages teach little.

        Parameters
        ----------
        pole : int
            1 for passages that activate the positive pole, −1 for the negative, 0 for both.
        """
        strength = self._token_strength(network, pole)
        document = self.tokens["document"].to_numpy()
        order = [p for p in np.argsort(-strength, kind="stable") if np.isfinite(strength[p])]
        is_taken = np.zeros(len(strength), dtype=bool)
        n_passages: Counter[str] = Counter()
        windows: dict[int, NDArray[np.int64]] = {}
        for limit in (MOST_PASSAGES_OF_A_DOCUMENT, n):
            for peak in order:
                if len(windows) == n:
                    break
                window = self._tokens_around(int(peak), radius)
                if n_passages[document[peak]] < limit and not is_taken[window].any():
                    is_taken[window] = True
                    n_passages[document[peak]] += 1
                    windows[int(peak)] = window
        peaks = sorted(windows, key=lambda peak: -strength[peak])
        course = self.time_courses[network]
        return [self._passage(windows[peak], peak, course) for peak in peaks]

    def decile_passages(self, network: int, *, radius: int = 12, pole: int = 0) -> list[Passage]:
        """Return the strongest passage, then one from each decile of strength, strongest first.

        The extremes alone mislead; these show what a network does on ordinary tokens. A decile
        is shown by the token nearest its middle whose passage shares no token with another's;
        a decile without any is left out. `pole` as in `top_passages`.
        """
        strength = self._token_strength(network, pole)
        ascending = np.argsort(strength, kind="stable")[int((~np.isfinite(strength)).sum()) :]
        is_taken = np.zeros(len(strength), dtype=bool)
        course = self.time_courses[network]
        passages: list[Passage] = []
        deciles = [tokens for tokens in np.array_split(ascending, 10)[::-1] if len(tokens)]
        for number, decile in enumerate([ascending[-1:], *deciles]):
            middle = len(decile) // 2
            by_middle = np.argsort(np.abs(np.arange(len(decile)) - middle), kind="stable")
            for centre in decile[by_middle] if number else decile:
                window = self._tokens_around(int(centre), radius)
                if not is_taken[window].any():
                    is_taken[window] = True
                    passages.append(self._passage(window, int(centre), course))
                    break
        return passages

    def _tokens_around(self, centre: int, radius: int) -> NDArray[np.int64]:
        """Return the tokens around one, within its session."""
        session = self.tokens["session"].to_numpy()
        window = np.arange(max(0, centre - radius), min(len(session), centre + radius + 1))
        return np.asarray(window[session[window] == session[centre]])

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

    def passage_at(self, network: int, token: int, *, radius: int = 12) -> Passage:
        """Return the passage around a token, with a network's strength in it."""
        course = self.time_courses[self.check_network(network)]
        return self._passage(self._tokens_around(token, radius), token, course)

    def find(self, words: str) -> NDArray[np.int64]:
        """Return the tokens at which `words` begin, whatever their case, in reading order.

        They may run over several tokens, but not from one session into the next.
        """
        lowered_words = words.lower()
        if not lowered_words:
            return np.empty(0, dtype=np.int64)
        session = self.tokens["session"].to_numpy()
        pieces = np.array([text.lower() for text in self.tokens["text"].astype(str)], dtype=object)
        token_rows: list[int] = []
        for session_number in np.unique(session):
            rows = np.flatnonzero(session == session_number)
            ends = np.cumsum([len(piece) for piece in pieces[rows]])
            text = "".join(pieces[rows])
            offset = text.find(lowered_words)
            while offset >= 0:
                token_rows.append(int(rows[np.searchsorted(ends, offset, side="right")]))
                offset = text.find(lowered_words, offset + 1)
        return np.unique(np.array(token_rows, dtype=np.int64))

    def top_tokens(
        self, network: int, *, n: int = 20, least: int = 3, pole: int = 0
    ) -> pd.DataFrame:
        """Return token types by mean strength: text, mean, count; those seen `least` times.

        Parameters
        ----------
        pole : int
            1 for types whose mean is positive, −1 for negative ones, 0 for both.
        """
        usable = ~self.is_dummy
        frame = pd.DataFrame(
            {
                "text": self.tokens["text"].to_numpy()[usable],
                "strength": self.time_courses[self.check_network(network)][usable],
            }
        )
        grouped = frame.groupby("text")["strength"].agg(["mean", "count"]).reset_index()
        frequent = grouped[grouped["count"] >= least]
        if pole:
            frequent = frequent[pole * frequent["mean"] > 0]
        order = frequent["mean"].abs().sort_values(ascending=False, kind="stable").index
        return frequent.loc[order].head(n).reset_index(drop=True)

    def table(self) -> pd.DataFrame:
        """Return one row per network: agreement of runs, variance, domain, peak layer, units."""
        share = self.domain_share()
        d = self.decomposition
        return pd.DataFrame(
            {
                "network": np.arange(self.n_networks),
                "run_agreement": d.run_agreement,
                "variance_alone": d.variance_alone,
                "variance_left_out": d.variance_left_out,
                "top_domain": [self.domain_names[i] for i in share.argmax(axis=1)],
                "top_domain_share": share.max(axis=1),
                "peak_layer": self.peak_layers,
                "units": self.membership().sum(axis=1),
            }
        )


def open_atlas(workspace: Workspace, decomposition_id: str) -> NetworkAtlas:
    """Return the networks of a decomposition with their recording's tokens, and their members."""
    decomposition = Decomposition.load(workspace.existing("decompositions", decomposition_id))
    return NetworkAtlas(
        decomposition,
        open_recording(workspace, decomposition.recording_id).tokens,
        find_members=partial(read_members, workspace, decomposition),
    )
