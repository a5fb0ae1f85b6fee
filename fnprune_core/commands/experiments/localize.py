"""Localizers from the command line: which networks and units respond to a contrast of texts."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fnprune_core.commands.console import print_facts, print_table
from fnprune_core.commands.options import CommonOptions, Match, with_model
from fnprune_core.probability import p_text

if TYPE_CHECKING:
    from fnprune_core.localizers.results import LocalizerResult
    from fnprune_core.localizers.stimuli import Localizer

_COLUMNS = ["network", "name", "difference", "low", "high", "effect_size", "t", "q"]
_MOST = 12


@with_model
def localize(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition.")],
    localizer: Annotated[
        str, typer.Argument(help="A ready localizer, or a CSV or TSV file: condition, text.")
    ] = "language",
    positive: Annotated[
        list[str] | None, typer.Option(help="Condition of a file on the first side; repeatable.")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option(help="Condition on the other side; repeatable.")
    ] = None,
    permutations: Annotated[
        int, typer.Option(help="Permutations of the decoding's labels.", min=1)
    ] = 2000,
    match: Match = False,
    seed: Annotated[int, typer.Option(help="Of block order, folds, permutations.", min=0)] = 0,
    *,
    common: CommonOptions,
) -> None:
    """Read blocks of texts in alternating conditions, and say which networks respond."""
    stimuli = _stimuli(localizer, positive or [], negative or [])
    from fnprune_core.atlas import network_atlas
    from fnprune_core.atlas.files import network_names
    from fnprune_core.localizers import control, run
    from fnprune_core.localizers.decoding import DecodingSettings

    workspace = common.workspace
    opened_atlas = network_atlas.open_atlas(workspace, atlas)
    language_model = common.load()
    with common.progress() as progress:
        id = run.localize(
            workspace,
            language_model,
            opened_atlas.id,
            stimuli,
            settings=DecodingSettings(n_permutations=permutations, seed=seed),
            progress=progress,
        )
    result = run.open_localizer(workspace, id, match=match)
    table = result.network_table()
    names = network_names(workspace, opened_atlas)
    table.insert(1, "name", [names[int(k)] for k in table["network"]])
    facts = _result_facts(result)
    controls = control.controls(result)
    if common.wrote_json(
        {
            **facts,
            "networks": table.to_dict("records"),
            "layers": result.layer_table().to_dict("records"),
            "controls": controls.to_dict("records"),
            "tokens_per_word": control.tokens_per_word(result),
            "conditions": result.surprise_table().to_dict("records"),
        }
    ):
        return
    shown_facts = facts | {"accuracy_p": p_text(facts["accuracy_p"])}
    print_facts(
        f"Localizer: {result.localizer.title}",
        {name.replace("_", " "): value for name, value in shown_facts.items()},
    )
    heads = [str(name).replace("_", " ") for name in controls]
    told = " ".join(control.sentences(result, controls))
    print_table(told, heads, controls.round(3).to_numpy().tolist())
    shown_table = table[_COLUMNS].head(_MOST).copy()
    title = f"Networks, × usual strength, 95 % intervals over {result.localizer.unit}"
    shown_table["q"] = [p_text(q) for q in shown_table["q"]]
    headings = [name.replace("_", " ") for name in _COLUMNS]
    print_table(title, headings, shown_table.to_numpy().tolist())


def _stimuli(name: str, positive: list[str], negative: list[str]) -> "Localizer":
    from fnprune_core.localizers import ready_made
    from fnprune_core.localizers.stimuli import read_localizer

    if name in ready_made.READY or not Path(name).suffix:
        return ready_made.load(name)
    own_name = ready_made.own_name(Path(name).stem)
    return read_localizer(Path(name), name=own_name, positive=positive, negative=negative)


def _result_facts(result: "LocalizerResult") -> dict[str, Any]:
    decoding = asdict(result.decoding)
    table = result.network_table()
    return {
        "id": result.id,
        "contrast": result.localizer.contrast,
        "items": len(result.localizer.items),
        "unit_of_resampling": result.localizer.unit,
        "accuracy": decoding["accuracy"],
        "accuracy_standard_error": decoding["standard_error"],
        "accuracy_p": decoding["p"],
        "networks_responding": int(table["responds"].sum()),
        "units_responding": result.n_responding(),
    }
