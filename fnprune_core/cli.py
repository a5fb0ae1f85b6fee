"""The command line: parse, call a workflow, print. ``--json`` gives machines everything."""

import dataclasses
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from typer.main import get_command

from fnprune_core import __version__, workflows
from fnprune_core.console import (
    EXIT_CANCELLED,
    EXIT_USER_ERROR,
    print_error,
    print_facts,
    print_json,
    print_table,
    progress_bars,
)
from fnprune_core.corpora import Document, builtin_documents, read_documents
from fnprune_core.decomposition import GroupICA
from fnprune_core.demo import DENSE, DemoSettings, run_demo
from fnprune_core.errors import FnpruneError, SettingsError
from fnprune_core.evaluation import paired_difference
from fnprune_core.export import relative_difference
from fnprune_core.loading import EMBEDDED, load_model
from fnprune_core.models import LanguageModel
from fnprune_core.plans import PlanSettings
from fnprune_core.progress import ProgressEvent
from fnprune_core.pruning import prune as prune_copy
from fnprune_core.recording import RecordingSettings
from fnprune_core.silencing import silenced
from fnprune_core.storage import KINDS, Workspace

# click's ClickException, which typer has from click or carries in a copy of its own.
_UsageError: Any = typer.BadParameter.__mro__[2]

