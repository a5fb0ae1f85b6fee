"""Matches of two atlases: their like networks, and how alike two models' networks are.

On one model networks are matched by their maps: the same units. Units of different models have
nothing to do with each other, so there networks are matched by their time courses on the same
texts. Both use the Hungarian method on |r|; r keeps its sign.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from fnprune_core.atlas.chance.beside import Beside
from fnprune_core.atlas.chance.directions import Directions, permuted_maps, rotated
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FingerprintMismatchError, SettingsError, TextError
from fnprune_core.inputs.numbers import check_range
from fnprune_core.matching.tokens import SharedText, shared_text
from fnprune_core.probability import p_text
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore

IDENTITY_R = 0.7
PUBLISHED_RHO = 0.5
N_NULL = 199
_SHORTEST_SESSION = 16

Basis = Literal["maps", "time courses"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Match:
    """Networks of an atlas paired one to one with those of another.

    Parameters
    ----------
    similarity : ndarray (K, K of the other)
        Correlation r of every network with every other one, signed.
    pairs : ndarray (n, 2)
        Network and its partner, by network; n is the smaller K. The sum of |r| is largest.
    by : {"maps", "time courses"}
        Kind of vectors that were correlated.
    basis : str
        What they were correlated over, in words.
    """

    similarity: NDArray[np.float64]
    pairs: NDArray[np.int64]
    by: Basis
    basis: str

    @property
    def r(self) -> NDArray[np.float64]:
        """Signed r of the pairs: (n,)."""
        return np.asarray(self.similarity[self.pairs[:, 0], self.pairs[:, 1]])

    def unmatched(self, side: int) -> tuple[int, ...]:
        """Return the networks of the atlas (0) or of the other (1) that have no partner."""
        return tuple(
            sorted({*range(self.similarity.shape[side])} - {*self.pairs[:, side].tolist()})
        )

    def partner(self, network: int) -> tuple[int, float] | None:
        """Return a network's partner and their r, or None."""
        row = np.flatnonzero(self.pairs[:, 0] == network)
        return (int(self.pairs[row[0], 1]), float(self.r[row[0]])) if len(row) else None

    def identities(self, *, threshold: float = IDENTITY_R) -> dict[int, tuple[int, float]]:
        """Return the networks that are the same in both: network → (partner, r), |r| ≥ threshold.

        A pair below the threshold is the best that was left, not the same network.
        """
        if not 0 < threshold <= 1:
            raise SettingsError(f"The threshold on |r| must be in (0, 1], got {threshold:g}.")
        return {
            int(network): (int(partner), float(r))
            for (network, partner), r in zip(self.pairs, self.r, strict=True)
            if abs(r) >= threshold
        }

    def table(self) -> pd.DataFrame:
        """Return one row per pair: network, partner, r, and the best other candidate's |r|."""
        others = np.abs(self.similarity[self.pairs[:, 0]])
        others[np.arange(len(self.pairs)), self.pairs[:, 1]] = 0.0
        return pd.DataFrame(
            {
                "network": self.pairs[:, 0],
                "partner": self.pairs[:, 1],
                "r": self.r,
                "next_best": others.max(axis=1),
            }
        )


def match(atlas: NetworkAtlas, other: NetworkAtlas, *, by: Basis | None = None) -> Match:
    """Pair the networks of two atlases: by maps on one model, else by time courses.

    Parameters
    ----------
    by : {"maps", "time courses"}, optional
        Ask for one of the two; atlases of one model on the same texts allow both.
    """
    if by is None:
        by = "maps" if is_same_model(atlas, other) else "time courses"
    return match_by_maps(atlas, other) if by == "maps" else match_by_time_courses(atlas, other)


def is_same_model(atlas: NetworkAtlas, other: NetworkAtlas) -> bool:
    """Whether two atlases are of one model."""
    return atlas.decomposition.fingerprint == other.decomposition.fingerprint


def match_by_maps(atlas: NetworkAtlas, other: NetworkAtlas) -> Match:
    """Pair networks of two atlases of one model by |r| of maps, over units alive in both.

    O(K² · units).

    Raises
    ------
    FingerprintMismatchError
        If the atlases are of different models.
    """
    a, b = atlas.decomposition, other.decomposition
    if not is_same_model(atlas, other) or a.layout != b.layout:
        raise FingerprintMismatchError(
            f"Atlas {a.id} is of a model with fingerprint {a.fingerprint}, atlas {b.id} of one "
            f"with {b.fingerprint}: their units are not the same, so maps cannot be compared.",
            hint="Record the same texts with both models and match by time courses.",
        )
    alive = a.alive & b.alive
    if alive.sum() < 3:
        raise SettingsError(
            f"Only {int(alive.sum())} units vary in both recordings, too few to compare maps.",
            hint="Record more varied texts.",
        )
    similarity = _correlation(a.spatial_maps[:, alive], b.spatial_maps[:, alive])
    return _assign_pairs(
        similarity, "maps", f"{int(alive.sum()):,} units that vary in both recordings"
    )


