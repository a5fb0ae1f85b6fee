"""Lesions from the command line: loss change by network and domain, against random lesions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fnprune_core.commands.console import print_facts, print_json, print_table, progress_bars
from fnprune_core.commands.options import (
    EMBEDDED,
    Device,
    Dtype,
    Json,
    Model,
    TextOptions,
    Where,
    documents_from,
    load,
    numbers_in,
    takes,
    workspace_at,
)
from fnprune_core.errors import SettingsError

if TYPE_CHECKING:
    from fnprune_core.atlas.network_atlas import NetworkAtlas
    from fnprune_core.evaluation.side_by_side import SideBySide
    from fnprune_core.lesions.run import LesionOrder
    from fnprune_core.lesions.sites import Lesion, Stimuli
    from fnprune_core.lesions.study import LesionStudy
    from fnprune_core.models.language_model import LanguageModel
    from fnprune_core.storage import Workspace

_COLUMNS = (
    "networks",
    "strength",
    "column",
    "change",
    "change_error",
    "random",
    "excess",
    "p",
    "q",
)
_MOST = 24


@takes(TextOptions, "reading")
def lesion(
    decomposition: Annotated[str, typer.Argument(help="Id of the atlas.")],
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts to read (default: held-out built-in).")
    ] = None,
    networks: Annotated[
        str | None, typer.Option(help='Networks, each by itself: "1,3,7-12" (default: all).')
    ] = None,
    together: Annotated[
        list[str] | None, typer.Option(help='A set that is lesioned as one: "1,3"; repeatable.')
    ] = None,
    patient: Annotated[
        list[str] | None,
        typer.Option(help='A virtual patient, "without-french"; a name that is none lists them.'),
    ] = None,
    strengths: Annotated[
        str, typer.Option(help='"1" silences, "0.5" halves, "-1" doubles; several with commas.')
    ] = "1",
    localizer: Annotated[
        list[str] | None, typer.Option(help="Read a ready localizer, not texts; repeatable.")
    ] = None,
    random: Annotated[int, typer.Option(help="Matched random lesions for each.")] = 4,
    z: Annotated[float, typer.Option("-z", help="Units with |z| above this.")] = 3.0,
    towards: Annotated[Literal["zero", "mean"], typer.Option(help="Scale towards.")] = "zero",
    sink_units: Annotated[int, typer.Option(help="Units a layer that are spared.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the random lesions.")] = 0,
    window: Annotated[int, typer.Option(help="Tokens of a window.")] = 64,
    max_windows: Annotated[int, typer.Option(help="Windows of each domain, at most.")] = 8,
    prompt: Annotated[
        str | None, typer.Option(help="Write on from this under the first lesion, measure nothing.")
    ] = None,
    *,
    reading: TextOptions,
    model: Model = EMBEDDED,
    device: Device = "auto",
    dtype: Dtype = "auto",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Silence networks and measure what the model loses; a stopped study is gone on with."""
    from fnprune_core.atlas import network_atlas
    from fnprune_core.lesions.run import LesionOrder, lesion_study, open_lesions
    from fnprune_core.lesions.sites import LesionSettings

    workspace = workspace_at(where)
    atlas = network_atlas.open_atlas(workspace, decomposition)
    settings = LesionSettings(
        z=z, towards=towards, n_random=random, sink_units=sink_units, seed=seed
    )
    people = _people(workspace, atlas, patient or ())
    chosen = _lesions(atlas, numbers_in(networks), together or (), people, strengths)
    order = LesionOrder(decomposition_id=atlas.id, lesions=chosen, settings=settings)
    documents = None if localizer or prompt else _documents(texts, reading)
    language_model = load(model, device, dtype, as_json=as_json)
    if prompt is not None:
        _write(workspace, language_model, order, prompt, as_json=as_json)
        return
    stimuli = _stimuli(language_model, documents, localizer or (), window, max_windows)
    with progress_bars(shown=not as_json) as progress:
        id = lesion_study(workspace, language_model, stimuli, order=order, progress=progress)
    _print(id, open_lesions(workspace, id), as_json=as_json)


def _documents(texts: Sequence[str] | None, reading: TextOptions) -> Any:
    from fnprune_core.texts.documents import builtin_documents

    return documents_from(texts, reading) if texts else builtin_documents(split="held-out")


def _stimuli(
    language_model: "LanguageModel",
    documents: Any,
    localizers: Sequence[str],
    window: int,
    max_windows: int,
) -> "Stimuli":
    from fnprune_core.evaluation import compare
    from fnprune_core.lesions.on_localizers import ready_stimuli
    from fnprune_core.lesions.sites import domain_stimuli

    if localizers:
        return ready_stimuli(localizers, language_model.tokenizer)
    n_domains = len({document.domain for document in documents})
    windows = compare.evaluation_windows(
        language_model, documents, window=window, max_windows=max_windows * n_domains
    )
    return domain_stimuli(windows)