cli = typer.Typer(
    name="fnprune",
    help="Find the functional networks of a language model, choose which to preserve, prune.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
workspace_cli = typer.Typer(help="List, measure and delete what is stored.", no_args_is_help=True)
cli.add_typer(workspace_cli, name="workspace")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of tables.")]
Model = Annotated[
    str, typer.Option("--model", "-m", help="embedded, a Hugging Face id, a folder or GGUF file.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps or sharded.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
Where = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="Folder of results (default: FNPRUNE_WORKSPACE)."),
]
Texts = Annotated[
    list[str] | None,
    typer.Argument(help="builtin, files (.txt .jsonl .csv .parquet), folders, datasets ids."),
]
TextColumn = Annotated[str, typer.Option(help="Column with the text.")]
DomainColumn = Annotated[str | None, typer.Option(help="Column with the domain.")]
DocumentColumn = Annotated[str | None, typer.Option(help="Column that names the document.")]
Domain = Annotated[str | None, typer.Option(help="Domain of all these texts.")]
Window = Annotated[int, typer.Option(help="Tokens of a window.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How files are read as documents."""

    text_column: str = "text"
    domain_column: str | None = None
    document_column: str | None = None
    domain: str | None = None


def _documents(sources: list[str] | None, options: TextOptions) -> list[Document]:
    found: list[Document] = []
    for source in sources or ["builtin"]:
        found.extend(read_documents(source, **dataclasses.asdict(options)))
    return found


def _workspace(path: Path | None) -> Workspace:
    return Workspace.default() if path is None else Workspace(path)


def _load(model: str, device: str, dtype: str, *, as_json: bool) -> LanguageModel:
    with progress_bars(shown=not as_json) as progress:
        return load_model(model, device=device, dtype=dtype, progress=progress)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    """Return the numbers of a list such as "1,3,7-12"."""
    if text is None:
        return None
    numbers: list[int] = []
    try:
        for part in filter(None, (p.strip() for p in text.split(","))):
            first, _, last = part.partition("-")
            numbers.extend(range(int(first), int(last or first) + 1))
    except ValueError as error:
        raise SettingsError(
            f"{text!r} is not a list of networks.", hint='Write it as "1,3,7-12".'
        ) from error
    return tuple(numbers)


@cli.command()
def doctor(
    model: Annotated[str, typer.Argument(help="The model to examine.")] = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    as_json: Json = False,
) -> None:
    """Print a model's anatomy, or say why it cannot be used."""
    anatomy = dataclasses.asdict(_load(model, device, dtype, as_json=as_json).anatomy())
    if as_json:
        print_json(anatomy)
        return
    widths = sorted(set(anatomy["widths"]))
    anatomy["widths"] = widths[0] if len(widths) == 1 else f"{widths[0]} to {widths[-1]}"
    print_facts("Anatomy", anatomy)


@cli.command()
def record(
    texts: Texts = None,
    model: Model = EMBEDDED,
    window: Window = 512,
    max_tokens: Annotated[int, typer.Option(help="At most so many tokens.")] = 16384,
    n_dummy_tokens: Annotated[int, typer.Option(help="First tokens left out of statistics.")] = 4,
    batch_size: Annotated[int, typer.Option(help="Windows per forward pass.")] = 4,
    pack: Annotated[bool, typer.Option(help="Join short documents of a domain.")] = False,
    text_column: TextColumn = "text",
    domain_column: DomainColumn = None,
    document_column: DocumentColumn = None,
    domain: Domain = None,
    dry_run: Annotated[bool, typer.Option(help="Only estimate time, disk and memory.")] = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Record the activation of every unit while the model reads texts."""
    settings = RecordingSettings(
        window=window,
        n_dummy_tokens=n_dummy_tokens,
        max_tokens=max_tokens,
        batch_size=batch_size,
        pack=pack,
    )
    options = TextOptions(
        text_column=text_column,
        domain_column=domain_column,
        document_column=document_column,
        domain=domain,
    )
    documents = _documents(texts, options)
    language_model = _load(model, device, dtype, as_json=as_json)
    if dry_run:
        windows = workflows.windows_for(language_model, documents, settings)
        estimate = workflows.estimate_recording(language_model, windows, settings)
        facts = dataclasses.asdict(estimate)
        print_json(facts) if as_json else print_facts("Estimate", facts)
        return
    workspace = _workspace(where)
    with progress_bars(shown=not as_json) as progress:
        id = workflows.record_texts(
            workspace, language_model, documents, settings=settings, progress=progress
        )
    recording = workflows.open_recording(workspace, id)
    facts = {
        "id": id,
        "model": recording.model_name,
        "n_tokens": recording.n_tokens,
        "n_sessions": recording.n_sessions,
        "n_units": recording.layout.n_units,
        "n_alive": int(recording.alive.sum()),
        "domains": list(recording.windows.domain_names),
        "n_dropped_tokens": recording.windows.n_dropped_tokens,
    }
    print_json(facts) if as_json else print_facts("Recording", facts)


@cli.command()
def decompose(
    recording: Annotated[str, typer.Argument(help="Id of a recording.")],
    k: Annotated[int, typer.Option("--k", "-k", help="Networks (of each layer: --scope).")] = 64,
    scope: Annotated[str, typer.Option(help="model or layer.")] = "model",
    algorithm: Annotated[str, typer.Option(help="fastica or picard.")] = "fastica",
    fun: Annotated[str, typer.Option(help="cube or logcosh.")] = "cube",
    runs: Annotated[int, typer.Option(help="Runs from random starts.")] = 5,
    normalize: Annotated[str, typer.Option(help="recording or session.")] = "recording",
    max_iter: Annotated[int, typer.Option(help="Iteration limit of a run.")] = 400,
    seed: Annotated[int, typer.Option()] = 0,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Find the functional networks of a recording by group ICA."""
    workspace = _workspace(where)
    settings = GroupICA(
        n_components=k,
        scope=scope,
        algorithm=algorithm,
        fun=fun,
        n_runs=runs,
        normalize=normalize,
        max_iter=max_iter,
        seed=seed,
    )
    with progress_bars(shown=not as_json) as progress:
        id = workflows.decompose(workspace, recording, settings=settings, progress=progress)
    atlas = workflows.open_atlas(workspace, id)
    note = workflows.convergence_note(atlas.decomposition)
    table = atlas.table()
    if as_json:
        networks = table.astype(object).where(table.notna(), None).to_dict(orient="records")
        explained = atlas.decomposition.variance_explained
        print_json(
            {"id": id, "variance_explained": explained, "warning": note, "networks": networks}
        )
        return
    print_table(
        f"Decomposition {id}: {atlas.n_networks} networks, "
        f"{atlas.decomposition.variance_explained:.1%} of the variance",
        list(table.columns),
        table.head(20).to_numpy().tolist(),
    )
    if note:
        typer.echo(f"Warning: {note}", err=True)


@cli.command()
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
    allocation: Annotated[str, typer.Option(help="uniform, protect-ends, global.")] = (
        "protect-ends"
    ),
    compensation: Annotated[str, typer.Option(help="none, bias, least-squares.")] = (
        "least-squares"
    ),
    intercept: Annotated[bool, typer.Option(help="Least squares with a bias.")] = False,
    sink_units: Annotated[int, typer.Option(help="Units a layer that always stay.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the random score.")] = 0,
    model: Model = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Choose which units go, and compute what compensates for them."""
    workspace = _workspace(where)
    settings = PlanSettings(
        score=score,
        ratio=ratio,
        allocation=allocation,
        compensation=compensation,
        intercept=intercept,
        sink_units=sink_units,
        preserved=_preserved(workspace, decomposition, preserve, drop, drop_domain),
        seed=seed,
    )
    workflows.canonical_settings(settings)  # a wrong name is told before the model is loaded
    language_model = _load(model, device, dtype, as_json=as_json)
    warning = workflows.bias_warning(language_model, settings)
    with progress_bars(shown=not as_json) as progress:
        id = workflows.plan(
            workspace,
            language_model,
            recording_id=recording,
            decomposition_id=decomposition,
            settings=settings,
            progress=progress,
        )
    made = workflows.open_plan(workspace, id)
    facts = {
        "id": id,
        "score": made.settings.score,
        "ratio": made.achieved_ratio,
        "share_of_parameters": made.share_of_parameters,
        "allocation": made.settings.allocation,
        "compensation": made.settings.compensation,
        "sink_units": made.settings.sink_units,
        "preserved": len(made.preserved),
        "n_networks": made.n_networks,
        "kept_widths": list(made.kept_widths),
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
    chosen = _numbers(preserve)
    if drop is None and drop_domain is None:
        return chosen
    if decomposition is None:
        raise SettingsError(
            "Dropping networks needs a decomposition.", hint="Add --decomposition ID."
        )
    atlas = workflows.open_atlas(workspace, decomposition)
    dropped = set(_numbers(drop) or ())
    if drop_domain is not None:
        dropped |= set(atlas.networks_of_domain(drop_domain))
    everything = chosen if chosen is not None else range(atlas.n_networks)
    for network in dropped:
        atlas.check_network(network)
    return tuple(k for k in everything if k not in dropped)


def _plan_id(workspace: Workspace, language_model: LanguageModel, plan_or_path: str) -> str:
    """Return the id of a plan given by id, or by a path to plan.json or its folder."""
    path = Path(plan_or_path).expanduser()
    if path.exists():
        return workflows.import_plan(workspace, language_model, path)
    return workspace.existing("plans", plan_or_path).name


PlanArgument = Annotated[str, typer.Argument(help="Id of a plan, or a plan.json from anywhere.")]


@cli.command()
def prune(
    plan: PlanArgument,
    model: Model = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Cut a plan's units out of a copy in memory; report size, speed and agreement."""
    workspace = _workspace(where)
    language_model = _load(model, device, dtype, as_json=as_json)
    id = _plan_id(workspace, language_model, plan)
    made, refits = workflows.open_plan(workspace, id), workflows.open_refits(workspace, id)
    pruned = prune_copy(language_model, made, refits=refits)
    generator = torch.Generator().manual_seed(0)
    vocabulary = language_model.anatomy().vocabulary_size
    ids = torch.randint(vocabulary, (1, 512), generator=generator).to(language_model.device)
    with torch.inference_mode():
        with silenced(language_model, made.removed, refits=refits):
            expected = language_model.model(ids, use_cache=False).logits
        difference = relative_difference(pruned(ids, use_cache=False).logits, expected)
        pairs = [
            (_seconds(lambda: language_model.model(ids)), _seconds(lambda: pruned(ids)))
            for _ in range(5)
        ]
    ratios = sorted(before / after for before, after in pairs)
    n_before = language_model.anatomy().n_parameters
    n_after = n_before - round(made.share_of_parameters * n_before)
    facts = {
        "plan": id,
        "units_removed": made.n_removed,
        "n_parameters_dense": n_before,
        "n_parameters_pruned": n_after,
        "speed_up_prefill_median": ratios[2],
        "speed_up_prefill_range": [ratios[0], ratios[-1]],
        "logits_relative_difference_to_silenced": difference,
    }
    print_json(facts) if as_json else print_facts("Pruned copy", facts)


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@cli.command()
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
    workspace = _workspace(where)
    options = TextOptions(
        text_column=text_column,
        domain_column=domain_column,
        document_column=document_column,
        domain=domain,
    )
    documents = _documents(texts, options) if texts else builtin_documents(split="held-out")
    language_model = _load(model, device, dtype, as_json=as_json)
    windows = workflows.evaluation_windows(
        language_model, documents, window=window, max_windows=max_windows, pack=pack
    )
    labels: dict[str, str | None] = {DENSE: None}
    for each in plan or []:
        id = _plan_id(workspace, language_model, each)
        labels[id] = id
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

        ids = workflows.compare(
            workspace, language_model, windows, plan_ids=labels, on_partial=report
        )
    results = {label: workflows.open_evaluation(workspace, id) for label, id in ids.items()}
    rows = []
    for label, result in results.items():
        pair = paired_difference(result, results[DENSE])
        rows.append(
            {
                "plan": label,
                "perplexity": result.perplexity,
                "stderr": _finite(result.standard_error),
                "paired_difference": pair.difference,
                "paired_stderr": _finite(pair.standard_error),
                "evaluation_id": ids[label],
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


def _finite(value: float) -> float | None:
    return value if value == value else None


@cli.command()
def export(
    plan: PlanArgument,
    target: Annotated[Path, typer.Argument(help="Folder to make.")],
    form: Annotated[str, typer.Option(help="masked: same shapes, loads anywhere.")] = "masked",
    model: Model = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Write a pruned model as a Hugging Face folder, reloaded and checked."""
    workspace = _workspace(where)
    language_model = _load(model, device, dtype, as_json=as_json)
    id = _plan_id(workspace, language_model, plan)
    with progress_bars(shown=not as_json) as progress:
        folder = workflows.export(
            workspace,
            language_model,
            id,
            target,
            form=form,
            evaluation_ids=workflows.evaluations_of(workspace, id),
            progress=progress,
        )
    facts = {"folder": str(folder), "form": form, "plan": id, "checked": True}
    print_json(facts) if as_json else print_facts("Export", facts)


@cli.command()
def example(where: Where = None, as_json: Json = False) -> None:
    """Build the example that the app opens with, or find it: set-up does this once."""
    workspace = _workspace(where)
    with progress_bars(shown=not as_json) as progress:
        ids = workflows.example(workspace, progress=progress)
    facts = {"workspace": str(workspace.root), **dataclasses.asdict(ids)}
    print_json(facts) if as_json else print_facts("Example", facts)


@cli.command()
def demo(
    model: Model = EMBEDDED,
    calibrate: Annotated[str | None, typer.Option(help="Calibration text.")] = None,
    evaluate: Annotated[str | None, typer.Option(help="Evaluation text.")] = None,
    ratio: Annotated[list[float] | None, typer.Option(help="Repeatable; 0.2 and 0.4.")] = None,
    score: Annotated[list[str] | None, typer.Option(help="Repeatable; all of them.")] = None,
    windows: Annotated[int, typer.Option(help="Windows to evaluate on.")] = 32,
    max_tokens: Annotated[int, typer.Option(help="Calibration tokens.")] = 16384,
    k: Annotated[int, typer.Option("--k", "-k", help="Networks.")] = 64,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Run the whole path and print what each score costs and what choosing is for."""
    defaults = DemoSettings()
    settings = dataclasses.replace(
        defaults,
        ratios=tuple(ratio or defaults.ratios),
        scores=tuple(score or defaults.scores),
        n_windows=windows,
        max_tokens=max_tokens,
        n_components=k,
    )
    for each in settings.plans():
        workflows.canonical_settings(each)
    calibration = read_documents(calibrate) if calibrate else None
    evaluation = read_documents(evaluate) if evaluate else None
    language_model = _load(model, device, dtype, as_json=as_json)
    with progress_bars(shown=not as_json) as progress:
        report = run_demo(
            _workspace(where),
            language_model,
            settings=settings,
            calibration=calibration,
            evaluation=evaluation,
            progress=progress,
        )
    if as_json:
        print_json(report)
        return
    _print_demo(report)


def _print_demo(report: dict[str, Any]) -> None:
    protocol = report["protocol"]
    shown = ("score", "ratio", "compensation", "allocation", "sink_units", "seed")
    figures = ("perplexity", "stderr", "paired_difference", "paired_stderr")
    print_table(
        f"{report['model']}: dense perplexity {report['dense']['perplexity']:.2f} ± "
        f"{report['dense']['stderr']:.2f}; {protocol['n_tokens']} tokens in "
        f"{protocol['n_windows']} windows of {protocol['window']} that were not calibrated on, "
        f"{protocol['dtype']} on {protocol['device']}. All {protocol['networks']} networks are "
        "preserved, so network-energy equals flap. Differences to dense in nats per token.",
        [*shown, *figures],
        [[row[name] for name in (*shown, *figures)] for row in report["rows"]],
    )
    if report["domains"]:
        columns = list(report["domains"][0])
        print_table(
            f"What choosing is for: {protocol['domain_ratio']:.0%} of units removed, compensation "
            f"{protocol['domain_compensation']}, perplexity by domain on held-out documents; "
            "networks with over half of their energy per token in the dropped domain are dropped.",
            columns,
            [[row[name] for name in columns] for row in report["domains"]],
        )
    print_facts("Seconds", report["seconds"])
    print_facts("Memory", {"peak (GB)": report["peak_memory_bytes"] / 1e9})


@workspace_cli.command("list")
def workspace_list(where: Where = None, as_json: Json = False) -> None:
    """List what is stored, newest first."""
    workspace = _workspace(where)
    entries = workspace.entries()
    if as_json:
        names = ("kind", "id", "created", "size_bytes")
        rows = [{name: getattr(entry, name) for name in names} for entry in entries]
        print_json({"workspace": str(workspace.root), "entries": rows})
        return
    print_table(
        str(workspace.root),
        ("kind", "id", "created", "size"),
        [(e.kind, e.id, e.created, f"{e.size_bytes / 1e6:.1f} MB") for e in entries],
    )


@workspace_cli.command("delete")
def workspace_delete(
    kind: Annotated[str, typer.Argument(help=" ".join(KINDS))],
    id: Annotated[str, typer.Argument()],
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Delete one stored item."""
    _workspace(where).delete(kind, id)
    print_json({"deleted": id}) if as_json else typer.echo(f"Deleted {kind[:-1]} {id}.")


@workspace_cli.command("size")
def workspace_size(where: Where = None, as_json: Json = False) -> None:
    """Print the size of everything, and of unfinished work."""
    workspace = _workspace(where)
    facts = {
        "workspace": str(workspace.root),
        "size_bytes": workspace.size_bytes(),
        "unfinished": len(workspace.unfinished()),
    }
    print_json(facts) if as_json else print_facts("Workspace", facts)


@workspace_cli.command("clean")
def workspace_clean(where: Where = None, as_json: Json = False) -> None:
    """Delete what stopped work left behind; a stopped recording then starts anew."""
    n_discarded = _workspace(where).discard_unfinished()
    print_json({"discarded": n_discarded}) if as_json else typer.echo(
        f"Discarded {n_discarded} unfinished folders."
    )


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep the libraries' own bars and notices out of the output."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a user must know is said in the results
        yield


def build_cli() -> Callable[..., Any]:
    """Return the command with what the app and others add to it."""
    for entry in entry_points(group="fnprune.commands"):
        try:
            register = entry.load()
        except ImportError as error:
            typer.echo(f"The command {entry.name!r} is not available: {error}.", err=True)
        else:
            register(cli)
    return get_command(cli)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 2 a mistake to correct, 130 stopped."""
    as_json = "--json" in sys.argv
    try:
        with _quiet_libraries():
            code = build_cli()(standalone_mode=False)
    except FnpruneError as error:
        print_error(error, as_json=as_json)
        sys.exit(EXIT_USER_ERROR)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("Stopped. What was finished is kept.", err=True)
        sys.exit(EXIT_CANCELLED)
    except _UsageError as error:
        error.show()
        sys.exit(EXIT_USER_ERROR)
    sys.exit(code if isinstance(code, int) else 0)
