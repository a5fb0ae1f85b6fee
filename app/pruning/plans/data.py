"""Cached data of the Plans page: the history, paired differences, and overlaps."""

import math
from dataclasses import replace

import pandas as pd

from app.pruning import data as shared
from app.pruning.plan_rows import Measured
from app.shell import resources
from app.shell.caching import cached
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation import history as plan_history
from fnprune_core.evaluation.alike import alike, of_domains
from fnprune_core.evaluation.history import History
from fnprune_core.evaluation.results import DENSE, open_evaluation, paired_difference
from fnprune_core.export.speed import WHATS, open_speed, speeds_of_cut
from fnprune_core.plans import decision_log, files
from fnprune_core.storage.checksums import readable


def _present(_: str) -> object:
    """Return what changes when the workspace gets other plans, results or names."""
    notes = resources.workspace().root / decision_log.FOLDER
    return resources.ids("plans", "evaluations"), resources.changed(notes)


@cached(max_entries=4, made_of=_present)
def history(fingerprint: str) -> History:
    """Return the plans of a model as they are now."""
    return plan_history.history(resources.workspace(), fingerprint=fingerprint)


@cached(max_entries=64)
def overlap(first: str, second: str) -> pd.DataFrame:
    """Return how far two plans remove the same units, layer by layer."""
    workspace = resources.workspace()
    return plan_history.overlap(
        files.open_plan(workspace, first), files.open_plan(workspace, second)
    )


@cached(max_entries=1024)
def _measured(evaluation: str, dense: str, kept: tuple[str, ...]) -> Measured:
    """Return what was measured of one plan: on some domains, on the others, and beside dense."""
    workspace = resources.workspace()
    ids = {"": evaluation} | ({DENSE: dense} if dense else {})
    results, _ = readable(ids, lambda label: open_evaluation(workspace, ids[label]))
    if "" not in results:  # damaged since it was listed
        return Measured()
    own = results[""]
    compared = alike(results, domains=kept or None).results
    rest = of_domains(own, set(own.domain_names) - set(kept)) if kept else None
    values = Measured(
        perplexity=own.perplexity,
        standard_error=own.standard_error,
        domains={name: part.perplexity for name, part in own.by_domain().items()},
        given_up=math.nan if rest is None else rest.perplexity,
    )
    if "" not in compared:
        return values
    values = replace(values, kept=compared[""].perplexity, kept_error=compared[""].standard_error)
    if DENSE not in compared:
        return values
    above = paired_difference(compared[""], compared[DENSE])
    return replace(values, above_dense=above.difference, above_dense_error=above.standard_error)


def dense_on(history: History, text: str, kept: tuple[str, ...]) -> Measured:
    """Return what was measured of the dense model on a text, and on some of its domains."""
    dense = history.dense.get(text)
    return Measured() if dense is None else _measured(dense.evaluation_id, "", kept)


def kept_by_plans(history: History, text: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return the sets of domains that plans keep to the plans that do; first all (), by most plans.

    In the text's order of domains.
    """
    sets: dict[tuple[str, ...], list[str]] = {(): []}
    for plan in history.plans:
        measurement = plan.on(text)
        if measurement is not None:
            names = tuple(_measured(measurement.evaluation_id, "", ()).domains)
            kept = tuple(name for name in names if name not in shared.given_up(plan.id))
            sets.setdefault(kept if len(kept) < len(names) else (), []).append(plan.id)
    return {kept: tuple(ids) for kept, ids in sets.items()}


@cached(max_entries=256, made_of=lambda _: resources.ids("speeds"))
def speed(plan: str) -> tuple[float, float]:
    """Return how many times as fast as dense a plan reads and writes: its newest measurement."""
    cut_key = str(resources.manifest("plans", plan)["cut_key"])
    try:
        [newest, *_] = speeds_of_cut(resources.workspace(), cut_key)
        measured = open_speed(resources.workspace(), newest)
    except (FnpruneError, ValueError):  # damaged, or never measured
        return math.nan, math.nan
    copies = list(measured.models)[1:]  # the first is the dense model
    fastest = [
        max((measured.ratio(label, what).median for label in copies), default=math.nan)
        for what in WHATS
    ]
    return fastest[0], fastest[1]


def measured_on(history: History, text: str, kept: tuple[str, ...]) -> dict[str, Measured]:
    """Return by plan what was measured of it on a text, and its speed.

    Parameters
    ----------
    kept : tuple of str
        Domains on which all plans are compared; empty for all.
    """
    dense = history.dense.get(text)
    found = {}
    for plan in history.plans:
        own, values = plan.on(text), Measured()
        if own is not None:
            values = _measured(
                own.evaluation_id, "" if dense is None else dense.evaluation_id, kept
            )
        prefill, decode = speed(plan.id)
        found[plan.id] = replace(values, prefill=prefill, decode=decode)
    return found
