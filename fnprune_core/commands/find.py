"""Search over networks and units from the command line: what goes with a word, token or domain."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fnprune_core.commands.console import print_table
from fnprune_core.commands.options import CommonOptions, takes

if TYPE_CHECKING:
    from fnprune_core.atlas.network_atlas import NetworkAtlas
    from fnprune_core.atlas.search.find import Hit


@takes(CommonOptions, "common", without=("model", "scheduler"))
def find(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition, or latest.")],
    query: Annotated[str, typer.Argument(help="A word, token, domain, class or part of a name.")],
    most: Annotated[int, typer.Option("--most", help="Networks and units to print.", min=1)] = 12,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Load it too: units by the tokens that they promote."),
    ] = None,
    *,
    common: CommonOptions,
) -> None:
    """Find networks and units by word, token, domain or description, with a score and why."""
    from fnprune_core.atlas import annotations, files, network_atlas
    from fnprune_core.atlas.naming import promoted
    from fnprune_core.atlas.search import effects, index
    from fnprune_core.atlas.search import find as search
    from fnprune_core.recording.recording import open_recording

    workspace = common.workspace
    opened = network_atlas.open_atlas(workspace, atlas)
    recording = open_recording(workspace, opened.decomposition.recording_id)
    loaded = None
    if model is not None:
        language_model = common.load(model)
        promoted.keep_promoted(workspace, language_model, opened, recording.std)
        loaded = (language_model, effects.build_effects(language_model, opened, recording.std))
    networks, units = search.find(
        opened,
        recording,
        index.build_index(opened, recording),
        query,
        search.Said(
            names=files.network_names(workspace, opened),
            annotations=annotations.read_annotations(workspace, opened.id),
            promoted=promoted.read_promoted(workspace, opened),
        ),
        model=loaded,
        n=most,
    )
    names = files.network_names(workspace, opened)
    rows = [_facts(opened, hit, names) for hit in (*networks, *units)]
    if common.wrote_json({"atlas": opened.id, "query": query, "found": rows}):
        return
    print_table(
        f"Found for “{query}” in atlas {opened.id}",
        ("what", "name", "score", "why"),
        [(row["what"], row["name"], row["score"], "; ".join(row["why"])) for row in rows],
    )


def _facts(atlas: "NetworkAtlas", hit: "Hit", names: list[str]) -> dict[str, Any]:
    if hit.kind == "network":
        what, name = f"network {hit.number}", names[hit.number]
    else:
        layer, index = (int(place) for place in atlas.layout.locate(hit.number))
        what, name = f"layer {layer}, unit {index}", f"unit {hit.number}"
    return {
        "what": what,
        "kind": hit.kind,
        "number": hit.number,
        "name": name,
        "score": round(hit.score, 4),
        "why": [match.reason for match in hit.matches],
    }
