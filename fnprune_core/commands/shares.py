"""How to divide a cut between MLP units and attention, from the command line."""

from typing import Annotated

import typer

from fnprune_core.commands.console import print_json, print_table, progress_bars
from fnprune_core.commands.options import (
    EMBEDDED,
    Device,
    Dtype,
    Json,
    Model,
    Where,
    load,
    numbers_in,
    shares_in,
    workspace_at,
)
from fnprune_core.commands.searching import search_windows
from fnprune_core.plans.plan import PlanSettings

_COLUMNS = (
    "attention_ratio", "ratio", "share_of_parameters", "perplexity", "difference",
    "difference_error", "is_best", "plan_id",
)  # fmt: skip


def shares(
    recording: Annotated[str, typer.Argument(help="Id of the calibration recording.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts to try plans on (default: built-in, of those not recorded)."),
    ] = None,
    decomposition: Annotated[
        str | None, typer.Option("--decomposition", "-d", help="For scores of networks.")
    ] = None,
    attention: Annotated[
        str, typer.Option(help='Shares of all KV groups to try: "0,0.05,0.1".')
    ] = "0,0.05,0.1,0.2",
    ratio: Annotated[float, typer.Option(help="Size of the cut, as a share of MLP units.")] = 0.2,
    score: Annotated[str, typer.Option(help="As for `fnprune plan`.")] = "network-energy",
    preserve: Annotated[str | None, typer.Option(help='Networks to keep: "1,3,7-12".')] = None,
    allocation: Annotated[str, typer.Option(help="As for `fnprune plan`.")] = "protect-ends",
    compensation: Annotated[str, typer.Option(help="As for `fnprune plan`.")] = "least-squares",
    sink_units: Annotated[int, typer.Option(help="Units a layer that always stay.")] = 4,
    max_windows: Annotated[int, typer.Option(help="Windows to read of them.")] = 24,
    model: Model = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Find how much of a cut attention should bear: plans of equal size, tried on other text."""
    from fnprune_core.pruning.search_attention import ShareOrder, search_shares

    workspace = workspace_at(where)
    order = ShareOrder(  # a mistake is told before the model is loaded
        recording_id=workspace.existing("recordings", recording).name,
        decomposition_id=decomposition and workspace.existing("decompositions", decomposition).name,
        base=PlanSettings(
            score=score,
            ratio=ratio,
            allocation=allocation,
            compensation=compensation,
            sink_units=sink_units,
            preserved=numbers_in(preserve),
        ),
        shares=shares_in(attention),
    )
    language_model = load(model, device, dtype, as_json=as_json)
    windows = search_windows(
        workspace, language_model, order.recording_id, texts, max_windows=max_windows
    )
    with progress_bars(shown=not as_json) as progress:
        found = search_shares(workspace, language_model, windows, order=order, progress=progress)
    rows = found.rows()
    if as_json:
        print_json({"mixes": rows, "best": found.best.plan_id})
        return
    print_table(
        "Plans of equal size on the text of the search; differences to the first in nats per "
        "token, paired by window. Measure the best on other text: fnprune evaluate",
        list(_COLUMNS),
        [[row[name] for name in _COLUMNS] for row in rows],
    )
