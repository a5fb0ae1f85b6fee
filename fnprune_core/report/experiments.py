"""Sections on experiments with the model, as with a brain: localizers and lesions."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fnprune_core.lesions.sites import Lesion
from fnprune_core.lesions.stored import lesion_studies
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.localizers import control, run
from fnprune_core.localizers.glm import LEVEL
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.report.material import Material
from fnprune_core.report.parts import (
    P_FORM,
    Block,
    Column,
    Heading,
    Missing,
    Slot,
    Table,
    Text,
)

_MOST_STUDIES = 3
_MOST_NETWORKS = 6


def localizers_lack(material: Material) -> list[Missing]:
    """Return how a localizer is run, if none was, or was without random directions."""
    command = f"fnprune localize {material.atlas.id}"
    if not run.localizers_of(material.workspace, material.atlas.id):
        return [
            Missing(what="No localizer was run.", command=f"{command} language", page="Localizers")
        ]
    return [
        Missing(
            what=f"Localizer {result.localizer.title} has no control: {control.BEFORE}.",
            command=f"{command} {result.localizer.name}",
            page="Localizers",
        )
        for result in material.localizers[0]
        if not result.directions
    ]


def localizers(material: Material) -> Iterator[Block]:
    """Yield the localizers that were run: contrasts, responding networks, decoding."""
    yield from localizers_lack(material)
    results, errors = material.localizers
    yield from material.left_out(errors)
    if not results:
        return
    units = " or ".join(sorted({result.localizer.unit for result in results}))
    yield Text(
        text="Stimuli of alternating conditions were read in blocks, each in a window of its own "
        "{fedorenko2010}. A general linear model at the level of tokens (a boxcar a block, log "
        "frequency and position of the token as covariates, no haemodynamic response) gives each "
        "block's effect; the contrast is tested over blocks' "
        f"{units} by t, two-sided, and corrected over networks (and over units by themselves) by "
        "the false discovery rate {benjamini1995}. Decoding tells items of held-out templates "
        "apart by their networks; its p permutes the labels of whole blocks."
    )
    controls = [control.controls(result) for result in results]
    yield Table(
        name="localizers",
        title="Localizers: networks and units that respond (q < "
        f"{LEVEL}), as many random directions that do, and balanced accuracy of decoding held-out "
        "items (chance 50 %).",
        frame=localizer_table(material, results).assign(
            permuted=[_n_responding(table, "permuted") for table in controls],
            rotated=[_n_responding(table, "rotated") for table in controls],
        ),
        columns={
            "title": Column(title="Localizer"),
            "contrast": Column(title="Contrast"),
            "items": Column(title="Items"),
            "networks": Column(title="Networks"),
            "permuted": Column(title="Permuted"),
            "rotated": Column(title="Rotated"),
            "units": Column(title="Units"),
            "accuracy": Column(title="Decoding", form="{:.0%}"),
            "accuracy_error": Column(title="± SE", form="{:.0%}"),
            "p": Column(title="p", form=P_FORM),
        },
    )
    yield Text(text=" ".join(_control_sentences(results, controls)))
    yield Slot(figure="localizers")
    tables = []
    for result in results:
        table = result.network_table()
        table.insert(0, "localizer", result.localizer.title)
        table.insert(2, "name", [material.names[k] for k in table["network"]])
        tables.append(table)
    yield Table(
        name="localizer-networks",
        title="The contrast in every network, with its 95 % interval over "
        f"{units}: multiples of the network's usual strength.",
        frame=pd.concat(tables, ignore_index=True),
    )


def _n_responding(table: pd.DataFrame, kind: str) -> str:
    rows = table[(table["of"] == kind) & ~table["adjusted"].astype(bool)]
    return f"{rows['responding'].iloc[0]}" if len(rows) else "–"


def _control_sentences(
    results: list[LocalizerResult], controls: list[pd.DataFrame]
) -> Iterator[str]:
    """Yield what responds in each localizer beside random directions."""
    yield (
        "Random directions of the same number and shape of map are permuted (the units of each map "
        "within layers) or rotated (all maps turned together). Adjusted for tokens per word means "
        "that what these explain within blocks is taken off linearly."
    )
    for result, table in zip(results, controls, strict=True):
        told = control.sentences(result, table)
        yield f"{result.localizer.title}: {' '.join(told)}"


def localizer_table(material: Material, results: list[LocalizerResult]) -> pd.DataFrame:
    """Return one row per localizer: its contrast, what responds, its decoding accuracy."""
    return pd.DataFrame(
        [
            {
                "title": result.localizer.title,
                "name": result.localizer.name,
                "contrast": result.localizer.contrast,
                "items": len(result.localizer.items),
                "networks": int((result.networks.q < LEVEL).sum()),
                "units": result.n_responding(),
                "accuracy": result.decoding.accuracy,
                "accuracy_error": result.decoding.standard_error,
                "p": result.decoding.p,
                "id": result.id,
            }
            for result in results
        ]
    )


def responding(material: Material, result: LocalizerResult) -> pd.DataFrame:
    """Return the few networks that respond most: label, value, low, high."""
    table = result.network_table()
    table = table[table["responds"]].head(_MOST_NETWORKS)
    return pd.DataFrame(
        {
            "label": [f"{k} · {material.names[k]}" for k in table["network"]],
            "value": table["difference"],
            "low": table["low"],
            "high": table["high"],
        }
    )


# Lesions ---------------------------------------------------------------------------------------


def lesions_lack(material: Material) -> list[Missing]:
    """Return how a lesion study is made, if there is none."""
    if lesion_studies(material.workspace, material.atlas.id):
        return []
    return [
        Missing(
            what="No lesion was made.",
            command=f"fnprune lesion {material.atlas.id}",
            page="Lesions",
        )
    ]


def studies(material: Material) -> list[LesionStudy]:
    """Return the newest lesion studies of this atlas."""
    return list(material.studies[0].values())[:_MOST_STUDIES]


def lesion_name(material: Material, lesion: Lesion) -> str:
    """Return the name of a lesion: its networks, and its strength if it does not silence."""
    scale = "" if lesion.strength == 1 else f" × {1 - lesion.strength:g}"
    if len(lesion.networks) == 1:
        return f"{lesion.networks[0]} · {material.names[lesion.networks[0]]}{scale}"
    numbers = ", ".join(map(material.number, lesion.networks[:6]))
    n_more = len(lesion.networks) - 6
    return f"{numbers}{f' and {n_more} more' if n_more > 0 else ''}{scale}"


def lesions(material: Material) -> Iterator[Block]:
    """Yield the lesion studies: loss change by network and column, dissociations."""
    yield from lesions_lack(material)
    yield from material.left_out(material.studies[1])
    all_studies = studies(material)
    for number, study in enumerate(all_studies):
        suffix = f"-{number + 1}" if number else ""
        if len(all_studies) > 1:
            yield Heading(text=f"Study {number + 1}: {', '.join(study.columns)}")
        yield from _study_blocks(material, study, suffix)


def _study_blocks(material: Material, study: LesionStudy, suffix: str) -> Iterator[Block]:
    settings, protocol = study.facts.settings, study.facts.protocol
    random_sentence = ""
    if study.n_random:
        number = "one random lesion" if study.n_random == 1 else f"{study.n_random} random lesions"
        random_sentence = (
            f" Each is set against {number} of as many units in each layer and of matched "
            f"magnitude (seed {settings.seed}): the control of permuted random directions, for it "
            "is left to chance which units of a layer are taken, outside of the networks."
        )
    if study.is_tested:
        random_sentence += (
            " Excess is the loss change less that of its random lesions, in nats per token."
        )
    yield Text(
        text=f"{len(study.lesions)} lesions: the {settings.units} "
        f"were scaled towards {'their mean' if settings.towards == 'mean' else 'zero'} while the "
        f"model read {protocol.n_windows} windows of {protocol.window} tokens of text "
        f"{protocol.text_sha256[:16]} ({protocol.dtype} on {protocol.device}). "
        f"{settings.sink_units} units a layer that serve attention sinks were "
        f"spared.{random_sentence}"
    )
    table = study.table()
    lesion_names = [lesion_name(material, lesion) for lesion in study.lesions]
    table.insert(0, "lesion", np.repeat(lesion_names, len(study.columns)))
    yield Text(text=_test_sentence(study, int((table["q"] < LEVEL).sum())))
    yield Slot(figure=f"lesions{suffix}")
    sort_column = "excess" if study.is_tested else "change"
    order = np.argsort(-table[sort_column].to_numpy(), kind="stable")
    test_columns = {
        "random": Column(title="Random", form="{:+.3f}"),
        "random_sd": Column(title="SD", form="{:.3f}"),
        "excess": Column(title="Excess", form="{:+.3f}"),
        "p": Column(title="p", form=P_FORM),
        "q": Column(title="q", form=P_FORM),
    }
    yield Table(
        name=f"lesions{suffix}",
        title=f"Loss change under each lesion, nats per token, the largest {sort_column} first.",
        frame=table.iloc[order].reset_index(drop=True),
        columns={
            "lesion": Column(title="Lesion of"),
            "column": Column(title="Read"),
            "units": Column(title="Units"),
            "change": Column(title="Change", form="{:+.3f}"),
            "change_error": Column(title="± SE", form="{:.3f}"),
            **(test_columns if study.is_tested else {}),
        },
        most=24,
    )
    yield from _dissociations(material, study, suffix)


def _test_sentence(study: LesionStudy, n_effects: int) -> str:
    n_failed = len(study.facts.failures)
    failure_sentence = f" {n_failed} lesions gave no finite loss." if n_failed else ""
    untested = study.why_untested()
    if not study.is_tested:
        return (
            f"{untested} A change may be that of any lesion of the size. Errors are over "
            f"{study.facts.unit}.{failure_sentence}"
        )
    return (
        "An effect counts if it stands out from random lesions (moderated t) and holds over the "
        f"texts (paired t over {study.facts.unit}): its p is the larger of the two, two-sided, "
        f"corrected over all {int(np.isfinite(study.effects.p).sum())} effects that are tested by "
        "the false discovery rate {benjamini1995}; tokens are never counted as independent. "
        f"{n_effects} effects have q below {LEVEL}.{failure_sentence}"
        + (f" {untested}" if untested else "")
    )


def _dissociations(material: Material, study: LesionStudy, suffix: str) -> Iterator[Block]:
    rows = [
        {
            "first": lesion_name(material, study.lesions[dissociation.first]),
            "harms": study.columns[dissociation.a],
            "second": lesion_name(material, study.lesions[dissociation.second]),
            "harms_instead": study.columns[dissociation.b],
            "first_contrast": dissociation.contrast[0],
            "first_error": dissociation.error[0],
            "second_contrast": dissociation.contrast[1],
            "second_error": dissociation.error[1],
            "q": dissociation.q,
        }
        for dissociation in study.dissociations
    ]
    if rows:
        yield Table(
            name=f"dissociations{suffix}",
            title=f"Double dissociations, q < {LEVEL}: the first lesion harms one more than the "
            "other, the second the reverse (excess in nats per token, ± the larger error).",
            frame=pd.DataFrame(rows),
            columns={
                "first": Column(title="Lesion of"),
                "harms": Column(title="harms"),
                "first_contrast": Column(title="by", form="{:+.3f}"),
                "first_error": Column(title="± SE", form="{:.3f}"),
                "second": Column(title="Lesion of"),
                "harms_instead": Column(title="harms"),
                "second_contrast": Column(title="by", form="{:+.3f}"),
                "second_error": Column(title="± SE", form="{:.3f}"),
                "q": Column(title="q", form=P_FORM),
            },
            most=12,
        )
    elif len(study.columns) > 1 and study.is_tested:
        yield Text(text="No double dissociation was found at that level.")
