"""Names after a domain, and how each fares on documents that it was not given from.

A network is named after a domain that holds over half of its energy per token; over more where
there are fewer than five domains, for with two of them one always has half. One long or odd
document can bring that about: then other documents of the domain do not show it. And the means of
single units differ between domains, which needs no network: so other documents must show it around
the mean of each session.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.recording.sessions import document_codes

HALF = 0.5
#: How many times the energy per token of the other domains, on average, the named one has at least.
_TIMES = 4
#: Share of the splits in which a name must hold on the other documents.
MOST_SPLITS = 0.9
#: Documents of a domain without which its names cannot be tried.
LEAST_DOCUMENTS = 3
_N_SPLITS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainName:
    """A network's domain, where one holds enough of its energy per token (`least_share`).

    Parameters
    ----------
    domain : str
    share : float
        Of the network's energy, over all documents.
    held_out : float
        The same around the means of sessions, over documents that the name was not given from:
        the median over splits of the documents; NaN where the domain has under 3 documents.
    lowest : float
        Below it are one in ten splits.
    holds : bool
        Whether it is enough in nine of ten splits.
    n_documents : int
        Of the domain.
    """

    domain: str
    share: float
    held_out: float
    lowest: float
    holds: bool
    n_documents: int

    def sentence(self) -> str:
        """Return how the name fares, in words."""
        if self.n_documents < LEAST_DOCUMENTS:
            return (
                f"{self.domain} holds {100 * self.share:.0f} % of its energy; it has "
                f"{self._documents()}, so the name cannot be tried on others"
            )
        text = (
            f"{self.domain} holds {100 * self.share:.0f} % of its energy, "
            f"{100 * self.held_out:.0f} % around session means on documents that it was not named "
            "from"
        )
        if self.holds:
            return text
        return (
            f"{text}, and down to {100 * self.lowest:.0f} %: the name does not hold on all of them"
        )

    def _documents(self) -> str:
        return "one document" if self.n_documents == 1 else f"{self.n_documents} documents"

    def text(self) -> str:
        """Return the held-out share for a table, with a mark where the name fails."""
        if self.n_documents < LEAST_DOCUMENTS:
            return self._documents()
        return (
            f"{100 * self.held_out:.0f} %"
            if self.holds
            else f"{100 * self.held_out:.0f} % (does not hold)"
        )


def least_share(n_domains: int) -> float:
    """Return the share of its energy per token that a domain must hold to name a network.

    Over half, and at least four times the other domains' mean: 80 % with two domains, 67 % with
    three, 57 % with four.
    """
    return max(HALF, _TIMES / (_TIMES + n_domains - 1))


def is_named(atlas: NetworkAtlas) -> NDArray[np.bool_]:
    """Return which networks have enough of their energy in one domain to be named after it: (K,).

    None where there is only one domain.
    """
    shares = atlas.domain_share()
    return np.asarray(
        (shares.max(axis=1) > least_share(shares.shape[1])) & (shares.shape[1] > 1), dtype=np.bool_
    )


def domain_names(
    atlas: NetworkAtlas, *, n_splits: int = _N_SPLITS, seed: int = 0
) -> tuple[DomainName | None, ...]:
    """Return the domain of each network, tried on other documents; None where none holds enough.

    The documents of each domain are split in two halves, 50 times. Wherever one half names the
    network after its domain, the share in the other half counts, of the energy around the mean of
    each session: that mean is there, too, when each unit is shifted in time by itself. Parts of one
    text are one document.
    """
    energy, around, n_tokens, domain = _documents(atlas)
    shares = atlas.domain_share()
    n_domains = shares.shape[1]
    least, is_enough = least_share(n_domains), is_named(atlas)
    top = shares.argmax(axis=1)
    rng = np.random.default_rng(seed)
    tried: list[list[float]] = [[] for _ in top]
    for _ in range(n_splits):
        half = _split(domain, n_domains, rng)
        named, tested = (
            [
                _shares(of[:, half == number], n_tokens[half == number], domain[half == number],
                        n_domains)
                for number in range(2)
            ]
            for of in (energy, around)
        )  # fmt: skip
        for naming, other in zip(named, tested[::-1], strict=True):
            for k, d in enumerate(top):
                if naming[k, d] > least and np.isfinite(other[k, d]):
                    tried[k].append(float(other[k, d]))
    counts = np.bincount(domain, minlength=n_domains)
    return tuple(
        _name(atlas.domain_names[d], float(shares[k, d]), tried[k], int(counts[d]), least)
        if is_enough[k]
        else None
        for k, d in enumerate(top)
    )


def _name(
    domain: str, share: float, tried: list[float], n_documents: int, least: float
) -> DomainName:
    can_try = n_documents >= LEAST_DOCUMENTS and len(tried) > 0
    values = np.array(tried if can_try else [np.nan])
    return DomainName(
        domain=domain,
        share=share,
        held_out=float(np.median(values)),
        lowest=float(np.quantile(values, 0.1)),
        holds=can_try and bool((values > least).mean() >= MOST_SPLITS),
        n_documents=n_documents,
    )


def _documents(
    atlas: NetworkAtlas,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return energy (K, documents), that around session means, tokens and domain of documents."""
    usable = ~atlas.is_dummy
    _, first, code = np.unique(
        document_codes(atlas.tokens)[usable], return_index=True, return_inverse=True
    )
    courses = atlas.time_courses[:, usable].astype(np.float64)
    _, session, length = np.unique(
        atlas.tokens["session"].to_numpy()[usable], return_inverse=True, return_counts=True
    )
    means = [np.bincount(session, weights=row) / length for row in courses]
    energy, around = (
        np.array([np.bincount(code, weights=np.square(row)) for row in rows])
        for rows in (courses, courses - np.array(means)[:, session])
    )
    domain = atlas.tokens["domain"].cat.codes.to_numpy()[usable][first].astype(np.int64)
    return energy, around, np.bincount(code).astype(np.int64), domain


def _split(
    domain: NDArray[np.int64], n_domains: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the half of each document; the documents of a domain in turn, by chance."""
    half = np.zeros(len(domain), dtype=np.int64)
    for d in range(n_domains):
        members = rng.permutation(np.flatnonzero(domain == d))
        half[members] = (np.arange(len(members)) + rng.integers(2)) % 2
    return half


def _shares(
    energy: NDArray[np.float64],
    n_tokens: NDArray[np.int64],
    domain: NDArray[np.int64],
    n_domains: int,
) -> NDArray[np.float64]:
    """Return each domain's share of the energy per token; NaN for one without a document."""
    is_in = domain[:, None] == np.arange(n_domains)
    with np.errstate(invalid="ignore", divide="ignore"):
        per_token = (energy @ is_in) / (n_tokens @ is_in)
        return np.asarray(per_token / np.nansum(per_token, axis=1, keepdims=True))
