"""The name of a plan by a stated rule, as "30 %, without French, least squares". Pure.

First the score, unless it is network energy; then how much goes; then what is not protected: the
domains that are given up, or the number of networks where no domain is; then the compensation; at
last whatever else is not as usual: allocation, pinned units, a seed.
"""

from collections.abc import Sequence

from fnprune_core.plans.allocation import ALLOCATIONS
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.compensation import COMPENSATIONS
from fnprune_core.scores.units import SCORES

RULE = (
    "A plan without a name of its own is called by its score (unless it is network energy), the "
    "share of units that goes, the domains given up or the number of networks not protected, its "
    "compensation, and what else is not as usual."
)


def name_of(
    settings: PlanSettings, *, achieved: float, given_up: Sequence[str], n_networks: int
) -> str:
    """Return the name of a plan with these settings.

    Parameters
    ----------
    achieved : float
        Share of the units that goes: where widths are rounded, another than was asked for.
    given_up : sequence of str
        Domains that it gives up.
    n_networks : int
        Of its atlas; 0 where it has none.
    """
    score = SCORES.get(settings.score)
    defaults = PlanSettings()
    parts = []
    if settings.score != defaults.score:
        parts.append(settings.score if score is None else score.label)
    parts.append(percent(settings.ratio if settings.multiple is None else achieved))
    if settings.attention_ratio:
        parts.append(f"{percent(settings.attention_ratio)} of attention")
    parts += _unprotected(settings, given_up, n_networks)
    fixed = {} if score is None else score.fixes
    if settings.compensation == "none":
        parts.append("no compensation")
    elif "compensation" not in fixed:
        parts.append(_label(COMPENSATIONS, settings.compensation))
    if settings.allocation != defaults.allocation and "allocation" not in fixed:
        parts.append(_label(ALLOCATIONS, settings.allocation))
    n_pins = len(settings.pinned_keep) + len(settings.pinned_remove)
    if n_pins:
        parts.append(f"{n_pins} pinned")
    if settings.multiple:
        parts.append(f"widths by {settings.multiple}")
    if score is not None and score.is_drawn:
        parts.append(f"seed {settings.seed}")
    return ", ".join(parts)


def _unprotected(settings: PlanSettings, given_up: Sequence[str], n_networks: int) -> list[str]:
    if given_up:
        return [f"without {' and '.join(_capitalised(name) for name in given_up)}"]
    if settings.preserved is None or not n_networks:
        return []
    n = n_networks - len(settings.preserved)
    return [f"{n} network{'' if n == 1 else 's'} not protected"]


def percent(share: float) -> str:
    """Return a share in per cent, as names say it."""
    return f"{100 * share:.3g} %"


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]


def _label(table: object, name: str) -> str:
    row = table.get(name) if isinstance(table, dict) else None
    return str(row.label).lower() if row is not None else name
