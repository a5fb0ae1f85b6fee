"""The few figures that a report opens with."""

from fnprune_core.evaluation.intervals import with_error
from fnprune_core.evaluation.results import DENSE
from fnprune_core.matching.dual_regression import applied_note
from fnprune_core.reliability.results import HIGH
from fnprune_core.report.material import Material
from fnprune_core.report.plans import label


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
        ("Variance explained", f"{100 * decomposition.variance_explained:.0f} %"),
    ]
    if material.assessment.halves is not None:
        r = material.assessment.halves.mean
        figures.append(
            (f"Reproduced, split-half |r| ≥ {HIGH:g}", f"{(r >= HIGH).sum()} of {len(r)}")
        )
    texts = material.texts()
    if texts and (dense := material.all_plans.dense.get(texts[0])) is not None:
        figures.append(
            (f"Perplexity, {DENSE}", with_error(dense.perplexity, dense.standard_error, digits=2))
        )
        best = min(
            (plan for plan in material.plans if plan.on(texts[0]) is not None),
            key=lambda plan: plan.on(texts[0]).perplexity,  # type: ignore[union-attr]  # filtered
        )
        measurement = best.on(texts[0])
        if measurement is not None:
            figures.append(
                (
                    f"Lowest of {len(material.plans)} plans: {label(best)}, "
                    f"{100 * best.achieved_ratio:.0f} % of units gone",
                    with_error(measurement.perplexity, measurement.standard_error, digits=2),
                )
            )
    return figures
