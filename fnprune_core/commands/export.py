"""Commands that export a pruned model and measure its speed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fnprune_core.commands.console import print_facts, print_table
from fnprune_core.commands.options import CommonOptions, with_model, with_workspace
from fnprune_core.commands.prune import PlanArgument, located, plan_id
from fnprune_core.errors import SettingsError
from fnprune_core.inputs.files import path_of
from fnprune_core.storage.folders import folder_size

if TYPE_CHECKING:
    from fnprune_core.export.speed import Speed, SpeedSettings
    from fnprune_core.models.language_model import LanguageModel
    from fnprune_core.progress import Progress


@with_model
def export(
    plan: PlanArgument,
    target: Annotated[Path, typer.Argument(help="Folder to make.")],
    form: Annotated[
        str | None,
        typer.Option(
            help="masked: same shapes; uniform: the same smaller width in every layer, both load "
            "anywhere; per-layer: smaller, with its own code; gguf: one file for llama.cpp. "
            "Default: uniform where the plan's layers are alike, else per-layer."
        ),
    ] = None,
    multiple: Annotated[
        int | None,
        typer.Option(
            help="Round widths up to a multiple; the plan is made again with it (uniform: 64, "
            "less for small layers)."
        ),
    ] = None,
    weights: Annotated[
        str, typer.Option(help="How the form gguf stores weights: F16, F32, Q8_0 or Q4_K_M.")
    ] = "F16",
    with_refits: Annotated[
        bool,
        typer.Option(
            "--with-refits", help="Write the plan's refits too: it can then be applied elsewhere."
        ),
    ] = False,
    *,
    common: CommonOptions,
) -> None:
    """Write a pruned model as a folder that other tools load, reloaded and checked."""
    from fnprune_core.evaluation.expectation import expected_of
    from fnprune_core.export import from_workspace, rounding
    from fnprune_core.export.gguf.weights import weight_type
    from fnprune_core.export.model_card import use_of
    from fnprune_core.plans import files

    workspace = common.workspace
    path = located(workspace, plan)
    weight_type(weights)  # a mistake is told before the model is loaded
    language_model = common.load()
    id = plan_id(workspace, language_model, path)
    asked = files.open_plan(workspace, id)
    form = form or from_workspace.smaller_form(language_model, asked)
    with common.progress() as progress:
        id = rounding.plan_for_form(
            workspace, language_model, id, form=form, multiple=multiple, progress=progress
        )
        folder = from_workspace.export(
            workspace, language_model, id, target, form=form, weights=weights,
            with_refits=with_refits, progress=progress,
        )  # fmt: skip
    pruning_plan, expected = files.open_plan(workspace, id), expected_of(workspace, id)
    facts = {
        "folder": str(folder),
        "form": form,
        "plan": id,
        "ratio": pruning_plan.achieved_ratio,
        "ratio_before_rounding": asked.achieved_ratio,
        "share_of_parameters": pruning_plan.share_of_parameters,
        "kept_widths": list(pruning_plan.kept_widths),
        "widths_fit": rounding.widths_sentence(pruning_plan),
        "bytes": folder_size(folder),
        "checked": True,
        "expect": [expected.title(), *expected.sentences()],
    }
    snippets = use_of(folder, form=form, weights=weights)
    if common.wrote_json({**facts, "use": snippets}):
        return
    print_facts("Export", facts)
    for tool, text in snippets.items():
        typer.echo(f"\n{tool}:\n{text}")


@with_workspace
def push(
    folder: Annotated[Path, typer.Argument(help="Folder that `fnprune export` wrote.")],
    repository: Annotated[str, typer.Argument(help="owner/name on the Hugging Face hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="Make the repository for everyone to see.")
    ] = False,
    *,
    common: CommonOptions,
) -> None:
    """Upload an export to the Hugging Face hub, private unless asked otherwise."""
    from fnprune_core.export.push import push as upload

    address = upload(folder, repository, private=not public)
    common.show("Pushed", {"folder": str(folder), "address": address})


@with_model
def speed(
    what: Annotated[
        list[str],
        typer.Argument(help="One plan (id or plan.json), or folders of exports of this model."),
    ],
    form: Annotated[
        list[str] | None,
        typer.Option(help="Of the plan, repeatable: masked, uniform, per-layer."),
    ] = None,
    prefill: Annotated[int, typer.Option(help="Tokens of the prompt.")] = 512,
    decode: Annotated[int, typer.Option(help="Tokens written after it, one by one.")] = 64,
    rounds: Annotated[int, typer.Option(help="Rounds, in alternating order.")] = 7,
    *,
    common: CommonOptions,
) -> None:
    """Measure tokens per second and peak memory of the dense model and of pruned copies."""
    from fnprune_core.export.speed import SpeedSettings, measure_speed, open_speed

    settings = SpeedSettings(n_prefill=prefill, n_decode=decode, n_rounds=rounds)
    workspace = common.workspace
    folders = [path_of(text) for text in what]
    are_exports = all((folder / "config.json").is_file() for folder in folders)
    if not are_exports and len(what) > 1:
        missing = next(folder for folder in folders if not (folder / "config.json").is_file())
        raise SettingsError(
            f"{missing} is no folder of an exported model.",
            hint="Give one plan, or folders that `fnprune export` wrote.",
        )
    path = None if are_exports else located(workspace, what[0])
    language_model = common.load()
    with common.progress() as progress:
        if path is None:
            speeds = _time_exports(language_model, folders, settings, progress)
        else:
            id = plan_id(workspace, language_model, path)
            speed_id = measure_speed(
                workspace, language_model, id, forms=form, settings=settings, progress=progress
            )
            speeds = open_speed(workspace, speed_id)
    _print_speeds(common, speeds)


def _time_exports(
    language_model: "LanguageModel",
    folders: list[Path],
    settings: "SpeedSettings",
    progress: "Progress",
) -> "Speed":
    import tempfile

    from fnprune_core.evaluation.results import DENSE
    from fnprune_core.export.speed import time_folders

    names = [folder.resolve().name for folder in folders]
    labels = names if len({*names, DENSE}) > len(names) else [str(folder) for folder in folders]
    with tempfile.TemporaryDirectory(prefix="fnprune-speed-") as scratch:
        dense = Path(scratch) / DENSE
        language_model.model.save_pretrained(dense)
        return time_folders(
            {DENSE: dense, **dict(zip(labels, folders, strict=True))},
            dtype=language_model.dtype,
            device=language_model.device,
            settings=settings,
            progress=progress,
        )


def _print_speeds(common: CommonOptions, speeds: "Speed") -> None:
    rows = speeds.rows()
    if common.wrote_json({"rows": rows, "protocol": dict(speeds.protocol)}):
        return
    from fnprune_core.export.model_card import ratio_text

    def cells(row: dict[str, Any]) -> list[Any]:
        return [
            row["model"],
            row["prefill_tokens_per_s"],
            ratio_text(row, "prefill"),
            row["decoding_tokens_per_s"],
            ratio_text(row, "decoding"),
            round(row["peak_bytes"] / 1e6),
            round(row["parameter_bytes"] / 1e6),
        ]

    columns = [
        "model", "prefill, tokens/s", "× dense", "decoding, tokens/s", "× dense ",
        "peak, MB", "weights, MB",
    ]  # fmt: skip
    print_table(speeds.sentence(), columns, [cells(row) for row in rows])
