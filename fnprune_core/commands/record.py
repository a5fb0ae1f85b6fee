"""From a model and texts to functional networks: models, doctor, record, decompose."""

from dataclasses import asdict
from typing import Annotated

import typer

from fnprune_core.commands.console import print_facts, print_table, progress_bars
from fnprune_core.commands.options import (
    EMBEDDED,
    CommonOptions,
    TextOptions,
    Texts,
    Window,
    documents_from,
    said_of_chat,
    takes,
    with_model,
    with_workers_alone,
)


@takes(CommonOptions, "common", without=("model", "scheduler", "where"))
def doctor(
    model: Annotated[str, typer.Argument(help="The model to examine.")] = EMBEDDED,
    *,
    common: CommonOptions,
) -> None:
    """Print a model's anatomy, and the proof that its units can be cut; or why it can't be used."""
    from fnprune_core.models.sources.quantised import CANNOT
    from fnprune_core.models.structure.proof import prove_model

    language_model = common.load(model)
    anatomy = asdict(language_model.anatomy())
    if language_model.is_quantised:
        common.show("Anatomy", {**anatomy, "quantised": f"It can be recorded; {CANNOT}."})
        return
    proof = asdict(prove_model(language_model.model, language_model.architecture))
    if common.wrote_json({**anatomy, "proof": proof}):
        return
    widths = sorted(set(anatomy["widths"]))
    anatomy["widths"] = widths[0] if len(widths) == 1 else f"{widths[0]} to {widths[-1]}"
    print_facts("Anatomy", anatomy)
    print_facts("Silencing a third of the units, and cutting them from a copy", proof)


@takes(CommonOptions, "common", without=("model", "scheduler", "where"))
def models(
    model: Annotated[
        str | None, typer.Argument(help="The model to look at (default: list the cache's).")
    ] = None,
    *,
    common: CommonOptions,
) -> None:
    """List the models in the Hugging Face cache; or say what one takes before it is loaded."""
    if model is None:
        _list_models(common)
        return
    from fnprune_core.models.loading import look_at

    with progress_bars(shown=not common.as_json) as progress:
        needed = asdict(look_at(model, device=common.device, dtype=common.dtype, progress=progress))
    common.show("Before it is loaded", needed)


def _list_models(common: CommonOptions) -> None:
    from fnprune_core.models.sources.cached import cached_models

    found = cached_models()
    if common.wrote_json({"models": [asdict(each) for each in found]}):
        return
    if not found:
        typer.echo("No model is in the Hugging Face cache yet: `fnprune doctor ID` fetches one.")
        return
    print_table(
        "In the Hugging Face cache",
        ("model", "size", "type", "units", "standing"),
        [
            (
                each.source,
                f"{each.size_bytes / 1e9:,.2f} GB",
                each.model_type,
                "by its family" if each.is_known else "by structure, as it is loaded",
                each.standing or "can be loaded",
            )
            for each in found
        ],
    )


@takes(TextOptions, "reading")
@with_model
def record(
    texts: Texts = None,
    window: Window = 512,
    max_tokens: Annotated[int, typer.Option(help="At most so many tokens.")] = 16384,
    n_dummy_tokens: Annotated[int, typer.Option(help="First tokens left out of statistics.")] = 4,
    batch_size: Annotated[
        int, typer.Option(help="Windows read together; on a CPU at least one per thread.")
    ] = 4,
    pack: Annotated[bool, typer.Option(help="Join short documents of a domain.")] = False,
    seed: Annotated[
        int | None,
        typer.Option(help="Draw the windows at random (default: from all documents in turn)."),
    ] = None,
    keep: Annotated[
        str,
        typer.Option(
            help="all, or summary: what atlases, scores and refits need, a fraction of the disk, "
            "for three times the reading."
        ),
    ] = "all",
    most_networks: Annotated[
        int, typer.Option(help="Of a summary: up to so many networks can be found in it.")
    ] = 64,
    chat: Annotated[
        bool, typer.Option(help="Put each document into the model's chat template.")
    ] = False,
    *,
    reading: TextOptions,
    dry_run: Annotated[bool, typer.Option(help="Only estimate time, disk and memory.")] = False,
    common: CommonOptions,
) -> None:
    """Record the activation of every unit while the model reads texts."""
    from fnprune_core.recording.record import estimate_recording, record_texts, windows_for
    from fnprune_core.recording.recording import RecordingSettings, open_recording

    settings = RecordingSettings(
        window=window,
        n_dummy_tokens=n_dummy_tokens,
        max_tokens=max_tokens,
        batch_size=batch_size,
        pack=pack,
        seed=seed,
        keep=keep,
        most_networks=most_networks,
        chat=chat,
    )
    documents = documents_from(texts, reading)
    language_model = common.load()
    if dry_run:
        windows = windows_for(language_model, documents, settings)
        estimate = estimate_recording(language_model, windows, settings)
        facts = {**asdict(estimate), "chat_template": said_of_chat(language_model, chat)}
        common.show("Estimate", facts)
        return
    workspace = common.workspace
    with common.progress() as progress:
        id = record_texts(
            workspace, language_model, documents, settings=settings, progress=progress
        )
    recording = open_recording(workspace, id)
    facts = {
        "id": id,
        "model": recording.model_name,
        "keep": recording.keep,
        "n_tokens": recording.n_tokens,
        "n_sessions": recording.n_sessions,
        "n_units": recording.layout.n_units,
        "n_alive": int(recording.alive.sum()),
        "domains": list(recording.windows.domain_names),
        "n_dropped_tokens": recording.windows.n_dropped_tokens,
        "chat_template": said_of_chat(language_model, recording.windows.chat),
    }
    common.show("Recording", facts)


@with_workers_alone
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
    *,
    common: CommonOptions,
) -> None:
    """Find the functional networks of a recording by group ICA."""
    from fnprune_core.atlas import network_atlas
    from fnprune_core.decomposition import group_ica
    from fnprune_core.decomposition.decomposition import convergence_note
    from fnprune_core.decomposition.group_ica import GroupICA

    workspace = common.workspace
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
    with common.progress() as progress:
        id = group_ica.decompose(workspace, recording, settings=settings, progress=progress)
    atlas = network_atlas.open_atlas(workspace, id)
    note = convergence_note(atlas.decomposition)
    table = atlas.table()
    explained = atlas.decomposition.variance_explained
    if common.wrote_json(
        {
            "id": id,
            "variance_explained": explained,
            "warning": note,
            "networks": table.to_dict(orient="records"),
        }
    ):
        return
    print_table(
        f"Decomposition {id}: {atlas.n_networks} networks, {100 * explained:.1f} % of the variance",
        list(table.columns),
        table.head(20).to_numpy().tolist(),
    )
    if note:
        typer.echo(f"Warning: {note}", err=True)
