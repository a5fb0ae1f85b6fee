"""A sweep from the command line: perplexity against ratio, for scores and random seeds."""

from typing import TYPE_CHECKING, Annotated

import typer

from fnprune_core.commands.console import print_json, print_table, progress_bars
from fnprune_core.commands.options import (
    EMBEDDED,
    Device,
    Dtype,
    Json,
    Model,
    Scheduler,
    TextOptions,
    Where,
    Window,
    documents_from,
    load,
    shares_in,
    takes,
    workspace_at,
)
from fnprune_core.commands.plan_options import PlanOptions

if TYPE_CHECKING:
    from fnprune_core.pruning.sweep import Sweep

_COLUMNS = (
    "score", "ratio", "share_of_parameters", "perplexity", "error", "difference",
    "difference_error", "seeds", "spread",
)  # fmt: skip


@takes(PlanOptions, "options", without=("score", "ratio"))
@takes(TextOptions, "reading")
def sweep(
    recording: Annotated[str, typer.Argument(help="Id of the calibration recording.")],
    texts: Annotated[
        list[str] | None, typer.Argument(help="Evaluation texts (default: held-out built-in).")
    ] = None,
    scores: Annotated[str, typer.Option(help='Scores: "network-energy,flap,random".')] = (
        "flap,wanda,random"
    ),
    ratios: Annotated[str, typer.Option(help='Shares of MLP units: "0.1,0.2,0.4".')] = "0.2,0.4",
    seeds: Annotated[int, typer.Option(help="Plans of the random score at each ratio.")] = 3,
    *,
    options: PlanOptions,
    window: Window = 512,
    max_windows: Annotated[int | None, typer.Option(help="At most so many windows.")] = None,
    reading: TextOptions,
    model: Model = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    scheduler: Scheduler = "",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Measure perplexity against ratio; what was measured before is found, a stop is resumed."""
    from fnprune_core.evaluation import compare
    from fnprune_core.machine.workers import scheduled
    from fnprune_core.pruning.sweep import SweepOrder, sweep
    from fnprune_core.recording.recording import open_recording
    from fnprune_core.texts.documents import builtin_documents

    workspace = workspace_at(where)
    calibration = open_recording(workspace, recording)
    order = SweepOrder(
        recording_id=calibration.id,
        decomposition_id=options.decomposition_id(workspace),
        base=options.settings(workspace, calibration.layout),
        scores=tuple(score.strip() for score in scores.split(",") if score.strip()),
        ratios=shares_in(ratios),
        n_seeds=seeds,
    )
    order.wanted()  # a mistake is told before the model is loaded
    documents = documents_from(texts, reading) if texts else builtin_documents(split="held-out")
    language_model = load(model, device, dtype, as_json=as_json)
    windows = compare.evaluation_windows(
        language_model, documents, window=window, max_windows=max_windows
    )
    with scheduled(scheduler), progress_bars(shown=not as_json) as progress:
        result = sweep(workspace, language_model, windows, order=order, progress=progress)
    _print_sweep(result, as_json=as_json)


def _print_sweep(result: "Sweep", *, as_json: bool) -> None:
    from dataclasses import asdict

    table, protocol = result.table(), asdict(result.dense.protocol)
    rows = [
        {name: _json_value(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]
    if as_json:
        plans = [{name: _json_value(value) for name, value in row.items()} for row in result.rows()]
        dense = {
            "perplexity": result.dense.perplexity,
            "standard_error": _json_value(result.dense.standard_error),
        }
        print_json({"dense": dense, "points": rows, "plans": plans, "protocol": protocol})
        return
    print_table(
        f"Perplexity, dense {result.dense.perplexity:.2f}: {protocol['n_tokens']} tokens in "
        f"windows of {protocol['window']}, {protocol['dtype']} on {protocol['device']}, text "
        f"{protocol['text_sha256'][:12]}; differences to dense in nats per token; errors over "
        f"{result.dense.sample.note()}; or over random seeds where there are several",
        list(_COLUMNS),
        [[row[name] for name in _COLUMNS] for row in rows],
    )
    for point in result.points:
        if point.failure:
            typer.echo(f"{point.score} at {point.ratio:g}: {point.failure}", err=True)


def _json_value(value: object) -> object:
    """Return a value as JSON holds it: None for NaN."""
    return None if isinstance(value, float) and value != value else value