def match_by_time_courses(
    atlas: NetworkAtlas, other: NetworkAtlas, *, shared: SharedText | None = None
) -> Match:
    """Pair networks of any two atlases by |r| of their time courses on the same texts.

    Parameters
    ----------
    shared : SharedText, optional
        Where both recordings read the same, if it was found before.

    Raises
    ------
    TextError
        If the recordings hold no text in common.
    """
    shared = shared_text(atlas.tokens, other.tokens) if shared is None else shared
    if shared.n_stretches < 3:
        raise TextError(
            f"The recordings share only {shared.n_stretches} stretches of text.",
            hint="Record the same texts with both models.",
        )
    similarity = _correlation(
        shared.means(atlas.time_courses, 0), shared.means(other.time_courses, 1)
    )
    return _assign_pairs(similarity, "time courses", shared.sentence())


def match_beside(
    atlas: NetworkAtlas, other: NetworkAtlas, found: Match, *, directions: Directions | None = None
) -> Beside:
    """Return |r| of the pairs beside that of random directions, paired with the other's networks.

    The directions stand in place of this atlas's networks. By maps there are permuted and rotated
    ones; by time courses rotated ones, and permuted ones where they were read.

    Parameters
    ----------
    found : Match
        Of the two atlases.
    directions : Directions, optional
        Of `atlas`, for time courses.
    """
    turned_maps, turned_courses = rotated(atlas)
    if found.by == "maps":
        alive = atlas.decomposition.alive & other.decomposition.alive
        own: dict[str, NDArray[np.floating]] = {
            "permuted": permuted_maps(atlas)[:, alive],
            "rotated": turned_maps[:, alive],
        }
        theirs: NDArray[np.floating] = other.maps[:, alive]
    else:
        shared = shared_text(atlas.tokens, other.tokens)
        courses = {} if directions is None else {"permuted": directions.permuted}
        courses["rotated"] = turned_courses
        own = {kind: shared.means(each, 0) for kind, each in courses.items()}
        theirs = shared.means(other.time_courses, 1)
    control = {
        kind: np.abs(_assign_pairs(_correlation(each, theirs), found.by, found.basis).r)
        for kind, each in own.items()
    }
    return Beside(networks=np.abs(found.r), control=control)


