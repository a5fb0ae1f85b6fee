"""Lesions from the command line: loss change by network and domain, against random lesions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fnprune_core.commands.console import print_facts, print_table
from fnprune_core.commands.options import (
    CommonOptions,
    Match,
    TextOptions,
    documents_from,
    numbers_in,
    takes,
    with_workers,
)
from fnprune_core.errors import SettingsError
from fnprune_core.foreign_text import visible
from fnprune_core.inputs.files import shortened
from fnprune_core.inputs.numbers import reals_in
from fnprune_core.probability import p_text

if TYPE_CHECKING:
    from fnprune_core.atlas.network_atlas import NetworkAtlas
    from fnprune_core.lesions.order import LesionOrder
    from fnprune_core.lesions.sites import Lesion, Stimuli
    from fnprune_core.lesions.study import LesionStudy
    from fnprune_core.models.language_model import LanguageModel
    from fnprune_core.storage.workspace import Workspace

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
_HEADINGS = {
    "column": "text or condition",
    "change": "loss change",
    "change_error": "± standard error",
    "random": "random lesions",
    "excess": "beyond random",
}
_MOST = 24
MOST_STRENGTHS = 100


@takes(TextOptions, "reading")
@with_workers
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
    z: Annotated[
        float | None, typer.Option("-z", help="Units with |z| above this (default: members).")
    ] = None,
    towards: Annotated[Literal["zero", "mean"], typer.Option(help="Scale towards.")] = "zero",
    sink_units: Annotated[int, typer.Option(help="Units a layer that are spared.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the random lesions.")] = 0,
    match: Match = False,
    window: Annotated[int, typer.Option(help="Tokens per window.")] = 64,
    max_windows: Annotated[int, typer.Option(help="Windows of each domain, at most.")] = 8,
    prompt: Annotated[
        str | None, typer.Option(help="Write on from this under the first lesion, measure nothing.")
    ] = None,
    *,
    reading: TextOptions,
    common: CommonOptions,
) -> None:
    """Silence networks and measure what the model loses; a stopped study is gone on with."""
    from fnprune_core.atlas import network_atlas
    from fnprune_core.lesions.order import LesionOrder
    from fnprune_core.lesions.run import lesion_study
    from fnprune_core.lesions.sites import LesionSettings
    from fnprune_core.lesions.stored import open_lesions

    workspace = common.workspace
    atlas = network_atlas.open_atlas(workspace, decomposition)
    settings = LesionSettings(
        z=z, towards=towards, n_random=random, sink_units=sink_units, seed=seed
    )
    patient_lesions = _patient_lesions(workspace, atlas, patient or ())
    lesions = _chosen_lesions(
        atlas, numbers_in(networks), together or (), patient_lesions, strengths
    )
    order = LesionOrder(decomposition_id=atlas.id, lesions=lesions, settings=settings)
    documents = None if localizer or prompt else documents_from(texts, reading, builtin="held-out")
    language_model = common.load()
    if prompt is not None:
        _print_writing(common, language_model, order, prompt)
        return
    stimuli = _stimuli(language_model, documents, localizer or (), window, max_windows)
    with common.progress() as progress:
        id = lesion_study(workspace, language_model, stimuli, order=order, progress=progress)
    _print_study(common, id, open_lesions(workspace, id, match=match))


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


def _chosen_lesions(
    atlas: "NetworkAtlas",
    networks: tuple[int, ...] | None,
    together: Sequence[str],
    patient_lesions: "Sequence[Lesion]",
    strengths: str,
) -> "tuple[Lesion, ...]":
    """Return the lesions that were asked for; each network's own if none was."""
    from fnprune_core.lesions.sites import Lesion

    try:
        strength_values = reals_in(strengths, most=MOST_STRENGTHS)
    except ValueError as error:
        raise SettingsError(
            f"{shortened(strengths)!r} is not a list of strengths: {error}.",
            hint='Write it as "0.5,1".',
        ) from error
    sets = [numbers_in(text) or () for text in together]
    if networks is None and not sets and not patient_lesions:
        networks = tuple(range(atlas.n_networks))
    sets = [*((k,) for k in networks or ()), *sets]
    for network in {k for lesion_set in sets for k in lesion_set}:
        atlas.check_network(network)
    network_lesions = [
        Lesion(networks=lesion_set, strength=strength)
        for lesion_set in sets
        for strength in strength_values
    ]
    return (*network_lesions, *patient_lesions)