def _lesions(
    atlas: "NetworkAtlas",
    networks: tuple[int, ...] | None,
    together: Sequence[str],
    people: "Sequence[Lesion]",
    strengths: str,
) -> "tuple[Lesion, ...]":
    """Return the lesions that were asked for: each network if none was."""
    from fnprune_core.lesions.sites import Lesion

    try:
        scales = [float(part) for part in strengths.split(",") if part.strip()]
    except ValueError as error:
        raise SettingsError(
            f"{strengths!r} is not a list of strengths.", hint='Write it as "0.5,1".'
        ) from error
    sets = [numbers_in(text) or () for text in together]
    if networks is None and not sets and not people:
        networks = tuple(range(atlas.n_networks))
    sets = [*((k,) for k in networks or ()), *sets]
    for network in {k for each in sets for k in each}:
        atlas.check_network(network)
    found = [Lesion(networks=each, strength=scale) for each in sets for scale in scales]
    return (*found, *people)


def _people(workspace: "Workspace", atlas: "NetworkAtlas", names: Sequence[str]) -> "list[Lesion]":
    """Return the lesions of patients by name; some are known once a matrix was measured."""
    if not names:
        return []
    from fnprune_core.lesions.patients import patients
    from fnprune_core.lesions.run import lesion_studies, open_lesions

    studies = (open_lesions(workspace, id) for id in lesion_studies(workspace, atlas.id))
    matrix = next((s for s in studies if len({each.networks for each in s.lesions}) > 1), None)
    people = {each.key: each.lesion for each in patients(atlas, matrix)}
    unknown = [name for name in names if name not in people]
    if unknown:
        raise SettingsError(
            f"There is no patient {unknown[0]!r} in this atlas.",
            hint=f"There are: {', '.join(people) or 'none'}.",
        )
    return [people[name] for name in names]


def _print(id: str, found: "LesionStudy", *, as_json: bool) -> None:
    from dataclasses import asdict

    table = found.table()
    if as_json:
        rows = [{k: _plain(v) for k, v in row.items()} for row in table.to_dict("records")]
        print_json(
            {
                "id": id,
                "effects": rows,
                "dissociations": [_dissociation(found, i) for i in range(len(found.dissociations))],
                "null_share": _plain(_null_share(found)),
                "unit": found.facts.unit,
                "failures": list(found.facts.failures),
                "protocol": asdict(found.facts.protocol),
            }
        )
        return
    shown = table.sort_values("excess", ascending=False, na_position="last").head(_MOST)
    p = found.facts.protocol
    print_table(
        f"Loss change in nats per token, the {len(shown)} largest excesses over random lesions: "
        f"{p.n_tokens} tokens in {p.n_windows} windows, {p.dtype} on {p.device}, text "
        f"{p.text_sha256[:12]}; errors over {found.facts.unit}, q over {len(table)} effects",
        list(_COLUMNS),
        [[row[name] for name in _COLUMNS] for row in shown.to_dict("records")],
    )
    sure = int((found.effects.q <= 0.05).sum())
    facts = {
        "id": id,
        "sure after correction": f"{sure} of {len(table)}",
        "double dissociations": len(found.dissociations),
    }
    for i in range(min(len(found.dissociations), 5)):
        each = _dissociation(found, i)
        facts[f"dissociation {i + 1}"] = (
            f"{each['a']} without {each['first']} ({each['contrast'][0]:+.2f}), {each['b']} "
            f"without {each['second']} ({each['contrast'][1]:+.2f}), q {each['q']:.2g}"
        )
    print_facts("Lesions", facts)
    for failure in found.facts.failures:
        typer.echo(failure, err=True)


def _dissociation(found: "LesionStudy", i: int) -> dict[str, Any]:
    each = found.dissociations[i]
    first, second = (
        " ".join(map(str, found.lesions[row].networks)) for row in (each.first, each.second)
    )
    return {
        "first": first,
        "second": second,
        "a": found.columns[each.a],
        "b": found.columns[each.b],
        "contrast": list(each.contrast),
        "error": list(each.error),
        "q": each.q,
    }


def _null_share(found: "LesionStudy") -> float:
    """Return the share of random lesions with p below 0.05 against one another."""
    p = found.null_p[found.null_p == found.null_p]
    return float((p < 0.05).mean()) if p.size else float("nan")


def _write(
    workspace: "Workspace", language_model: "LanguageModel", order: "LesionOrder", prompt: str, *,
    as_json: bool,
) -> None:  # fmt: skip
    from fnprune_core.evaluation.generation import Prompt
    from fnprune_core.evaluation.results import DENSE
    from fnprune_core.evaluation.side_by_side import BOTH
    from fnprune_core.lesions.writing import WritingOrder, open_lesion_text, write_under_lesion

    asked = WritingOrder(
        decomposition_id=order.decomposition_id,
        lesion=order.lesions[0],
        prompt=Prompt(text=prompt),
        settings=order.settings,
    )
    id = write_under_lesion(workspace, language_model, asked)
    found = open_lesion_text(workspace, id)[1]
    names = {whose: "healthy" if whose == DENSE else "lesioned" for whose in BOTH}
    if as_json:
        print_json({"id": id, **{names[whose]: found.text(whose) for whose in BOTH}})
        return
    print_table("Written", list(names.values()), [[_shown(found, whose) for whose in BOTH]])


def _shown(found: "SideBySide", whose: str) -> str:
    """Return text of a model's own without what could steer a terminal."""
    text = found.text(whose)
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def _plain(value: object) -> object:
    """Return a value as JSON can say it: NaN is none."""
    return None if isinstance(value, float) and value != value else value
