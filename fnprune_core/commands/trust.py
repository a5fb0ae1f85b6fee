"""How far networks can be trusted, from the command line."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fnprune_core.commands.console import print_facts, print_json, print_table, progress_bars
from fnprune_core.commands.options import Json, Where, workspace_at

if TYPE_CHECKING:
    import pandas as pd

    from fnprune_core.reliability.results import Assessment

#: What people read; the rest is in the JSON.
SHOWN = (
    "network",
    "variance_alone",
    "variance_left_out",
    "kurtosis",
    "reproducibility",
    "reproducibility_sd",
    "again_bootstrap",
    "again_seeds",
)


def trust(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition.")],
    parts: Annotated[
        str | None,
        typer.Option(help="Which measures: halves,seeds,bootstrap,sizes,gaussian,shift; all."),
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Measure how far each network can be trusted; what is there already is found."""
    from fnprune_core import workflows

    names = tuple(workflows.PARTS)
    if parts is not None:
        names = workflows.check_parts([name.strip() for name in parts.split(",") if name.strip()])
    workspace = workspace_at(where)
    opened = workflows.open_atlas(workspace, atlas)
    with progress_bars(shown=not as_json) as progress:
        made = workflows.assess(workspace, opened.id, parts=names, progress=progress)
    found = workflows.open_assessment(workspace, opened.id)
    table = workflows.trust_table(opened, found)
    if as_json:
        print_json({**asdict(made), **_summary(found), "networks": table.to_dict("records")})
        return
    shown = table[[name for name in table if name in SHOWN]]
    print_table("Trust in each network", shown.columns.tolist(), shown.to_numpy().tolist())
    for reason in sorted(set(made.skipped.values())):
        skipped = [workflows.PARTS[n].title for n, why in made.skipped.items() if why == reason]
        print_facts("Left out", {"what": ", ".join(skipped), "why": reason})
    if found.sizes is not None:
        sizes = found.sizes.table()
        print_table(
            f"Numbers of networks; suggested: {found.sizes.suggested() or 'none'}",
            sizes.columns.tolist(),
            sizes.to_numpy().tolist(),
        )
    if found.limits():
        print_facts("95th percentile of data without networks", _limits(found))


def _limits(found: "Assessment") -> dict[str, float]:
    return {f"{null} null, {figure}": limit for (null, figure), limit in found.limits().items()}


def _summary(found: "Assessment") -> dict[str, Any]:
    curve: pd.DataFrame | None = None if found.sizes is None else found.sizes.table()
    return {
        "limits": _limits(found),
        "sizes": [] if curve is None else curve.to_dict("records"),
        "suggested_k": None if found.sizes is None else found.sizes.suggested(),
    }
