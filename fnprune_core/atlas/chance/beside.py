"""A statistic of networks beside the same of random directions, with the difference.

Whether networks are more than directions in a space of units is asked of each statistic by itself:
domains differ in the strength of nearly every direction, and differ less than in a network's.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas import connectome, decoding
from fnprune_core.atlas.chance.directions import HEADLINE, KINDS, Directions, permuted_maps, rotated
from fnprune_core.atlas.chance.names import domain_names
from fnprune_core.atlas.naming.promoted import promoted_tokens
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.layout import UnitLayout

#: Share of random directions that a network must exceed to stand above them.
LEVEL = 0.95
ALPHA = 0.05
_LEAST_SEEN = 3
_PARCELS = {"share": "{:.1%}", "dice": "{:.3f}"}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beside:
    """A statistic of networks, and of random directions.

    Parameters
    ----------
    networks : ndarray (K,)
    control : mapping of str to ndarray (n,)
        Kind of random directions → the statistic of each of them.
    """

    networks: Floats
    control: Mapping[str, Floats]

    @property
    def median(self) -> float:
        """Median over networks."""
        return float(np.nanmedian(self.networks))

    def control_median(self, kind: str = HEADLINE) -> float:
        """Return the median over random directions."""
        return float(np.nanmedian(self.control[kind]))

    def limit(self, kind: str = HEADLINE) -> float:
        """Return the 95th percentile of random directions."""
        return float(np.nanquantile(self.control[kind], LEVEL))

    def is_above(self, kind: str = HEADLINE) -> NDArray[np.bool_]:
        """Return which networks lie above the 95th percentile of random directions: (K,)."""
        return np.asarray(self.networks > self.limit(kind))

    def text(self, network: int, form: str = "{:.2f}") -> str:
        """Return a network's figure beside those of random directions, in words."""
        own, usual, limit = (
            form.format(each)
            for each in (self.networks[network], self.control_median(), self.limit())
        )
        return f"{own}; {usual} for random directions (95th percentile {limit})"

    def sentence(self, mark: float) -> str:
        """Return the medians of networks and of directions, and how many reach a mark."""
        controls = [
            f"{kind} {self.control_median(kind):.2f} (95th percentile {self.limit(kind):.2f}), "
            f"{int((values >= mark).sum())} of {len(values)} reach it"
            for kind, values in self.control.items()
        ]
        told = "; ".join(controls) or "not measured yet"
        return (
            f"median {self.median:.2f}, {int((self.networks >= mark).sum())} of "
            f"{len(self.networks)} reach {mark:g}. Of random directions: {told}."
        )

    def table(self) -> pd.DataFrame:
        """Return one row for each kind of random directions.

        Columns: kind, networks (their median), directions (theirs), difference, limit (95th
        percentile of the directions), above (networks beyond it).
        """
        rows = [
            {
                "kind": kind,
                "networks": self.median,
                "directions": self.control_median(kind),
                "difference": self.median - self.control_median(kind),
                "limit": self.limit(kind),
                "above": int(self.is_above(kind).sum()),
            }
            for kind in self.control
        ]
        return pd.DataFrame(rows)


def by_domain(atlas: NetworkAtlas) -> Floats:
    """Return the share of the variance of documents' log energy that domains explain: (K,)."""
    return decoding.domain_test(atlas, n_permutations=0).statistic


def by_class(atlas: NetworkAtlas) -> Floats:
    """Return the share of a time course's variance that classes of tokens explain: (K,)."""
    return _explained(atlas, decoding.token_classes(atlas)[~atlas.is_dummy])


def by_token(atlas: NetworkAtlas) -> Floats:
    """Return the share of a time course's variance that tokens seen thrice explain: (K,).

    Adjusted for their number (ε²), for every rare token would explain some by chance.
    """
    text = atlas.tokens["text"].to_numpy(dtype=str)[~atlas.is_dummy]
    _, code, count = np.unique(text, return_inverse=True, return_counts=True)
    group = np.where(count[code] >= _LEAST_SEEN, code, -1)
    n_groups = len(np.unique(group))
    share = _explained(atlas, group)
    return np.asarray(1 - (1 - share) * (len(group) - 1) / max(len(group) - n_groups, 1))


