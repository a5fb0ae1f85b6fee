"""The few figures that a report opens with."""

from fnprune_core.atlas.membership import HIGH
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.verdict import given_up, verdict
from fnprune_core.matching.dual_regression import applied_note
from fnprune_core.plans.files import open_plan
from fnprune_core.report.material import Material
from fnprune_core.report.plans import label, measurements


def headline(material: Material) -> list[tuple[str, str]]:
    """Return the figures that a report opens with: names and values, as text."""
    decomposition = material.atlas.decomposition
    n_tokens = int((~material.atlas.is_dummy).sum())
    figures = [
        (
            "Networks",
            f"{material.atlas.n_networks}{' (applied)' if applied_note(decomposition) else ''}",
        ),
        ("Units", f"{material.atlas.layout.n_units:,} in {material.atlas.layout.n_layers} layers"),
        ("Read", f"{n_tokens:,} tokens of {material.n_documents} documents"),
        ("Variance explained", _explained(material)),
    ]
    if material.assessment.halves is not None:
        r = material.assessment.halves.mean
        figures.append(
            (f"Reproduced, split-half |r| ≥ {HIGH:g}", f"{(r >= HIGH).sum()} of {len(r)}")
        )
    return [*figures, *_perplexities(material)]


def _explained(material: Material) -> str:
    """Return the share of variance that networks explain, beside permuted directions."""
    own = f"{100 * material.atlas.decomposition.variance_explained:.0f} %"
    if material.directions is None or material.directions.explained is None:
        return own
    return f"{own} (random directions {100 * material.directions.explained[0]:.0f} %)"


def _perplexities(material: Material) -> list[tuple[str, str]]:
    """Return the newest plan that was measured beside the dense model, on the texts that it keeps.

    The newest and not the best: the lowest of several on one text looks better than it is there.
    """
    text = next(iter(material.texts()), "")
    measured = [plan for plan in material.plans if plan.on(text) is not None]
    if not measured:
        return []
    plan = next((plan for plan in measured if plan.n_preserved), measured[0])  # else a rival
    results = {name: result for name, (_, result) in measurements(material, text).items()}
    lost = given_up(material.workspace, open_plan(material.workspace, plan.id))
    chosen = {name: results[name] for name in (DENSE, label(plan)) if name in results}
    found = verdict(chosen, lost, plan=label(plan))
    if found is None or found.kept.dense is None:
        return []
    texts = f" on {', '.join(found.kept.domains)}" if found.kept.domains else ""
    return [
        (f"Perplexity{texts}, {DENSE}", found.kept.dense.text()),
        (
            f"The same of the newest plan, {label(plan)}, {100 * plan.achieved_ratio:.0f} % of "
            "units gone",
            found.kept.plan.text(),
        ),
    ]
