"""Experiments on the model as on a brain: localizers and lesions."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fnprune_core.lesions.run import lesion_studies, open_lesions
from fnprune_core.lesions.sites import Lesion
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.localizers import run
from fnprune_core.localizers.glm import LEVEL
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.report.material import Material
from fnprune_core.report.parts import (
    Block,
    Column,
    Heading,
    Missing,
    Section,
    Slot,
    Table,
    Text,
)

_MOST_STUDIES = 3
_LEAST_RANDOM = 2
_MOST_NETWORKS = 6


def localizers(m: Material) -> Section:
    """Return the localizers that were run: contrasts, responding networks, decoding."""
    return Section(key="localizers", title="Localizers", blocks=tuple(_localizers(m)))


def localizers_lack(m: Material) -> list[Missing]:
    """Return how a localizer is run, if none was."""
    if run.localizers_of(m.workspace, m.atlas.id):
        return []
    return [
        Missing(
            what="No localizer was run.",
            command=f"fnprune localize {m.atlas.id} language",
            page="Localizers",
        )
    ]


def run_localizers(m: Material) -> list[LocalizerResult]:
    """Return the results of this atlas, the oldest first; of a name the newest alone."""
    newest = {each.name: each.id for each in reversed(run.localizers_of(m.workspace, m.atlas.id))}
    return [run.open_localizer(m.workspace, id) for id in newest.values()]


def _localizers(m: Material) -> Iterator[Block]:
    yield from localizers_lack(m)
    found = run_localizers(m)
    if not found:
        return
    units = " or ".join(sorted({each.localizer.unit for each in found}))
    yield Text(
        text="Stimuli of alternating conditions were read in blocks, each in a window of its own "
        "{fedorenko2010}. A general linear model at the level of tokens (a boxcar a block, log "
        "frequency and position of the token as covariates, no haemodynamic response) gives each "
        "block's effect; the contrast is tested over blocks' "
        f"{units} by t, two-sided, and corrected over networks (and over units by themselves) by "
        "the false discovery rate {benjamini1995}. Decoding tells items of held-out templates "
        "apart by their networks; its p permutes the labels of whole blocks."
    )
    yield Table(
        name="localizers",
        title="Localizers: networks and units that respond (q < "
        f"{LEVEL}), and balanced accuracy of decoding held-out items (chance 50 %).",
        frame=localizer_table(m, found),
        columns={
            "title": Column(title="Localizer"),
            "contrast": Column(title="Contrast"),
            "items": Column(title="Items"),
            "networks": Column(title="Networks"),
            "units": Column(title="Units"),
            "accuracy": Column(title="Decoding", form="{:.0%}"),
            "accuracy_error": Column(title="± SE", form="{:.0%}"),
            "p": Column(title="p", form="{:.2g}"),
        },
    )
    yield Slot(figure="localizers")
    tables = []
    for each in found:
        table = each.network_table()
        table.insert(0, "localizer", each.localizer.title)
        table.insert(2, "name", [m.names[k] for k in table["network"]])
        tables.append(table)
    yield Table(
        name="localizer-networks",
        title="The contrast in every network, with its 95 % interval over "
        f"{units}: multiples of the network's usual strength.",
        frame=pd.concat(tables, ignore_index=True),
    )


def localizer_table(m: Material, found: list[LocalizerResult]) -> pd.DataFrame:
    """Return one row a localizer: what it asks, what responds, how well it decodes."""
    return pd.DataFrame(
        [
            {
                "title": each.localizer.title,
                "name": each.localizer.name,
                "contrast": each.localizer.contrast,
                "items": len(each.localizer.items),
                "networks": int((each.networks.q < LEVEL).sum()),
                "units": each.n_responding(),
                "accuracy": each.decoding.accuracy,
                "accuracy_error": each.decoding.standard_error,
                "p": each.decoding.p,
                "id": each.id,
            }
            for each in found
        ]
    )


def responding(m: Material, result: LocalizerResult) -> pd.DataFrame:
    """Return the few networks that respond most: label, value, low, high."""
    table = result.network_table()
    table = table[table["responds"]].head(_MOST_NETWORKS)
    return pd.DataFrame(
        {
            "label": [f"{k} · {m.names[k]}" for k in table["network"]],
            "value": table["difference"],
            "low": table["low"],
            "high": table["high"],
        }
    )


# Lesions ---------------------------------------------------------------------------------------


def lesions(m: Material) -> Section:
    """Return the lesion studies: loss change by network and column, dissociations."""
    return Section(key="lesions", title="Lesions", blocks=tuple(_lesions(m)))


def lesions_lack(m: Material) -> list[Missing]:
    """Return how a lesion study is made, if there is none."""
    if lesion_studies(m.workspace, m.atlas.id):
        return []
    return [
        Missing(what="No lesion was made.", command=f"fnprune lesion {m.atlas.id}", page="Lesions")
    ]


def studies(m: Material) -> list[LesionStudy]:
    """Return the newest lesion studies of this atlas."""
    return [
        open_lesions(m.workspace, id)
        for id in lesion_studies(m.workspace, m.atlas.id)[:_MOST_STUDIES]
    ]


def lesion_name(m: Material, lesion: Lesion) -> str:
    """Return what a lesion is called: its networks, and its strength if it does not silence."""
    scale = "" if lesion.strength == 1 else f" × {1 - lesion.strength:g}"
    if len(lesion.networks) == 1:
        return f"{lesion.networks[0]} · {m.names[lesion.networks[0]]}{scale}"
    named = ", ".join(map(str, lesion.networks[:6]))
    more = len(lesion.networks) - 6
    return f"{named}{f' and {more} more' if more > 0 else ''}{scale}"


def _lesions(m: Material) -> Iterator[Block]:
    yield from lesions_lack(m)
    found = studies(m)
    for number, study in enumerate(found):
        suffix = f"-{number + 1}" if number else ""
        if len(found) > 1:
            yield Heading(text=f"Study {number + 1}: {', '.join(study.columns)}")
        yield from _study(m, study, suffix)


def _study(m: Material, study: LesionStudy, suffix: str) -> Iterator[Block]:
    s, p = study.facts.settings, study.facts.protocol
    n_random = study.nll.shape[1] - 1
    stands = (
        f" Each stands beside {n_random} random lesions of as many units in each layer and of "
        f"matched magnitude (seed {s.seed}). Excess is the loss change less that of the random "
        "lesions, in nats per token."
        if n_random
        else ""
    )
    yield Text(
        text=f"{len(study.lesions)} lesions: the units of a network with |z| above {s.z:g} were "
        f"scaled towards {'their mean' if s.towards == 'mean' else 'zero'} while the model read "
        f"{p.n_windows} windows of {p.window} tokens of text {p.text_sha256[:16]} ({p.dtype} on "
        f"{p.device}). {s.sink_units} units a layer that serve attention sinks were spared.{stands}"
    )
    table = study.table()
    names = [lesion_name(m, each) for each in study.lesions]
    table.insert(0, "lesion", np.repeat(names, len(study.columns)))
    yield Text(text=_tested(study, int((table["q"] < LEVEL).sum())))
    yield Slot(figure=f"lesions{suffix}")
    by = "excess" if is_tested(study) else "change"
    order = np.argsort(-table[by].to_numpy(), kind="stable")
    against = {
        "random": Column(title="Random", form="{:+.3f}"),
        "random_sd": Column(title="SD", form="{:.3f}"),
        "excess": Column(title="Excess", form="{:+.3f}"),
        "p": Column(title="p", form="{:.2g}"),
        "q": Column(title="q", form="{:.2g}"),
    }
    yield Table(
        name=f"lesions{suffix}",
        title=f"Loss change under each lesion, nats per token, the largest {by} first.",
        frame=table.iloc[order].reset_index(drop=True),
        columns={
            "lesion": Column(title="Lesion of"),
            "column": Column(title="Read"),
            "units": Column(title="Units"),
            "change": Column(title="Change", form="{:+.3f}"),
            "change_error": Column(title="± SE", form="{:.3f}"),
            **(against if is_tested(study) else {}),
        },
        most=24,
    )
    yield from _dissociations(m, study, suffix)


def is_tested(study: LesionStudy) -> bool:
    """Whether there are random lesions enough for a p-value."""
    return bool(study.nll.shape[1] > _LEAST_RANDOM)


def _tested(study: LesionStudy, n_effects: int) -> str:
    n_failed = len(study.facts.failures)
    failed = f" {n_failed} lesions gave no finite loss." if n_failed else ""
    if not is_tested(study):
        return (
            "Too few random lesions were made, so that no effect is tested: a change may be that "
            f"of any lesion of the size. Errors are over {study.facts.unit}.{failed}"
        )
    return (
        "An effect counts if it stands out from random lesions (moderated t) and holds over the "
        f"texts (paired t over {study.facts.unit}): its p is the larger of the two, two-sided, "
        f"corrected over all {study.effects.p.size} effects by the false discovery rate "
        "{benjamini1995}; tokens are never counted as independent. "
        f"{n_effects} effects have q below {LEVEL}.{failed}"
    )


def _dissociations(m: Material, study: LesionStudy, suffix: str) -> Iterator[Block]:
    rows = [
        {
            "first": lesion_name(m, study.lesions[each.first]),
            "harms": study.columns[each.a],
            "second": lesion_name(m, study.lesions[each.second]),
            "harms_instead": study.columns[each.b],
            "first_contrast": each.contrast[0],
            "first_error": each.error[0],
            "second_contrast": each.contrast[1],
            "second_error": each.error[1],
            "q": each.q,
        }
        for each in study.dissociations
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
                "q": Column(title="q", form="{:.2g}"),
            },
            most=12,
        )
    elif len(study.columns) > 1 and is_tested(study):
        yield Text(text="No double dissociation was found at that level.")
