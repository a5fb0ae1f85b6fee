"""A sweep from the command line: perplexity against ratio, for scores and random seeds."""

from typing import TYPE_CHECKING, Annotated

import typer

from fnprune_core.commands.console import print_table
from fnprune_core.commands.options import (
    CommonOptions,
    TextOptions,
    Window,
    documents_from,
    shares_in,
    takes,
    with_workers,
)
from fnprune_core.commands.plan_options import PlanOptions
from fnprune_core.foreign_text import visible

if TYPE_CHECKING:
    from fnprune_core.pruning.sweep import Sweep

_COLUMNS = (
    "score", "ratio", "share_of_parameters", "perplexity", "error", "difference",
    "difference_error", "seeds", "spread",
)  # fmt: skip


@takes(PlanOptions, "options", without=("score", "ratio"))
@takes(TextOptions, "reading")
@with_workers
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
    common: CommonOptions,
) -> None:
    """Measure perplexity against ratio; what was measured before is found, a stop is resumed."""
    from fnprune_core.evaluation import compare
    from fnprune_core.pruning.sweep import SweepOrder, sweep
    from fnprune_core.recording.recording import open_recording

    workspace = common.workspace
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
    documents = documents_from(texts, reading, builtin="held-out")
    language_model = common.load()
    windows = compare.evaluation_windows(
        language_model, documents, window=window, max_windows=max_windows
    )
    with common.progress() as progress:
        result = sweep(workspace, language_model, windows, order=order, progress=progress)
    _print_sweep(common, result)


def _print_sweep(common: CommonOptions, result: "Sweep") -> None:
    from dataclasses import asdict

    table, protocol = result.table(), asdict(result.dense.protocol)
    rows = table.to_dict("records")
    dense = {name: getattr(result.dense, name) for name in ("perplexity", "standard_error")}
    if common.wrote_json(
        {"dense": dense, "points": rows, "plans": list(result.rows()), "protocol": protocol}
    ):
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
            typer.echo(visible(f"{point.score} at {point.ratio:g}: {point.failure}"), err=True)