def _standardised(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return rows with mean 0 and norm 1; constant rows are 0."""
    centred = x - x.mean(axis=1, keepdims=True, dtype=np.float64)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(norm > 0, norm, 1.0), dtype=np.float64)


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(np.clip(_standardised(a) @ _standardised(b).T, -1.0, 1.0))


def _assign_pairs(similarity: NDArray[np.float64], by: Basis, basis: str) -> Match:
    rows, columns = linear_sum_assignment(-np.abs(similarity))
    pairs = np.stack([rows, columns], axis=1).astype(np.int64)
    return Match(similarity=similarity, pairs=pairs, by=by, basis=basis)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Likeness:
    """How alike the networks of two atlases are on the same texts, and how alike by chance.

    After the functional network fingerprint (arXiv 2601.22692): Spearman's ρ between time courses
    of two models within each text, averaged over texts, so that a pair must agree in one text
    after the other. There a network's time course is the mean of its units beyond a threshold;
    here it is the atlas's own, and pairs are one to one.

    Parameters
    ----------
    consistency : ndarray (K, K of the other)
        Mean ρ over sessions, signed.
    pairs : ndarray (n, 2)
        Networks paired by |mean ρ|, Hungarian method.
    score : float
        Mean |ρ| of the pairs.
    null : ndarray (n_null,)
        The same score, paired anew, after the other's time courses were shifted circularly within
        each session, all of its networks by the same random offset.
    p : float
        (1 + draws that reach the score) / (1 + draws).
    chance_rho : float
        The largest |ρ| of any pair that 95 % of the draws stay below.
    n_above_chance, n_published : int
        Pairs with |ρ| above `chance_rho`, and above 0.5, the paper's mark.
    n_sessions : int
        Sessions with at least 16 stretches.
    basis : str
        What was compared, in words.
    seed : int
    """

    consistency: NDArray[np.float64]
    pairs: NDArray[np.int64]
    score: float
    null: NDArray[np.float64]
    p: float
    chance_rho: float
    n_above_chance: int
    n_published: int
    n_sessions: int
    basis: str
    seed: int

    def sentence(self) -> str:
        """Return the result in words."""
        low, high = np.quantile(self.null, [0.025, 0.975])
        return (
            f"Paired networks agree within texts at a mean |ρ| of {self.score:.3f}; by chance it "
            f"would be {low:.3f} to {high:.3f} (p {p_text(self.p)}, {len(self.null)} circular "
            f"shifts). {self.n_above_chance} of {len(self.pairs)} pairs are above chance "
            f"(|ρ| > {self.chance_rho:.3f}), {self.n_published} above {PUBLISHED_RHO:g}."
        )


def likeness(
    atlas: NetworkAtlas,
    other: NetworkAtlas,
    *,
    n_null: int = N_NULL,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Likeness:
    """Return how alike two atlases' networks are on the texts that both recordings hold.

    The null keeps each network's rhythm and the relations among one model's networks, and breaks
    what ties them to the text: position in the session included, so two networks that only
    follow the position count as alike. O(n_null · K² · tokens).

    Raises
    ------
    TextError
        If they hold no text in common, or no session with enough of it.
    """
    check_range("n_null", n_null, 0, 1_000_000)
    shared = shared_text(atlas.tokens, other.tokens)
    return likeness_of(
        shared.means(atlas.time_courses, 0),
        shared.means(other.time_courses, 1),
        shared,
        n_null=n_null,
        seed=seed,
        progress=progress,
        cancel=cancel,
    )


def likeness_of(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    shared: SharedText,
    *,
    n_null: int = N_NULL,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Likeness:
    """Return how alike time courses (K, stretches) of two models are, by session.

    Parameters
    ----------
    shared : SharedText
        Gives the session of each stretch.
    n_null : int
        Draws of the null; the smallest p is 1 / (1 + n_null).
    """
    if n_null < 1:
        raise SettingsError(f"The null needs at least one draw, got {n_null}.")
    ranked_sessions = _ranked_sessions(a, b, shared.session)
    consistency = _consistency(ranked_sessions, [0] * len(ranked_sessions))
    pairs, score = _best_pairs(consistency)
    rng = np.random.default_rng(seed)
    null, largest = np.empty(n_null), np.empty(n_null)
    for draw in range(n_null):
        cancel.raise_if_cancelled()
        progress(ProgressEvent(stage="null", done=draw, total=n_null, unit="draws"))
        shifted_consistency = _consistency(
            ranked_sessions, [int(rng.integers(x.shape[1])) for x, _ in ranked_sessions]
        )
        null[draw] = _best_pairs(shifted_consistency)[1]
        largest[draw] = np.abs(shifted_consistency).max()
    progress(ProgressEvent(stage="null", done=n_null, total=n_null, unit="draws"))
    rho = np.abs(consistency[pairs[:, 0], pairs[:, 1]])
    chance = float(np.quantile(largest, 0.95, method="higher"))
    return Likeness(
        consistency=consistency,
        pairs=pairs,
        score=score,
        null=null,
        p=float((1 + (null >= score).sum()) / (1 + n_null)),
        chance_rho=chance,
        n_above_chance=int((rho > chance).sum()),
        n_published=int((rho > PUBLISHED_RHO).sum()),
        n_sessions=len(ranked_sessions),
        basis=shared.sentence(),
        seed=seed,
    )


def _ranked_sessions(
    a: NDArray[np.floating], b: NDArray[np.floating], session: NDArray[np.integer]
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return both sides' ranks within each session, standardised: Spearman's ρ is their product."""
    ranked_sessions = []
    for number in np.unique(session):
        in_session = session == number
        if in_session.sum() >= _SHORTEST_SESSION:
            ranks = (
                _standardised(rankdata(side[:, in_session], axis=1)).astype(np.float32)
                for side in (a, b)
            )
            ranked_sessions.append((next(ranks), next(ranks)))
    if not ranked_sessions:
        raise TextError(
            f"No session shares {_SHORTEST_SESSION} or more stretches of text.",
            hint="Record the same texts with both models, in longer windows.",
        )
    return ranked_sessions


def _consistency(
    ranked_sessions: list[tuple[NDArray[np.float32], NDArray[np.float32]]], offsets: list[int]
) -> NDArray[np.float64]:
    """Return the mean ρ over sessions, with the other side shifted by `offsets`: (K, K)."""
    total: NDArray[np.float64] = np.zeros((len(ranked_sessions[0][0]), len(ranked_sessions[0][1])))
    for (x, y), offset in zip(ranked_sessions, offsets, strict=True):
        total += x @ np.roll(y, offset, axis=1).T
    return total / len(ranked_sessions)


def _best_pairs(consistency: NDArray[np.float64]) -> tuple[NDArray[np.int64], float]:
    rows, columns = linear_sum_assignment(-np.abs(consistency))
    pairs = np.stack([rows, columns], axis=1).astype(np.int64)
    return pairs, float(np.abs(consistency[rows, columns]).mean())
