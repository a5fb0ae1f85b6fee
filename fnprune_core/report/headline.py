"""The few figures that a report opens with."""

from fnprune_core.evaluation.results import DENSE
from fnprune_core.matching.dual_regression import applied_note
from fnprune_core.reliability.results import HIGH
from fnprune_core.report.material import Material
from fnprune_core.report.plans import label


def headline(m: Material) -> list[tuple[str, str]]:
    """Return what a reader must know first: names and values, as text."""
    d = m.atlas.decomposition
    n_tokens = int((~m.atlas.is_dummy).sum())
    found = [
        ("Networks", f"{m.atlas.n_networks}{' (applied)' if applied_note(d) else ''}"),
        ("Units", f"{m.atlas.layout.n_units:,} in {m.atlas.layout.n_layers} layers"),
        ("Read", f"{n_tokens:,} tokens of {m.n_documents} documents"),
        ("Variance explained", f"{d.variance_explained:.0%}"),
    ]
    if m.assessment.halves is not None:
        r = m.assessment.halves.mean
        found.append((f"Reproduced, split-half |r| ≥ {HIGH:g}", f"{(r >= HIGH).sum()} of {len(r)}"))
    texts = m.texts()
    if texts and (dense := m.all_plans.dense.get(texts[0])) is not None:
        found.append(
            (f"Perplexity, {DENSE}", f"{dense.perplexity:.2f} ± {dense.standard_error:.2f}")
        )
        best = min(
            (plan for plan in m.plans if plan.on(texts[0]) is not None),
            key=lambda plan: plan.on(texts[0]).perplexity,  # type: ignore[union-attr]  # filtered
        )
        measured = best.on(texts[0])
        if measured is not None:
            found.append(
                (
                    f"Lowest of {len(m.plans)} plans: {label(best)}, {best.achieved_ratio:.0%} "
                    "of units gone",
                    f"{measured.perplexity:.2f} ± {measured.standard_error:.2f}",
                )
            )
    return found
