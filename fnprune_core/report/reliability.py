"""Section on how far each network can be trusted."""

from collections.abc import Iterator

import pandas as pd

from fnprune_core.atlas.membership import HIGH
from fnprune_core.reliability.assess import PARTS, trust_table, unreadable_parts
from fnprune_core.report.material import Material
from fnprune_core.report.parts import Block, Column, Missing, Slot, Table, Text

_NULLS = {"gaussian": "Gaussian null", "shift": "shift null"}
_FIGURES = {
    "kurtosis": ("kurtosis", "kurtosis of the map"),
    "again": ("again_seeds", "found again over seeds"),
    "r": ("reproducibility", "split-half r"),
}


def trust(material: Material) -> Iterator[Block]:
    """Yield reproducibility, stability, nulls and the number of networks."""
    assessment = material.assessment
    yield from trust_lacks(material)
    yield from material.left_out(unreadable_parts(material.workspace, material.atlas.id))
    table = trust_table(material.atlas, assessment)
    table.insert(1, "name", material.names)
    if assessment.halves is not None:
        yield Text(text=f"{assessment.recurrence_sentence()} A half has half of the tokens.")
    yield from _against_nulls(material, table)
    yield Slot(figure="trust")
    yield Table(
        name="trust",
        title=_table_title(table),
        frame=table,
        columns={
            name: column
            for name, column in {
                "network": Column(title="No."),
                "name": Column(title="Name"),
                "reproducibility": Column(title="Split-half", form="{:.2f}"),
                "reproducibility_sd": Column(title="± SD", form="{:.2f}"),
                "again_seeds": Column(title="Seeds", form="{:.2f}"),
                "again_bootstrap": Column(title="Bootstraps", form="{:.2f}"),
                "variance_alone": Column(title="Variance alone", form="{:.2%}"),
                "variance_left_out": Column(title="left out", form="{:.2%}"),
                "kurtosis": Column(title="Kurtosis", form="{:.1f}"),
            }.items()
            if name in table
        },
    )
    if assessment.sizes is not None:
        suggested = assessment.sizes.suggested()
        yield Text(
            text="By number of networks K, the yield (reproduced networks² / K) suggests "
            f"{'no K: none is reproduced' if suggested is None else f'K = {suggested}'}"
            f"{', the largest that was tried' if assessment.sizes.still_rises else ''}."
        )
        yield Slot(figure="sizes")
        yield Table(
            name="sizes",
            title=f"Split-half reproducibility by number of networks; reproduced: |r| ≥ {HIGH:g}.",
            frame=assessment.sizes.table(),
            columns={
                "k": Column(title="K"),
                "median_r": Column(title="Median r", form="{:.2f}"),
                "n_high": Column(title="Reproduced", form="{:.1f}"),
                "n_very_high": Column(title="|r| ≥ 0.8", form="{:.1f}"),
                "yield": Column(title="Yield", form="{:.1f}"),
            },
        )


def trust_lacks(material: Material) -> list[Missing]:
    """Return how the parts that were not measured are measured."""
    lacking = [name for name in PARTS if name not in material.assessment_ids]
    if not lacking:
        return []
    return [
        Missing(
            what=f"Not measured: {', '.join(PARTS[name].title.lower() for name in lacking)}.",
            command=f"fnprune trust {material.atlas.id} --parts {','.join(lacking)}",
            page="Trust",
        )
    ]


def _table_title(table: pd.DataFrame) -> str:
    phrase_of_column = {
        "reproducibility": "split-half |r| with its standard deviation over divisions",
        "again_seeds": "found again over seeds (Iq times the share of runs)",
        "again_bootstrap": "found again over bootstraps",
    }
    phrases = [text for column, text in phrase_of_column.items() if column in table]
    phrases += ["share of variance", "kurtosis of the map"]
    return f"Trust in each network: {', '.join(phrases)}."


def _against_nulls(material: Material, table: pd.DataFrame) -> Iterator[Block]:
    rows = []
    for (null, figure), limit in material.assessment.limits().items():
        column, title = _FIGURES[figure]
        if column in table:
            n_above = int((table[column] > limit).sum())
            rows.append(
                {
                    "figure": title,
                    "null": _NULLS[null],
                    "limit": limit,
                    "n_above": n_above,
                    "n_networks": len(table),
                    "n_expected": 0.05 * len(table),
                }
            )
    if rows:
        yield Table(
            name="nulls",
            title="Networks above the 95th percentile of data without networks, and how many "
            "would be by chance.",
            frame=pd.DataFrame(rows),
            columns={
                "figure": Column(title="Figure"),
                "null": Column(title="Null"),
                "limit": Column(title="95th percentile", form="{:.2f}"),
                "n_above": Column(title="Networks above"),
                "n_networks": Column(title="of"),
                "n_expected": Column(title="by chance", form="{:.1f}"),
            },
        )
