"""Figures of the report: still pictures, one function a name that a section may ask for."""

import re
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from markupsafe import Markup

from app.figures.markup import visible
from app.html_files.atlas_facts import PLACES
from app.report import charts, interval_charts
from app.report.axes import padded
from app.report.easel import Easel, Figure, drawn, image, in_body
from fnprune_core.atlas.membership import MARK
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD
from fnprune_core.localizers.glm import LEVEL
from fnprune_core.reliability.assess import trust_table
from fnprune_core.report.experiments import (
    lesion_name,
    responding,
    studies,
)
from fnprune_core.report.plans import domain_perplexities, kept_units, label, perplexity_table

_MOST_MODELS = 7
_NUMBERED = re.compile(r"-(\d+)$")
_NULLS = {"gaussian": "95th percentile, Gaussian null", "shift": "95th percentile, shift null"}
ALL = "whole text"


def draw(easel: Easel, name: str) -> Figure | None:
    """Return the figure of a name, or None where there is nothing to draw."""
    found = _NUMBERED.search(name)
    base = name[: found.start()] if found else name
    return FIGURES[base](easel, int(found[1]) - 1 if found else 0)


# Maps ------------------------------------------------------------------------------------------


def parcellation(easel: Easel, _: int) -> Figure:
    """Draw the strongest network everywhere, each in its colour."""
    is_in_body = easel.m.cortex is not None
    note = easel.facts.parcellation_note(is_in_body=is_in_body)
    note = note.partition(" A network's colour is the dot")[0]
    how = (
        f" Numbers are layers. {PLACES}"
        if is_in_body
        else " Layers (last on top) × units, grouped by network."
    )
    return Figure(html=in_body(easel.maps.parcellation(), note), caption=note + how)


def gallery(easel: Easel, _: int) -> Figure:
    """Draw every network small."""
    tiles = Markup("").join(
        Markup('<li>{}<span><i style="background:{}"></i><b>{}</b> {}</span></li>').format(
            image(picture.light, "", css="body" if picture.is_one else "cells"),
            easel.palette.networks[k],
            easel.m.number(k),  # a long name would be cut off before its mark
            visible(name.removesuffix(f" {MARK}")),
        )
        for k, (name, picture) in enumerate(
            (name, easel.maps.small(k)) for k, name in enumerate(easel.m.names)
        )
    )
    seen = (
        "each in the layer of its peak, from above, smoothed for the eye; the grey is how active "
        "units are in all networks"
        if easel.m.cortex is not None
        else "layers (last on top) × units, grouped by network"
    )
    return Figure(
        html=Markup('<ul class="gallery">{}</ul>').format(tiles),
        caption=f"All networks beyond |z| {easel.m.z or DEFAULT_THRESHOLD:g}, {seen}. Warm and "
        "cold units are active together with opposite signs.",
        is_long=True,
    )


# Decoding and connectome -----------------------------------------------------------------------


def domains(easel: Easel, _: int) -> Figure:
    """Draw how each network's energy divides over domains: one bar per network."""
    m, order = easel.m, easel.facts.by_domain
    share = 100 * m.atlas.domain_share()[order]
    html = drawn(
        easel, charts.shares,
        pd.DataFrame(share, index=[m.number(k) for k in order], columns=m.atlas.domain_names),
        x_title="share of energy per token",
        alternative="Share of each network's energy per token by domain",
    )  # fmt: skip
    return Figure(
        html=html,
        caption="Share of each network's energy per token by domain, networks sorted by their "
        "strongest domain.",
    )


def connectome(easel: Easel, _: int) -> Figure | None:
    """Draw the correlation of time courses, networks sorted by domain."""
    m, order = easel.m, easel.facts.by_domain
    if m.atlas.n_networks < 2:
        return None
    values = easel.facts.connectivity[np.ix_(order, order)]
    off = np.abs(values - np.eye(len(values)))
    limit = float(max(np.ceil(off.max() * 10) / 10, 0.1))
    best = [m.atlas.domain_names[d] for d in m.atlas.domain_share().argmax(axis=1)[order]]
    html = drawn(easel, charts.matrix, values, limit=limit, groups=best, unit="r")
    return Figure(
        html=html,
        caption="Correlation of the networks' time courses, networks sorted by domain.",
    )


# Trust -----------------------------------------------------------------------------------------


def trust(easel: Easel, _: int) -> Figure | None:
    """Draw reproducibility (or stability over seeds) against the variance explained alone."""
    m, p = easel.m, easel.palette
    table = trust_table(m.atlas, m.assessment)
    names = {
        "reproducibility": ("split-half |r|", "r"),
        "again_bootstrap": ("found again, bootstraps", "again"),
        "again_seeds": ("found again, seeds", "again"),
    }
    column = next((name for name in names if name in table), None)
    if column is None:
        return None
    title, figure = names[column]
    points = pd.DataFrame(
        {
            "x": table["variance_alone"] * 100,
            "y": table[column],
            "colour": p.networks,
            "tip": [
                f"{k} · {name}: {value:.2f}"
                for k, (name, value) in enumerate(zip(m.names, table[column], strict=True))
            ],
        }
    )
    levels = {
        _NULLS[null]: limit
        for (null, of), limit in m.assessment.limits().items()
        if of == figure and (figure != "again" or column == "again_seeds")
    }
    html = drawn(
        easel, charts.points, points, levels=levels,
        titles=("% of variance that a network explains alone", title),
        alternative=f"{title} of each network",
    )  # fmt: skip
    return Figure(
        html=html,
        caption=f"Each network's {title}, against the variance that it explains alone."
        + (
            " Dashed: what one network in twenty reaches in data without networks."
            if levels
            else ""
        ),
    )


