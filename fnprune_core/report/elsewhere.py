"""Part of the section on plans: what they cost on the text that no choice saw."""

from collections.abc import Iterator

import pandas as pd

from fnprune_core.evaluation import elsewhere
from fnprune_core.report.material import Material
from fnprune_core.report.parts import Block, Column, Heading, Table, Text


def elsewhere_blocks(material: Material, labels: dict[str, str]) -> Iterator[Block]:
    """Return the plans that were read on texts of other kinds, with what that says.

    Parameters
    ----------
    labels : dict
        Id of each plan to its label in the report.
    """
    rows = []
    for id, label in labels.items():
        found = elsewhere.stored(material.workspace, id)
        if found is not None:
            above = found.above_dense
            rows.append(
                {
                    "plan": label,
                    "perplexity": found.plan.perplexity,
                    "dense": found.dense.perplexity,
                    "times": found.times_dense,
                    "difference": above.difference,
                    "difference_error": above.standard_error,
                    "n_documents": found.plan.sample.n,
                }
            )
    yield Heading(text="Perplexity on texts of other kinds")
    if not rows:
        yield Text(text=f"No plan was read on a text that no choice saw. {elsewhere.WARNING}")
        return
    yield Text(
        text="Everyday English: eight short texts that ship with fnprune and are of no built-in "
        "domain; differences are in nats per token, paired by window. " + elsewhere.WARNING
    )
    yield Table(
        name="elsewhere",
        title="Plans on a text that no choice saw.",
        frame=pd.DataFrame(rows),
        columns={
            "plan": Column(title="Plan"),
            "perplexity": Column(title="Perplexity", form="{:.2f}"),
            "dense": Column(title="Dense", form="{:.2f}"),
            "times": Column(title="Times dense", form="{:.2f}"),
            "difference": Column(title="Above dense", form="{:+.4f}"),
            "difference_error": Column(title="± SE", form="{:.4f}"),
            "n_documents": Column(title="Documents"),
        },
    )
