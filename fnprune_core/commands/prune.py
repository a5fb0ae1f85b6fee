"""From networks to a pruned model: plan, prune, evaluate."""

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fnprune_core.commands.console import print_table
from fnprune_core.commands.options import (
    CommonOptions,
    TextOptions,
    Window,
    documents_from,
    said_of_chat,
    takes,
    with_model,
)
from fnprune_core.commands.plan_options import PlanOptions, SizeOptions, sized
from fnprune_core.errors import SettingsError
from fnprune_core.foreign_text import visible
from fnprune_core.inputs.files import path_of
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import ProgressEvent
from fnprune_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from fnprune_core.evaluation.results import Perplexity
    from fnprune_core.models.language_model import LanguageModel

PlanArgument = Annotated[str, typer.Argument(help="Id of a plan, or a plan.json from anywhere.")]


@takes(SizeOptions, "size")
@takes(PlanOptions, "options")
@with_model
def plan(
    recording: Annotated[str, typer.Argument(help="Id of the calibration recording.")],
    *,
    options: PlanOptions,
    size: SizeOptions,
    common: CommonOptions,
) -> None:
    """Choose which units go, and compute what compensates for them."""
    from fnprune_core.evaluation import verdict
    from fnprune_core.export.rounding import settings_for
    from fnprune_core.export.size import bytes_each
    from fnprune_core.models.footprint import Dimensions
    from fnprune_core.plans import files
    from fnprune_core.pruning import planner
    from fnprune_core.recording.recording import open_recording

    workspace = common.workspace
    calibration = open_recording(workspace, recording)
    goal = size.goal()
    settings = options.settings(workspace, calibration.layout)
    if goal is not None and settings.ratio != PlanSettings().ratio:
        raise SettingsError("A ratio and a size are both asked for.", hint="Give one of them.")
    settings = settings_for(settings, form=size.form, layout=calibration.layout)
    settings = planner.canonical_settings(settings)  # a mistake is told before the model is loaded
    language_model = common.load()
    language_model.check_fingerprint(calibration.fingerprint, "recording")
    settings = sized(settings, goal, language_model)
    warning = planner.bias_warning(language_model, settings)
    with common.progress() as progress:
        id = planner.plan(
            workspace,
            language_model,
            recording_id=calibration.id,
            decomposition_id=options.decomposition,
            settings=settings,
            progress=progress,
        )
    pruning_plan = files.open_plan(workspace, id)
    form, dimensions = size.form or "per-layer", Dimensions.of(language_model)
    n_parameters = round(dimensions.n_parameters * (1 - pruning_plan.share_of_parameters))
    facts = {
        "id": id,
        "score": pruning_plan.settings.score,
        "ratio": pruning_plan.achieved_ratio,
        "share_of_parameters": pruning_plan.share_of_parameters,
        "n_parameters": n_parameters,
        "megabytes": n_parameters * bytes_each(dimensions, form=form, weights=size.weights) / 1e6,
        "allocation": pruning_plan.settings.allocation,
        "compensation": pruning_plan.settings.compensation,
        "sink_units": pruning_plan.settings.sink_units,
        "multiple": pruning_plan.settings.multiple,
        "pinned_keep": len(pruning_plan.settings.pinned_keep),
        "pinned_remove": len(pruning_plan.settings.pinned_remove),
        "preserved": len(pruning_plan.preserved),
        "n_networks": pruning_plan.n_networks,
        "attention_ratio": pruning_plan.achieved_attention_ratio,
        "kept_widths": list(pruning_plan.kept_widths),
        "kept_groups": list(pruning_plan.kept_group_counts),
        "given_up": verdict.weight_left(workspace, pruning_plan),
        "warning": warning,
    }
    common.show("Plan", facts)


def located(workspace: Workspace, plan: str) -> Path:
    """Return the path of a plan: one from anywhere, or its folder in the workspace."""
    path = path_of(plan)
    return path if path.exists() else workspace.existing("plans", plan)


def plan_id(workspace: Workspace, language_model: "LanguageModel", path: Path) -> str:
    """Return the id of a located plan, which is taken into the workspace if it is elsewhere."""
    from fnprune_core.pruning import importing

    if path.parent == workspace.root / "plans":
        return path.name
    return importing.import_plan(workspace, language_model, path)


@with_model
def import_plan(
    plan: Annotated[Path, typer.Argument(help="A plan.json, or its folder.")],
    match: Annotated[
        bool, typer.Option("--match", help="Number its networks as here, by likeness of maps.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep its numbers of networks, whatever they mean here.")
    ] = False,
    *,
    common: CommonOptions,
) -> None:
    """Take a plan from elsewhere into the workspace, its networks numbered as here."""
    from fnprune_core.plans import files
    from fnprune_core.plans.plan import PruningPlan
    from fnprune_core.pruning import importing

    if match and keep:
        raise SettingsError("--match and --keep exclude each other.", hint="Give one.")
    workspace = common.workspace
    source = PruningPlan.read(plan.expanduser())  # a mistake is told before the model is loaded
    language_model = common.load()
    id = importing.import_plan(
        workspace,
        language_model,
        plan.expanduser(),
        networks="match" if match else "keep" if keep else "check",
    )
    taken = files.open_plan(workspace, id)
    facts = {
        "id": id,
        "preserved": list(taken.preserved),
        "preserved_in_the_file": list(source.preserved),
        "n_networks": taken.n_networks,
    }
    common.show("Plan", facts)


