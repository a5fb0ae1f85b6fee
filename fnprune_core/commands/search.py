"""Searches of how a cut is divided: over layers, and between MLP units and attention."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from fnprune_core.commands.console import print_facts, print_table
from fnprune_core.commands.options import (
    CommonOptions,
    bounded,
    documents_from,
    shares_in,
    takes,
    with_workers,
)
from fnprune_core.commands.plan_options import PlanOptions

if TYPE_CHECKING:
    from fnprune_core.pruning.search.trials import Found, SearchOrder

searches = typer.Typer(
    help="Search how a cut is divided: over layers, or between MLP units and attention.",
    no_args_is_help=True,
)


@searches.command()
@bounded
@takes(PlanOptions, "options")
@with_workers
def layers(
    recording: Annotated[str, typer.Argument(help="Id of the calibration recording.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts to try plans on (default: built-in, of those not recorded)."),
    ] = None,
    *,
    options: PlanOptions,
    blocks: Annotated[int, typer.Option(help="Of neighbouring layers, moved together.")] = 10,
    rounds: Annotated[int, typer.Option(help="Each measures a plan a block, and three.")] = 1,
    max_windows: Annotated[int, typer.Option(help="Windows to read of them.")] = 24,
    common: CommonOptions,
) -> None:
    """Search how much each layer should give, by whole plans on text not recorded."""
    from fnprune_core.pruning.search.allocation import AllocationOrder

    search = _found(
        partial(AllocationOrder, n_blocks=blocks, n_rounds=rounds),
        recording, texts, options, max_windows, common,
    )  # fmt: skip
    facts = {
        "perplexity_before": search.first.result.perplexity,
        "perplexity": search.best.result.perplexity,
        "gain": search.gain.difference,
        "gain_error": search.gain.standard_error,
        "gain_interval": list(search.gain.interval()),
        "n_plans": search.n_measured,
        "layer_weights": ",".join(f"{weight:g}" for weight in search.best.settings.layer_weights),
    }
    if common.wrote_json(facts):
        return
    print_facts("Allocation, on the text of the search; gain in nats per token, paired", facts)
    if search.best.settings.layer_weights:
        typer.echo("Take it with: fnprune plan … --allocation weighted --layer-weights …")
    else:
        typer.echo("No allocation of these was better than what the search began at.")


_COLUMNS = (
    "attention_ratio", "ratio", "share_of_parameters", "perplexity", "difference",
    "difference_error", "is_best", "plan_id",
)  # fmt: skip


@searches.command()
@bounded
@takes(PlanOptions, "options", without=("attention_ratio",))
@with_workers
def attention(
    recording: Annotated[str, typer.Argument(help="Id of the calibration recording.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts to try plans on (default: built-in, of those not recorded)."),
    ] = None,
    attention_shares: Annotated[
        str,
        typer.Option("--attention", help='Shares of all KV groups to try: "0,0.05,0.1".'),
    ] = "0,0.05,0.1,0.2",
    *,
    options: PlanOptions,
    max_windows: Annotated[int, typer.Option(help="Windows to read of them.")] = 24,
    common: CommonOptions,
) -> None:
    """Find how much of a cut attention should bear: plans of equal size, tried on other text."""
    from fnprune_core.pruning.search.attention import ShareOrder

    search = _found(
        partial(ShareOrder, shares=shares_in(attention_shares)),
        recording, texts, options, max_windows, common,
    )  # fmt: skip
    rows = search.rows()
    if common.wrote_json({"mixes": rows, "best": search.best.plan_id}):
        return
    print_table(
        "Plans of equal size on the text of the search; differences to the first in nats per "
        "token, paired by window. Measure the best on other text: fnprune evaluate",
        list(_COLUMNS),
        [[row[name] for name in _COLUMNS] for row in rows],
    )


def _found(
    order_of: "Callable[..., SearchOrder[Found]]",
    recording_id: str,
    texts: Sequence[str] | None,
    options: PlanOptions,
    max_windows: int,
    common: CommonOptions,
) -> "Found":
    """Search on windows of the texts, or of the built-in ones, that the recording did not read."""
    from fnprune_core.pruning.search.trials import search, unread_windows
    from fnprune_core.recording.recording import open_recording

    workspace = common.workspace
    recording = open_recording(workspace, recording_id)
    order = order_of(  # a mistake is told before the model is loaded
        recording_id=recording.id,
        decomposition_id=options.decomposition_id(workspace),
        base=options.settings(workspace, recording.layout),
    )
    language_model = common.load()
    documents = documents_from(texts)
    windows = unread_windows(language_model, documents, recording, max_windows=max_windows)
    with common.progress() as progress:
        return search(workspace, language_model, windows, order=order, progress=progress)
