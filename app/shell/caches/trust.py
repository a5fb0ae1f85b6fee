"""Cached measures of how far an atlas's networks can be trusted."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.shell import resources
from app.shell.caching import cached
from fnprune_core.atlas.membership import HIGH

if TYPE_CHECKING:
    from fnprune_core.reliability.results import Assessment


def assessment_key(id: str) -> tuple[tuple[str, str], ...]:
    """Return which measures of trust an atlas has: (part, artifact id) each."""
    from fnprune_core.reliability import assess

    return tuple(assess.assessment_ids(resources.workspace(), resources.atlas(id).id).items())


@cached(max_entries=8, made_of=assessment_key)
def network_table(id: str) -> pd.DataFrame:
    """Return one row per network, with what was measured of how far it can be trusted."""
    table = resources.atlas(id).table()
    return table.join(assessment(id).columns()) if assessment_key(id) else table


@cached(max_entries=8, made_of=assessment_key)
def assessment(id: str) -> "Assessment":
    """Return what was measured of how far an atlas's networks can be trusted."""
    from fnprune_core.reliability import assess

    return assess.open_assessment(resources.workspace(), resources.atlas(id).id)


def recurs(id: str) -> NDArray[np.bool_]:
    """Return which networks come back in halves of the documents; all while it is not known."""
    halves = assessment(id).halves
    if halves is None:
        return np.ones(resources.atlas(id).n_networks, dtype=bool)
    return np.asarray(halves.mean >= HIGH)


def recurring_first(id: str) -> list[int]:
    """Return all networks by number, those that come back in halves of the documents first."""
    return [int(k) for k in np.argsort(~recurs(id), kind="stable")]
