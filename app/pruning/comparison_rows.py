"""Numbers of a comparison: one mark per model and domain, one table row a model. Pure."""

import re
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from app.pruning.figures import ABOVE_DENSE, ABOVE_PLAN, ALL, MARKS, PERPLEXITY, Quantity
from app.pruning.prune_tasks import PLAN
from app.shell import wording
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.alike import Alike
from fnprune_core.evaluation.results import (
    DENSE,
    PairedDifference,
    Perplexity,
    paired_by_domain,
    paired_difference,
)
from fnprune_core.scores.units import shown_label

#: What the page offers to draw → what that is, and the model that it is a difference from.
Choices = Mapping[str, tuple[Quantity, str | None]]
QUANTITIES: Choices = {
    "Perplexity": (PERPLEXITY, None),
    "Above dense": (ABOVE_DENSE, DENSE),
    "Above your plan": (ABOVE_PLAN, PLAN),
}
_SEED = re.compile(r", seed \d+$")


def role_of(label: str, plan: str = PLAN) -> Literal["dense", "plan", "baseline"]:
    """Return the role of a model in a comparison."""
    if label == DENSE:
        return "dense"
    return "plan" if label == plan else "baseline"


def marks(
    results: Mapping[str, Perplexity], reference: str | None, *, plan: str = PLAN
) -> pd.DataFrame:
    """Return each model on the whole text and on each domain; seeds of one score are one.

    Parameters
    ----------
    results : mapping
        On the same windows, as `alike` returns them.
    reference : str or None
        The label from which differences are taken; None for perplexity itself.
    """
    groups: dict[str, list[str]] = {}
    for label in results:
        groups.setdefault(_SEED.sub("", label), []).append(label)
    rows = []
    for name, labels in groups.items():
        values_by_label = [_values_by_domain(results, label, reference) for label in labels]
        for domain in {name: None for values in values_by_label for name in values}:
            values_of_seeds = [values[domain] for values in values_by_label if domain in values]
            value, error, spread = _pool_seeds(values_of_seeds, is_perplexity=reference is None)
            read = results[labels[0]]
            part = read if domain == ALL else read.by_domain()[domain]
            own_spread = spread or part.sample.text()
            rows.append((shown_label(name), role_of(name, plan), domain, value, error, own_spread))
    return pd.DataFrame(rows, columns=list(MARKS))


def _values_by_domain(
    results: Mapping[str, Perplexity], label: str, reference_label: str | None
) -> dict[str, tuple[float, float]]:
    """Return value and standard error of a model, on the whole text and by domain."""
    result = results[label]
    if reference_label is None:
        values = {ALL: result, **result.by_domain()}
        return {name: (value.perplexity, value.standard_error) for name, value in values.items()}
    reference = results.get(reference_label)
    if reference is None or result is reference:
        return {}
    try:
        differences = {
            ALL: paired_difference(result, reference),
            **paired_by_domain(result, reference),
        }
    except FnpruneError:  # nothing in common yet, another text, or it failed
        return {}
    return {name: (value.difference, value.standard_error) for name, value in differences.items()}


def _pool_seeds(
    values_of_seeds: list[tuple[float, float]], *, is_perplexity: bool
) -> tuple[float, float, str]:
    """Return value, error and the source of the error: of several seeds, their mean and spread."""
    finite = [(value, error) for value, error in values_of_seeds if np.isfinite(value)]
    if len(finite) < 2:
        return *(finite or values_of_seeds)[0], ""
    values = [value for value, _ in finite]
    mean = np.exp(np.mean(np.log(values))) if is_perplexity else np.mean(values)
    return float(mean), float(np.std(values, ddof=1)), f"{len(values)} seeds"


def comparison_table(shared: Alike, *, plan: str = PLAN) -> pd.DataFrame:
    """Return one row per model: perplexity, and paired differences to dense and to a plan.

    What has not read the same windows has differences alone, over the windows that both have.
    """
    results = {**shared.results, **shared.apart}
    references = {
        "nats/token above dense": results.get(DENSE),
        f"nats/token above {plan}": results.get(plan),
    }
    rows: list[dict[str, object]] = []
    for label, result in results.items():
        is_alike = label in shared.results
        n_read = len(result.windows)
        others = "" if is_alike or result.failure else f", on {wording.count(n_read, 'window')}"
        row: dict[str, object] = {
            "model": f"{shown_label(label)}{others}",
            "perplexity": result.perplexity if is_alike else None,
            "± SE": result.standard_error if is_alike else None,
        }
        for name, reference in references.items():
            row[name] = None if reference is result else _difference_text(result, reference)
        if result.failure:
            row["nats/token above dense"] = "not finite"
        rows.append(row)
    return pd.DataFrame(rows)


def _difference_text(result: Perplexity, reference: Perplexity | None) -> str | None:
    if reference is None:
        return None
    try:
        difference: PairedDifference = paired_difference(result, reference)
    except FnpruneError:  # measured on another text, or it failed
        return None
    return difference.text()
