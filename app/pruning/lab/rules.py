"""The rules that decide on many networks at once: one table row each, pure functions.

A rule is looked at before it is applied: `effect` says what it would change, and which of the
networks that would go look like position or attention sink, so that a person is asked first.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: What trust in a network can be read from, the most telling first; a cluster that few runs share
#: counts little however tight it is.
TRUST = {
    "reproducibility": "split-half r",
    "again_bootstrap": "Iq × share of bootstraps",
    "again_seeds": "Iq × share of seeds",
    "run_agreement": "agreement of runs",
}
#: What the decoding calls networks that serve the model's working rather than its texts.
SERVING = ("position", "attention sink")


def trust_of(table: pd.DataFrame) -> tuple[str, pd.Series]:
    """Return the measure of trust in networks: its name, and one value each."""
    column = next(iter(trust_columns(table)), "run_agreement")
    return TRUST[column], table[column]


def trust_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of `TRUST` that were measured, the most telling first."""
    return [c for c in TRUST if c in table and table[c].notna().any()]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """Facts that rules may look at.

    Parameters
    ----------
    table : DataFrame
        One row per network: its number, variance alone, and what is known of its trust.
    domain_share : ndarray (K, D)
        How each network's energy per token divides over domains; rows sum to 1.
    domain_names : tuple of str
    tags : sequence of collection of str
        By network: the trivial things that it follows, and what people tagged it with.
    serving : frozenset of int
        Networks that follow position or attention sinks.
    """

    table: pd.DataFrame
    domain_share: NDArray[np.float64]
    domain_names: tuple[str, ...]
    tags: Sequence[Collection[str]]
    serving: frozenset[int]

    @property
    def networks(self) -> frozenset[int]:
        """All networks."""
        return frozenset(range(len(self.domain_share)))

    def share_in(self, domains: Collection[str]) -> NDArray[np.float64]:
        """Return each network's largest share in any of some domains: (K,), 0 without domains."""
        columns = [self.domain_names.index(name) for name in domains if name in self.domain_names]
        if not columns:
            return np.zeros(len(self.domain_share))
        return np.asarray(self.domain_share[:, columns].max(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Terms that a person fills into a rule; each rule reads its own.

    Parameters
    ----------
    statistic : str
        One of `TRUST`, for the rule on trust.
    least : float
        Networks below it go.
    domains, tags : tuple of str
    share : float
        Of a network's energy in one of the domains.
    count : int
        How many networks stay.
    """

    statistic: str = "run_agreement"
    least: float = 0.6
    domains: tuple[str, ...] = ()
    share: float = 0.5
    count: int = 32
    tags: tuple[str, ...] = ()


Found = Callable[[Known, Terms], frozenset[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the table.

    Parameters
    ----------
    label : str
        On its button.
    found : callable
        The networks that it is about.
    does : str
        ``"prune"`` or ``"keep"`` what is found and leave the rest; ``"keep only"`` prunes the
        rest; ``"invert"`` turns what is found.
    says : callable
        The rule with its terms as a sentence, for the log and for each network's reason.
    """

    label: str
    found: Found
    does: Literal["prune", "keep", "keep only", "invert"]
    says: Callable[[Terms], str]


def _all(facts: Known, terms: Terms) -> frozenset[int]:
    return facts.networks


def _below(facts: Known, terms: Terms) -> frozenset[int]:
    if terms.statistic not in facts.table:
        return frozenset()
    return _networks_where(facts.table[terms.statistic].to_numpy(dtype=np.float64) < terms.least)


def _serving_domains(facts: Known, terms: Terms) -> frozenset[int]:
    return _networks_where(facts.share_in(terms.domains) > terms.share)


def _strongest(facts: Known, terms: Terms) -> frozenset[int]:
    variance = facts.table["variance_alone"].to_numpy(dtype=np.float64)
    order = np.argsort(-np.where(np.isfinite(variance), variance, -np.inf), kind="stable")
    return frozenset(order[: max(terms.count, 0)].tolist())


def _tagged(facts: Known, terms: Terms) -> frozenset[int]:
    chosen_tags = set(terms.tags)
    return frozenset(k for k, tags in enumerate(facts.tags) if chosen_tags & set(tags))


def _networks_where(mask: NDArray[np.bool_]) -> frozenset[int]:
    return frozenset(np.flatnonzero(mask).tolist())


def _share_text(terms: Terms) -> str:
    limit_text = "half" if terms.share == 0.5 else f"{100 * terms.share:.0f} %"
    return f"over {limit_text} in {' or '.join(terms.domains) or 'no domain'}"


RULES: Mapping[str, Rule] = {
    "all": Rule(label="Protect all", found=_all, does="keep", says=lambda _: "rule: protect all"),
    "none": Rule(
        label="Protect none", found=_all, does="prune", says=lambda _: "rule: protect none"
    ),
    "invert": Rule(label="Invert", found=_all, does="invert", says=lambda _: "rule: invert"),
    "trust": Rule(
        label="Don't protect what is not to be trusted",
        found=_below,
        does="prune",
        says=lambda t: f"rule: {TRUST.get(t.statistic, t.statistic)} below {t.least:g}",
    ),
    "keep-domains": Rule(
        label="Protect what serves domains",
        found=_serving_domains,
        does="keep",
        says=lambda t: f"rule: protect {_share_text(t)}",
    ),
    "only-domains": Rule(
        label="Protect only what serves domains",
        found=_serving_domains,
        does="keep only",
        says=lambda t: f"rule: protect only {_share_text(t)}",
    ),
    "prune-domains": Rule(
        label="Don't protect what serves domains",
        found=_serving_domains,
        does="prune",
        says=lambda t: f"rule: {_share_text(t)}",
    ),
    "strongest": Rule(
        label="Protect only the strongest",
        found=_strongest,
        does="keep only",
        says=lambda t: f"rule: protect the {t.count} strongest by variance",
    ),
    "tagged": Rule(
        label="Don't protect what is tagged",
        found=_tagged,
        does="prune",
        says=lambda t: f"rule: tagged {' or '.join(t.tags) or 'nothing'}",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Effect of a rule, before it is applied.

    Parameters
    ----------
    found : frozenset of int
        The networks that the rule is about.
    dropped : frozenset of int
        All that would not be preserved afterwards.
    pruned, kept : frozenset of int
        Those of them that change.
    serving : frozenset of int
        Those that would newly go and follow position or attention sinks: ask first.
    """

    found: frozenset[int]
    dropped: frozenset[int]
    pruned: frozenset[int] = field(default_factory=frozenset)
    kept: frozenset[int] = field(default_factory=frozenset)
    serving: frozenset[int] = field(default_factory=frozenset)

    @property
    def n_changed(self) -> int:
        """Number of networks that change."""
        return len(self.pruned) + len(self.kept)

    def sparing(self) -> "Effect":
        """Return the same, but for the networks that serve position or attention sinks."""
        return replace(
            self,
            dropped=self.dropped - self.serving,
            pruned=self.pruned - self.serving,
            serving=frozenset(),
        )


def effect(rule: Rule, terms: Terms, facts: Known, dropped: Collection[int]) -> Effect:
    """Return the effect of a rule on the networks that are dropped now."""
    dropped_before = frozenset(dropped) & facts.networks
    networks = rule.found(facts, terms)
    dropped_after = {
        "prune": dropped_before | networks,
        "keep": dropped_before - networks,
        "keep only": facts.networks - networks,
        "invert": dropped_before ^ networks,
    }[rule.does]
    return Effect(
        found=networks,
        dropped=dropped_after,
        pruned=dropped_after - dropped_before,
        kept=dropped_before - dropped_after,
        serving=(dropped_after - dropped_before) & facts.serving,
    )
