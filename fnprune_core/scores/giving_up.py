"""How far a choice of networks stops some texts from counting, beside random directions.

A score by networks weighs each token by the networks that stay. Random directions weigh tokens as
well, so that what networks do stands beside what as many directions do.
"""

from collections.abc import Collection

import numpy as np

from fnprune_core.atlas.chance.beside import told
from fnprune_core.atlas.chance.directions import KINDS, Directions
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.scores.units import SCORES


def weight_left(
    atlas: NetworkAtlas, score: str, preserved: Collection[int], domains: Collection[str]
) -> float:
    """Return the mean weight of the tokens of some domains over that of all other tokens.

    1 where they count as much as the others, 0 where they stopped to count. First tokens of
    windows are left out; NaN where no other token counts.

    Parameters
    ----------
    score : str
        A score by networks.
    preserved : collection of int
        Networks that stay.
    domains : collection of str
        Domains that the choice gives up.
    """
    weights = SCORES[score].weighting(atlas).of(sorted(preserved))
    is_here = atlas.tokens["domain"].isin(list(domains)).to_numpy()
    usable = ~atlas.is_dummy
    others = weights[usable & ~is_here]
    kept = float(others.mean()) if others.size else 0.0
    return float(weights[usable & is_here].mean()) / kept if kept else float("nan")


def left_beside(
    directions: Directions, score: str, preserved: Collection[int], domains: Collection[str]
) -> dict[str, float]:
    """Return `weight_left` of networks, and of each kind of random directions.

    As many directions go as networks do: those with the largest share of their energy in the
    domains. Empty where no domain is given up, or networks do not change the score.
    """
    atlas = directions.atlas
    if not domains or score not in SCORES or not SCORES[score].weighting.of_networks:
        return {}
    found = {"networks": weight_left(atlas, score, preserved, domains)}
    for kind in KINDS:
        random = directions.of(kind)
        stays = least_in(random, domains, len(preserved))
        found[kind] = weight_left(random, score, stays, domains)
    return found


def least_in(directions: NetworkAtlas, domains: Collection[str], n: int) -> list[int]:
    """Return the `n` directions with the smallest share of their energy in some domains."""
    numbers = [directions.domain_names.index(name) for name in domains]
    share = directions.domain_share()[:, numbers].sum(axis=1)
    return [int(k) for k in np.argsort(share, kind="stable")[:n]]


def left_sentence(found: dict[str, float], domains: Collection[str]) -> str:
    """Return in words what `left_beside` returns; empty where it is."""
    if not found:
        return ""
    share = told({kind: {"left": value} for kind, value in found.items()}, "left")
    return (
        f"How much a token of {', '.join(domains)} counts in the plan, beside one of the other "
        f"texts: {share}."
    )