def _patient_lesions(
    workspace: "Workspace", atlas: "NetworkAtlas", names: Sequence[str]
) -> "list[Lesion]":
    """Return the lesions of patients by name; some patients need a matrix that was measured."""
    if not names:
        return []
    from fnprune_core.lesions.patients import patients
    from fnprune_core.lesions.stored import lesion_studies, open_lesions

    ids = lesion_studies(workspace, atlas.id)
    studies = (open_lesions(workspace, id, match=True) for id in ids)
    matrix_study = next(
        (study for study in studies if len({lesion.networks for lesion in study.lesions}) > 1), None
    )
    lesion_by_name = {patient.key: patient.lesion for patient in patients(atlas, matrix_study)}
    unknown = [name for name in names if name not in lesion_by_name]
    if unknown:
        raise SettingsError(
            f"There is no patient {unknown[0]!r} in this atlas.",
            hint=f"There are: {', '.join(lesion_by_name) or 'none'}.",
        )
    return [lesion_by_name[name] for name in names]


def _print_study(common: CommonOptions, id: str, study: "LesionStudy") -> None:
    from dataclasses import asdict

    table = study.table()
    dissociations = [_dissociation_facts(study, i) for i in range(len(study.dissociations))]
    if common.wrote_json(
        {
            "id": id,
            "effects": table.to_dict("records"),
            "dissociations": dissociations,
            "null_share": _null_share(study),
            "unit": study.facts.unit,
            "untested": study.why_untested(),
            "failures": list(study.facts.failures),
            "protocol": asdict(study.facts.protocol),
        }
    ):
        return
    largest = table.sort_values("excess", ascending=False, na_position="last").head(_MOST)
    protocol = study.facts.protocol
    print_table(
        f"Loss change in nats per token, the {len(largest)} largest excesses over random lesions: "
        f"{protocol.n_tokens} tokens in {protocol.n_windows} windows, {protocol.dtype} on "
        f"{protocol.device}, text {protocol.text_sha256[:12]}; errors over {study.facts.unit}, q "
        f"over {len(table)} effects",
        [_HEADINGS.get(name, name) for name in _COLUMNS],
        [
            [p_text(row[name]) if name in ("p", "q") else row[name] for name in _COLUMNS]
            for row in largest.to_dict("records")
        ],
    )
    n_significant = int((study.effects.q <= 0.05).sum())
    facts = {
        "id": id,
        "stand out after correction (q ≤ .05)": f"{n_significant} of {len(table)}",
        "double dissociations": len(dissociations),
    }
    for number, dissociation in enumerate(dissociations[:5], 1):
        facts[f"dissociation {number}"] = (
            f"{dissociation['a']} without {dissociation['first']} "
            f"({dissociation['contrast'][0]:+.2f}), {dissociation['b']} without "
            f"{dissociation['second']} ({dissociation['contrast'][1]:+.2f}), q "
            f"{p_text(dissociation['q'])}"
        )
    print_facts("Lesions", facts)
    for sentence in filter(None, (study.why_untested(), *study.facts.failures)):
        typer.echo(visible(sentence), err=True)


def _dissociation_facts(study: "LesionStudy", index: int) -> dict[str, Any]:
    dissociation = study.dissociations[index]
    first, second = (
        " ".join(map(str, study.lesions[row].networks))
        for row in (dissociation.first, dissociation.second)
    )
    return {
        "first": first,
        "second": second,
        "a": study.columns[dissociation.a],
        "b": study.columns[dissociation.b],
        "contrast": list(dissociation.contrast),
        "error": list(dissociation.error),
        "q": dissociation.q,
    }


def _null_share(study: "LesionStudy") -> float:
    """Return the share of random lesions with p below 0.05 against one another."""
    p = study.null_p[study.null_p == study.null_p]
    return float((p < 0.05).mean()) if p.size else float("nan")


def _print_writing(
    common: CommonOptions, language_model: "LanguageModel", order: "LesionOrder", prompt: str
) -> None:
    from fnprune_core.evaluation.generation import Prompt
    from fnprune_core.evaluation.results import DENSE
    from fnprune_core.evaluation.side_by_side import BOTH
    from fnprune_core.lesions.writing import WritingOrder, open_lesion_text, write_under_lesion

    writing_order = WritingOrder(
        decomposition_id=order.decomposition_id,
        lesion=order.lesions[0],
        prompt=Prompt(text=prompt),
        settings=order.settings,
    )
    id = write_under_lesion(common.workspace, language_model, writing_order)
    texts = open_lesion_text(common.workspace, id)[1]
    names = {whose: "healthy" if whose == DENSE else "lesioned" for whose in BOTH}
    if common.wrote_json({"id": id, **{names[whose]: texts.text(whose) for whose in BOTH}}):
        return
    print_table("Written", list(names.values()), [[texts.text(whose) for whose in BOTH]])
