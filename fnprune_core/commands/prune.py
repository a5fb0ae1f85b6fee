"""From networks to a pruned model: plan, prune, evaluate."""

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fnprune_core.commands.console import print_facts, print_json, print_table, progress_bars
from fnprune_core.commands.options import (
    EMBEDDED,
    Device,
    DocumentColumn,
    Domain,
    DomainColumn,
    Dtype,
    Json,
    Model,
    TextColumn,
    TextOptions,
    Where,
    Window,
    documents_from,
    load,
    numbers_in,
    shares_in,
    units_in,
    workspace_at,
)
from fnprune_core.errors import SettingsError
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import ProgressEvent
from fnprune_core.storage import Workspace

if TYPE_CHECKING:
    from fnprune_core.models.language_model import LanguageModel

PlanArgument = Annotated[str, typer.Argument(help="Id of a plan, or a plan.json from anywhere.")]


def plan(
    recording: Annotated[str, typer.Argument(help="Id of the calibration recording.")],
    decomposition: Annotated[
        str | None, typer.Option("--decomposition", "-d", help="For scores of networks.")
    ] = None,
    score: Annotated[str, typer.Option(help="What decides which units go.")] = "network-energy",
    ratio: Annotated[float, typer.Option(help="Share of all MLP units to remove.")] = 0.2,
    preserve: Annotated[str | None, typer.Option(help='Networks to keep: "1,3,7-12".')] = None,
    drop: Annotated[str | None, typer.Option(help="Networks not to keep.")] = None,
    drop_domain: Annotated[
        str | None, typer.Option(help="Drop networks with over half their energy in a domain.")
    ] = None,
    allocation: Annotated[
        str, typer.Option(help="uniform, protect-ends, global, weighted.")
    ] = "protect-ends",
    layer_weights: Annotated[
        str | None,
        typer.Option(help='For weighted, what each layer gives: "0,0.5,1"; see allocate.'),
    ] = None,
    compensation: Annotated[
        str, typer.Option(help="none, bias, least-squares, or reconstruct (trains: minutes).")
    ] = "least-squares",
    intercept: Annotated[bool, typer.Option(help="Least squares with a bias.")] = False,
    sink_units: Annotated[int, typer.Option(help="Units a layer that always stay.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the random score.")] = 0,
    multiple: Annotated[
        int | None,
        typer.Option(help="Keep more units, until each layer's number is a multiple of this."),
    ] = None,
    keep_units: Annotated[
        str | None, typer.Option(help='Units that stay, as layer:index: "3:17,3:20".')
    ] = None,
    remove_units: Annotated[
        str | None, typer.Option(help="Units that go, sink units and exempt layers too.")
    ] = None,
    attention_ratio: Annotated[
        float, typer.Option(help="Share of all KV groups of attention heads to remove.")
    ] = 0.0,
    model: Model = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Choose which units go, and compute what compensates for them."""
    from fnprune_core.plans import files
    from fnprune_core.pruning import planner
    from fnprune_core.recording.recording import open_recording

    workspace = workspace_at(where)
    opened = open_recording(workspace, recording)
    settings = PlanSettings(
        score=score,
        ratio=ratio,
        allocation=allocation,
        compensation=compensation,
        intercept=intercept,
        sink_units=sink_units,
        preserved=_preserved(workspace, decomposition, preserve, drop, drop_domain),
        seed=seed,
        multiple=multiple,
        pinned_keep=units_in(keep_units, opened.layout),
        pinned_remove=units_in(remove_units, opened.layout),
        attention_ratio=attention_ratio,
        layer_weights=shares_in(layer_weights or ""),
    )
    planner.canonical_settings(settings)  # a mistake is told before the model is loaded
    language_model = load(model, device, dtype, as_json=as_json)
    warning = planner.bias_warning(language_model, settings)
    with progress_bars(shown=not as_json) as progress:
        id = planner.plan(
            workspace,
            language_model,
            recording_id=opened.id,
            decomposition_id=decomposition,
            settings=settings,
            progress=progress,
        )
    made = files.open_plan(workspace, id)
    facts = {
        "id": id,
        "score": made.settings.score,
        "ratio": made.achieved_ratio,
        "share_of_parameters": made.share_of_parameters,
        "allocation": made.settings.allocation,
        "compensation": made.settings.compensation,
        "sink_units": made.settings.sink_units,
        "multiple": made.settings.multiple,
        "pinned_keep": len(made.settings.pinned_keep),
        "pinned_remove": len(made.settings.pinned_remove),
        "preserved": len(made.preserved),
        "n_networks": made.n_networks,
        "attention_ratio": made.achieved_attention_ratio,
        "kept_widths": list(made.kept_widths),
        "kept_groups": list(made.kept_group_counts),
        "warning": warning,
    }
    print_json(facts) if as_json else print_facts("Plan", facts)


def _preserved(
    workspace: Workspace,
    decomposition: str | None,
    preserve: str | None,
    drop: str | None,
    drop_domain: str | None,
) -> tuple[int, ...] | None:
    from fnprune_core.atlas import network_atlas

    chosen = numbers_in(preserve)
    if drop is None and drop_domain is None:
        return chosen
    if decomposition is None:
        raise SettingsError(
            "Dropping networks needs a decomposition.", hint="Add --decomposition ID."
        )
    atlas = network_atlas.open_atlas(workspace, decomposition)
    dropped = set(numbers_in(drop) or ())
    if drop_domain is not None:
        dropped |= set(atlas.networks_of_domain(drop_domain))
    everything = chosen if chosen is not None else range(atlas.n_networks)
    for network in dropped:
        atlas.check_network(network)
    return tuple(k for k in everything if k not in dropped)


def located(workspace: Workspace, plan: str) -> Path:
    """Return where a plan is: a path from anywhere, or its folder in the workspace."""
    path = Path(plan).expanduser()
    return path if path.exists() else workspace.existing("plans", plan)


def plan_id(workspace: Workspace, language_model: "LanguageModel", path: Path) -> str:
    """Return the id of a located plan, which is taken into the workspace if it is elsewhere."""
    from fnprune_core.pruning import importing

    if path.parent == workspace.root / "plans":
        return path.name
    return importing.import_plan(workspace, language_model, path)


def prune(
    plan: PlanArgument,
    model: Model = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Cut a plan's units out of a copy in memory; report size, speed and agreement."""
    from fnprune_core.export import speed

    workspace = workspace_at(where)
    path = located(workspace, plan)
    language_model = load(model, device, dtype, as_json=as_json)
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
    print_json(facts) if as_json else print_facts("Pruned copy", facts)


def evaluate(
    texts: Annotated[
        list[str] | None, typer.Argument(help="Evaluation texts (default: held-out built-in).")
    ] = None,
    plan: Annotated[
        list[str] | None, typer.Option("--plan", "-p", help="Plan id or plan.json; repeatable.")
    ] = None,
    window: Window = 512,
    max_windows: Annotated[int | None, typer.Option(help="At most so many windows.")] = None,
    text_column: TextColumn = "text",
    domain_column: DomainColumn = None,
    document_column: DocumentColumn = None,
    domain: Domain = None,
    pack: Annotated[bool, typer.Option(help="Join short documents of a domain.")] = False,
    model: Model = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Measure perplexity of the dense model and of plans on the same windows."""
    from fnprune_core.evaluation import compare
    from fnprune_core.evaluation.results import DENSE, open_evaluation, paired_difference
    from fnprune_core.texts.documents import builtin_documents

    workspace = workspace_at(where)
    paths = [located(workspace, each) for each in plan or []]
    options = TextOptions(
        text_column=text_column,
        domain_column=domain_column,
        document_column=document_column,
        domain=domain,
    )
    documents = documents_from(texts, options) if texts else builtin_documents(split="held-out")
    language_model = load(model, device, dtype, as_json=as_json)
    windows = compare.evaluation_windows(
        language_model, documents, window=window, max_windows=max_windows, pack=pack
    )
    ids = [plan_id(workspace, language_model, path) for path in paths]
    labels: dict[str, str | None] = {DENSE: None, **{id: id for id in ids}}
    with progress_bars(shown=not as_json) as progress:
        done: dict[str, int] = {}

        def report(label: str, result: Any) -> None:
            done[label] = len(result.window_nll)
            progress(
                ProgressEvent(
                    stage="evaluation",
                    done=sum(done.values()),
                    total=len(labels) * windows.n_windows,
                    unit="windows",
                )
            )

        measured = compare.compare(
            workspace, language_model, windows, plan_ids=labels, on_partial=report
        )
    results = {label: open_evaluation(workspace, id) for label, id in measured.items()}
    rows = []
    for label, result in results.items():
        pair = paired_difference(result, results[DENSE])
        rows.append(
            {
                "plan": label,
                "perplexity": result.perplexity,
                "stderr": result.standard_error,
                "paired_difference": pair.difference,
                "paired_stderr": pair.standard_error,
                "evaluation_id": measured[label],
            }
        )
    protocol = results[DENSE].to_json()["protocol"]
    if as_json:
        print_json({"rows": rows, "protocol": protocol})
        return
    print_table(
        f"Perplexity: {protocol['n_tokens']} tokens in windows of {window}, {protocol['dtype']} "
        f"on {protocol['device']}, text {protocol['text_sha256'][:12]}; differences to dense in "
        "nats per token",
        list(rows[0]),
        [list(row.values()) for row in rows],
    )