def _explained(atlas: NetworkAtlas, groups: NDArray[np.generic]) -> Floats:
    """Return η² of groups of usable tokens in each time course: (K,)."""
    courses = atlas.time_courses[:, ~atlas.is_dummy].astype(np.float64)
    _, code = np.unique(groups, return_inverse=True)
    counts = np.bincount(code)
    sums = np.stack([np.bincount(code, weights=row) for row in courses])
    mean = courses.mean(axis=1, keepdims=True)
    between = np.square(sums / counts - mean) @ counts
    total = np.square(courses - mean).sum(axis=1)
    return np.asarray(between / np.where(total > 0, total, 1.0), dtype=np.float64)


def by_variance(atlas: NetworkAtlas) -> Floats:
    """Return how much of the signals' variance each map explains by itself, in percent: (K,)."""
    share = atlas.decomposition.variance_alone
    if not np.isfinite(share).any():
        raise SettingsError("The variance that directions explain was not measured.")
    return 100 * share


def explained_sentence(atlas: NetworkAtlas, directions: Directions | None) -> str:
    """Return how much of the variance networks explain together, beside random directions."""
    networks = atlas.decomposition.variance_explained
    own = f"Together the networks explain {100 * networks:.1f} % of the variance"
    if directions is None or directions.explained is None:
        return f"{own}; what as many random directions explain was not measured."
    permuted, _, shifted = directions.explained
    return (
        f"{own}, as many random directions {100 * permuted:.1f} % (permuted) and "
        f"{100 * shifted:.1f} % (shifted), a difference of {100 * (networks - permuted):+.1f} and "
        f"{100 * (networks - shifted):+.1f} points. Rotated ones span the same space, and so "
        "explain the same."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A statistic of each network.

    Parameters
    ----------
    title : str
        What it is, after "of a network".
    of : callable
        From an atlas to (K,).
    """

    title: str
    of: Callable[[NetworkAtlas], Floats]


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "domains": Statistic(title="Domains, of documents' log energy (η²)", of=by_domain),
        "classes": Statistic(title="Token classes, of the time course (η²)", of=by_class),
        "tokens": Statistic(title="Tokens, of the time course (ε²)", of=by_token),
        "variance": Statistic(title="Variance of the signals, alone (%)", of=by_variance),
    }
)


def beside(directions: Directions, name: str) -> Beside:
    """Return a statistic of networks beside that of random directions.

    Parameters
    ----------
    name : str
        A key of `STATISTICS`.

    Raises
    ------
    SettingsError
        If there is no such statistic, or the recording does not allow it.
    """
    if name not in STATISTICS:
        raise SettingsError(f"There is no statistic {name!r}, only {', '.join(STATISTICS)}.")
    statistic = STATISTICS[name].of
    return Beside(
        networks=statistic(directions.atlas),
        control={kind: statistic(directions.of(kind)) for kind in KINDS},
    )


def promotion(
    language_model: LanguageModel, directions: Directions, std: NDArray[np.floating]
) -> Beside:
    """Return how far the tokens that networks promote stand out, beside random directions.

    The mean effect of the 12 tokens that each promotes most, z over the vocabulary. Of networks
    and directions alike it is of the units with |z| above 3: directions have no members.

    Parameters
    ----------
    std : ndarray (n_units,)
        The recording's standard deviations.
    """

    def of(atlas: NetworkAtlas) -> Floats:
        promoted = promoted_tokens(language_model, atlas, std, z=DEFAULT_THRESHOLD)
        means = (np.mean([each.effect for each in effects] or np.nan) for effects in promoted)
        return np.array(list(means))

    return Beside(
        networks=of(directions.atlas), control={kind: of(directions.of(kind)) for kind in KINDS}
    )


def tables(directions: Directions) -> dict[str, pd.DataFrame]:
    """Return the table of each statistic that the recording allows, by name."""
    found = {}
    for name in STATISTICS:
        with suppress(SettingsError):
            found[name] = beside(directions, name).table()
    return found


def parcels(
    atlas: NetworkAtlas, *, z: float | None = None, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Return figures of a parcellation, of networks and of permuted and rotated directions.

    ``share``: of all units that belong to some network; ``dice``: mean over pairs of networks, of
    the units that belong to them. Where units belong as members (`z` None), each network's members
    are permuted within each layer, and there are no rotated ones. O(K² · units), no reading.
    """
    own = atlas.membership(z=z)
    belongs = {"networks": own, "permuted": permuted_maps(atlas, of=own, seed=seed)}
    if z is not None or atlas.known_members is None:
        threshold = DEFAULT_THRESHOLD if z is None else z
        belongs["rotated"] = np.abs(rotated(atlas, seed=seed)[0]) > threshold
    return {
        name: {"share": float(each.any(axis=0).mean()), "dice": _mean_dice(each, atlas.layout)}
        for name, each in belongs.items()
    }


def parcels_sentence(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return in words what `parcels` returns."""
    share, dice = (told(found, name, form) for name, form in _PARCELS.items())
    return f"In some network: {share} of the units. Mean Dice of pairs: {dice}."


def told(found: Mapping[str, Mapping[str, float]], name: str, form: str = "{:.0%}") -> str:
    """Return a figure of networks, and in brackets that of each kind of random directions.

    Parameters
    ----------
    found : mapping
        "networks" and the kinds → figures by name; a kind without this figure is left out.
    """
    own, *others = (
        (kind, form.format(each[name]).replace("%", " %"))
        for kind, each in found.items()
        if name in each
    )
    kinds = ", ".join(f"{kind} {value}" for kind, value in others)
    return f"{own[1]} (random directions: {kinds or 'not measured'})"


def _mean_dice(belongs: NDArray[np.bool_], layout: UnitLayout) -> float:
    """Return the mean Dice of pairs of networks; NaN of a single one."""
    dice = connectome.dice_between(belongs, layout)
    pairs = dice[np.triu_indices(len(dice), 1)]
    return float(pairs.mean()) if len(pairs) else float("nan")


def counts(atlas: NetworkAtlas, *, n_permutations: int = 2000) -> dict[str, float]:
    """Return figures of a whole atlas that are asked of its random directions, too.

    ``explained``: share of the signals' variance that all explain together; ``differ``: networks
    in whose strength domains differ (corrected p below 0.05); ``named``: those named after a
    domain, ``hold``: whose name holds on other documents; ``silhouette``: of the best number of
    groups in the connectome; ``mean_r``: mean |r| of pairs. What the recording does not allow is
    left out.
    """
    found: dict[str, float] = {}
    decomposition = atlas.decomposition
    is_rotated = decomposition.settings.get("directions") == "rotated"  # it explains the same
    if np.isfinite(decomposition.variance_explained) and not is_rotated:
        found["explained"] = decomposition.variance_explained
    try:
        test = decoding.domain_test(atlas, n_permutations=n_permutations)
    except SettingsError:
        pass
    else:
        names = [name for name in domain_names(atlas) if name is not None]
        found["differ"] = int((test.p_corrected < ALPHA).sum())
        found["named"], found["hold"] = len(names), sum(name.holds for name in names)
    if atlas.n_networks > 2:
        r = atlas.functional_connectivity()
        silhouette = connectome.group_networks(r).silhouette
        found["silhouette"] = max(silhouette.values(), default=float("nan"))
        found["mean_r"] = float(np.abs(r[np.triu_indices(len(r), 1)]).mean())
    return found