@with_model
def prune(
    plan: PlanArgument,
    *,
    common: CommonOptions,
) -> None:
    """Cut a plan's units out of a copy in memory; report size, speed and agreement."""
    from fnprune_core.export import speed

    workspace = common.workspace
    path = located(workspace, plan)
    language_model = common.load()
    id = plan_id(workspace, language_model, path)
    copy = speed.measure_pruned_copy(workspace, language_model, id)
    facts = {
        "plan": id,
        "units_removed": copy.n_units_removed,
        "n_parameters_dense": copy.n_parameters_dense,
        "n_parameters_pruned": copy.n_parameters_pruned,
        "speed_up_prefill_median": median(copy.speed_ups),
        "speed_up_prefill_range": [min(copy.speed_ups), max(copy.speed_ups)],
        "logits_relative_difference_to_silenced": copy.logits_difference,
    }
    common.show("Pruned copy", facts)


@takes(TextOptions, "reading")
@with_model
def evaluate(
    texts: Annotated[
        list[str] | None, typer.Argument(help="Evaluation texts (default: held-out built-in).")
    ] = None,
    plan: Annotated[
        list[str] | None, typer.Option("--plan", "-p", help="Plan id or plan.json; repeatable.")
    ] = None,
    window: Window = 512,
    max_windows: Annotated[int | None, typer.Option(help="At most so many windows.")] = None,
    *,
    reading: TextOptions,
    pack: Annotated[bool, typer.Option(help="Join short documents of a domain.")] = False,
    chat: Annotated[
        bool, typer.Option(help="Put each document into the model's chat template.")
    ] = False,
    samples: Annotated[
        bool, typer.Option(help="Let each plan write a few texts, by which it is judged, too.")
    ] = True,
    common: CommonOptions,
) -> None:
    """Measure perplexity of the dense model and of plans on the same windows."""
    from fnprune_core.evaluation import compare
    from fnprune_core.evaluation.expectation import expected_of, write_samples
    from fnprune_core.evaluation.results import DENSE, open_evaluation

    workspace = common.workspace
    paths = [located(workspace, argument) for argument in plan or []]
    documents = documents_from(texts, reading, builtin="held-out")
    language_model = common.load()
    windows = compare.evaluation_windows(
        language_model, documents, window=window, max_windows=max_windows, pack=pack, chat=chat
    )
    ids = [plan_id(workspace, language_model, path) for path in paths]
    labels: dict[str, str | None] = {DENSE: None, **{id: id for id in ids}}
    with common.progress() as progress:
        n_read: dict[str, int] = {}

        def report(label: str, result: Any) -> None:
            n_read[label] = len(result.window_nll)
            progress(
                ProgressEvent(
                    stage="evaluation",
                    done=sum(n_read.values()),
                    total=len(labels) * windows.n_windows,
                    unit="windows",
                )
            )

        evaluation_ids = compare.compare(
            workspace, language_model, windows, plan_ids=labels, on_partial=report
        )
        if samples:
            for id in ids:
                write_samples(workspace, language_model, id, windows, progress=progress)
    results = {label: open_evaluation(workspace, id) for label, id in evaluation_ids.items()}
    rows = [
        {**_evaluation_row(label, result, results[DENSE]), "evaluation_id": evaluation_ids[label]}
        for label, result in results.items()
    ]
    found = {id: expected_of(workspace, id) for id in ids}
    expected = {id: [each.title(), *each.sentences()] for id, each in found.items()}
    protocol = results[DENSE].to_json()["protocol"]
    if common.wrote_json({"rows": rows, "protocol": protocol, "expect": expected}):
        return
    print_table(
        f"Perplexity: {protocol['n_tokens']} tokens in windows of {window}, {protocol['dtype']} "
        f"on {protocol['device']}, text {protocol['text_sha256'][:12]}, chat template "
        f"{said_of_chat(language_model, chat)}; differences to dense in nats per token. "
        f"Errors are over {results[DENSE].sample.note()}",
        list(rows[0]),
        [[row.get(name, row.get("failure")) for name in rows[0]] for row in rows],
    )
    for id, sentences in expected.items():
        typer.echo(visible(f"\n{id}: {' '.join(sentences)}"))


def _evaluation_row(label: str, result: "Perplexity", dense: "Perplexity") -> dict[str, Any]:
    """Return a result beside the dense model's; of one that failed, why."""
    from fnprune_core.evaluation.results import paired_difference

    if result.failure:
        return {"plan": label, "failure": result.failure}
    difference = paired_difference(result, dense)
    return {
        "plan": label,
        "perplexity": result.perplexity,
        "stderr": result.standard_error,
        "paired_difference": difference.difference,
        "paired_stderr": difference.standard_error,
        "paired_interval": list(difference.interval()),
    }