def sizes(easel: Easel, _: int) -> Figure | None:
    """Draw reproducibility by the number of networks."""
    curve = easel.m.assessment.sizes
    if curve is None:
        return None
    table = curve.table().set_index("k")[["median_r"]]
    html = drawn(
        easel, charts.lines, table, titles=("number of networks K", "median |r| of halves"),
        span=padded(table.index.astype(float).tolist()), top=1,
        alternative="Median split-half r by the number of networks",
    )  # fmt: skip
    return Figure(
        html=html,
        caption="Median split-half |r| by the number of networks, mean over divisions.",
    )


# Plans -----------------------------------------------------------------------------------------


def localizers(easel: Easel, _: int) -> Figure | None:
    """Draw the networks that respond most to each localizer, with their 95 % intervals."""
    m = easel.m
    groups = {
        result.localizer.title: frame
        for result in m.localizers[0]
        if len(frame := responding(m, result))
    }
    if not groups:
        return None
    title = "difference between the conditions, in multiples of the usual strength"
    html = drawn(easel, interval_charts.intervals, groups, title=title)
    return Figure(
        html=html,
        caption="The networks that respond most to each localizer (q < 0.05), with the 95 % "
        "interval over templates or blocks, of each by itself.",
        is_long=True,
    )


def lesions(easel: Easel, number: int) -> Figure | None:
    """Draw the excess loss of each lesion in each column; a dot marks q below 0.05."""
    m = easel.m
    study = studies(m)[number]
    excess, q = study.effects.excess, study.effects.q
    if not study.is_tested:
        excess = study.change[:, 0]
    names = [lesion_name(m, each) for each in study.lesions]
    finite = np.abs(excess[np.isfinite(excess)])
    if not finite.size:
        return None
    limit = max(float(np.quantile(finite, 0.98)), 1e-6)
    html = drawn(
        easel, interval_charts.cells,
        pd.DataFrame(excess, index=names, columns=study.columns), limit=limit,
        dotted=q < LEVEL, unit="nats", alternative="Loss change of each lesion in each column",
    )  # fmt: skip
    return Figure(
        html=html,
        caption="Loss change of each lesion less that of its random lesions, nats per token."
        + (" A dot: q < 0.05 over all effects." if (q < LEVEL).any() else " None has q < 0.05.")
        if study.is_tested
        else "Loss change of each lesion from the healthy model, nats per token; not tested.",
        is_long=True,
    )


def layers(easel: Easel, _: int) -> Figure:
    """Draw the share of units that stay in each layer, by plan."""
    m, frame = easel.m, kept_units(easel.m).set_index("layer")
    names = [label(plan) for plan in m.plans][:_MOST_MODELS]
    html = drawn(
        easel, charts.lines, 100 * frame[names].div(frame["dense"], axis=0),
        titles=("layer", "% of units that stay"), span=(-0.5, m.atlas.layout.n_layers - 0.5),
        top=105, alternative="Share of units that stay in each layer, by plan",
    )  # fmt: skip
    more = len(m.plans) - len(names)
    return Figure(
        html=html,
        caption="Units that stay in each layer, by plan."
        + (f" {more} older plans are in the table alone." if more > 0 else ""),
    )


def perplexity(easel: Easel, number: int) -> Figure | None:
    """Draw nats per token above dense, by plan, on the whole text and on each domain."""
    m = easel.m
    text = m.texts()[number]
    whole = perplexity_table(m, text)
    whole = whole[whole["difference"].notna()].head(_MOST_MODELS)
    if whole.empty:
        return None
    by_domain = domain_perplexities(m, text)
    models = whole["model"].tolist()
    groups = {ALL: whole.set_index("model")}
    if len(by_domain):
        for domain, part in by_domain.groupby("domain", sort=False):
            groups[str(domain)] = part.set_index("model")
    shown = {
        name: part.loc[[k for k in models if k in part.index]] for name, part in groups.items()
    }
    html = drawn(
        easel, charts.dots, shown, models, value="difference", error="difference_error",
        title="nats per token above dense, ± 1 SE",
    )  # fmt: skip
    return Figure(
        html=html,
        caption="Nats per token above the dense model on the whole text and by domain, paired, "
        "± one standard error over documents"
        + (
            "."
            if all(np.isfinite(each["difference_error"]).all() for each in shown.values())
            else "; where these are too few there is none."
        ),
    )


#: Name of a slot → what draws it; a section asks for one by `Slot`.
FIGURES: Mapping[str, Callable[[Easel, int], Figure | None]] = {
    "parcellation": parcellation,
    "gallery": gallery,
    "domains": domains,
    "connectome": connectome,
    "trust": trust,
    "sizes": sizes,
    "localizers": localizers,
    "lesions": lesions,
    "layers": layers,
    "perplexity": perplexity,
}
