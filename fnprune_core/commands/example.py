"""Commands that run the whole path at once: example, demo."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from fnprune_core.commands.console import print_facts, print_table
from fnprune_core.commands.options import CommonOptions, with_model, with_workspace
from fnprune_core.errors import SettingsError


@with_workspace
def example(*, common: CommonOptions) -> None:
    """Build the example that the app opens with, or find it: set-up does this once."""
    from fnprune_core.workflows import example

    workspace = common.workspace
    with common.progress() as progress:
        ids = example(workspace, progress=progress)
    facts = {"workspace": str(workspace.root), **asdict(ids)}
    common.show("Example", facts)


@with_model
def demo(
    calibrate: Annotated[str | None, typer.Option(help="Calibration text.")] = None,
    evaluate: Annotated[str | None, typer.Option(help="Evaluation text.")] = None,
    ratio: Annotated[list[float] | None, typer.Option(help="Repeatable; 0.2 and 0.4.")] = None,
    score: Annotated[
        list[str] | None,
        typer.Option(help="Repeatable; those that take seconds. Rivals as published, too."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="A published pipeline at the ratio that it gives: seed-paper."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Of |z|, for the preset; that of its authors.")
    ] = None,
    windows: Annotated[int, typer.Option(help="Windows to evaluate on.")] = 25,
    max_tokens: Annotated[int, typer.Option(help="Calibration tokens.")] = 16384,
    k: Annotated[int, typer.Option("--k", "-k", help="Networks.")] = 64,
    *,
    common: CommonOptions,
) -> None:
    """Run the whole path and print what each score costs and what choosing is for."""
    from fnprune_core.commands.demo import DemoSettings, run_demo
    from fnprune_core.pruning.presets import preset_named
    from fnprune_core.texts.documents import read_documents

    defaults = DemoSettings()
    if preset is None and threshold is not None:
        raise SettingsError("A threshold is a preset's.", hint="Add --preset seed-paper.")
    if preset is not None and (ratio or score):
        raise SettingsError(
            "A preset brings its own ratio and scores.", hint="Leave --ratio and --score away."
        )
    chosen = preset_named(preset) if preset is not None else None
    settings = replace(
        defaults,
        ratios=tuple(ratio or defaults.ratios),
        scores=tuple(score or defaults.scores),
        preset=None
        if chosen is None
        else chosen()
        if threshold is None
        else chosen(threshold=threshold),
        n_windows=windows,
        max_tokens=max_tokens,
        n_components=k,
    )
    settings.plans()  # a mistake is told before the model is loaded
    calibration = read_documents(calibrate) if calibrate else None
    evaluation = read_documents(evaluate) if evaluate else None
    language_model = common.load()
    with common.progress() as progress:
        report = run_demo(
            common.workspace,
            language_model,
            settings=settings,
            calibration=calibration,
            evaluation=evaluation,
            progress=progress,
        )
    if not common.wrote_json(report):
        _print_demo(report)


def _print_demo(report: dict[str, Any]) -> None:
    from fnprune_core.evaluation.intervals import with_error

    protocol = report["protocol"]
    cuts = {row["score"]: f"{row['allocation']}, {row['sink_units']}" for row in report["rows"]}
    usual_cut = Counter(cuts.values()).most_common(1)[0][0]
    other_cuts = "".join(f"; {score}: {cut}" for score, cut in cuts.items() if cut != usual_cut)
    threshold = protocol["threshold"]
    preset = "" if threshold is None else f"Units stay with |z| > {threshold:g}. "
    print_table(
        f"{report['model']}: dense perplexity "
        f"{with_error(report['dense']['perplexity'], report['dense']['stderr'], digits=2)}; "
        f"{protocol['n_tokens']} tokens in "
        f"{protocol['n_windows']} windows of {protocol['window']} that were not calibrated on, "
        f"{protocol['dtype']} on {protocol['device']}. All {protocol['networks']} networks are "
        "preserved, so network-energy equals flap. Allocation, and sink units kept a layer: "
        f"{usual_cut}{other_cuts}. {preset}Above dense: nats per token, paired by window. "
        f"Errors are over {report['error_note']}.",
        ("score", "ratio", "compensation", "perplexity", "above dense"),
        [
            (
                row["score"] + ("" if row["seed"] is None else f", seed {row['seed']}"),
                f"{100 * row['ratio']:.1f} %",
                row["compensation"],
                with_error(row["perplexity"], row["stderr"], digits=2),
                with_error(
                    row["paired_difference"], row["paired_stderr"], digits=3, is_signed=True
                ),
            )
            for row in report["rows"]
        ],
    )
    if report["domains"]:
        print_table(
            f"What choosing is for: {100 * protocol['domain_ratio']:.0f} % of units removed, "
            "compensation "
            f"{protocol['domain_compensation']}, perplexity by domain on held-out documents; "
            "networks with over half of their energy per token in the dropped domain are dropped.",
            *_domain_table(report["domains"]),
        )
    print_facts("Seconds", report["seconds"])
    print_facts("Memory", {"peak (GB)": report["peak_memory_bytes"] / 1e9})


def _domain_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Return heads and rows of a table with a column for each domain."""
    lines: dict[str, dict[str, float]] = {}
    for row in rows:
        n_dropped = row["n_networks_dropped"]
        dropped = f"{row['dropped']}, {n_dropped} network{'s' if n_dropped != 1 else ''}"
        name = dropped if row["dropped"] else f"nothing ({row['score']})"
        lines.setdefault(name, {})[row["domain"]] = row["perplexity"]
    domains = list(dict.fromkeys(row["domain"] for row in rows))
    return ["dropped", *domains], [
        [name, *(round(line[domain], 1) for domain in domains)] for name, line in lines.items()
    ]
