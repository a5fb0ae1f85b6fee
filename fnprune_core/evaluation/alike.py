"""The rule of comparing perplexities: side by side only on the same windows of the same texts.

An average over other windows is another quantity: texts differ more than models do. Everything
that sets perplexities beside one another takes them from here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.results import Perplexity, on_common_windows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alike:
    """Results that can be compared, and those that cannot.

    Parameters
    ----------
    results : mapping
        Label to result, all over the same windows: those that every one of them has read.
    apart : mapping
        The other results as they were given: failed, of another text or under another protocol,
        or not yet read on half of the windows.
    """

    results: Mapping[str, Perplexity]
    apart: Mapping[str, Perplexity]


def alike(
    results: Mapping[str, Perplexity], *, first: str = "", domains: Collection[str] | None = None
) -> Alike:
    """Return results over the windows that they have in common, and apart what has too few.

    Of evaluations that are still running, those that have read less than half of what the first
    one has are left apart: they would shrink what is compared to a few windows.

    Parameters
    ----------
    results : mapping
        Label to result, whole or read in part.
    first : str
        Label of the result whose text and windows count, where it was read; else those of the
        first result that was.
    domains : collection of str, optional
        Compare on the windows of these domains only.
    """
    order = sorted(results, key=lambda label: label != first)
    found = ((results[label], of_domains(results[label], domains)) for label in order)
    anchor, part = next((pair for pair in found if pair[1] is not None), (None, None))
    if anchor is None or part is None:
        return Alike(results={}, apart=dict(results))
    common, together = part.windows, {}
    for name, result in results.items():
        try:
            shared = np.intersect1d(on_common_windows(anchor, result)[1].windows, common)
        except FnpruneError:  # it failed, or is of other texts or windows
            continue
        if 2 * len(shared) >= len(part.windows):
            common, together[name] = shared, result
    return Alike(
        results={name: _over(together[name], part, common) for name in results if name in together},
        apart={name: result for name, result in results.items() if name not in together},
    )


def of_domains(result: Perplexity, domains: Collection[str] | None) -> Perplexity | None:
    """Return a result over the windows of some domains that were read; None without any.

    Parameters
    ----------
    domains : collection of str or None
        None for all windows.
    """
    if result.failure or not len(result.windows):
        return None
    if domains is None:
        return result
    numbers = [i for i, name in enumerate(result.domain_names) if name in domains]
    places = np.flatnonzero(np.isin(result.domains, numbers))
    return result.restricted_to(places) if len(places) else None


def _over(result: Perplexity, described: Perplexity, windows: np.ndarray) -> Perplexity:
    """Return a result over some windows, with the documents and domains of another one."""
    part = result.restricted_to(np.flatnonzero(np.isin(result.windows, windows)))
    return part.described_as(
        described.restricted_to(np.flatnonzero(np.isin(described.windows, windows)))
    )
