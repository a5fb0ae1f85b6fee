"""Figures of the report: still pictures, one function a name that a section may ask for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from markupsafe import Markup

from app.figures.markup import visible
from app.figures.theme import Palette
from app.html_files.atlas_facts import AtlasFacts
from app.html_files.images import LayerLabels, Maps
from app.report.charts import colour_bar, diverging, dots, intervals, matrix, series_colours, short
from app.report.svg import Plot, legend_height, padded
from fnprune_core.localizers.glm import LEVEL
from fnprune_core.reliability.assess import trust_table
from fnprune_core.report.experiments import (
    is_tested,
    lesion_name,
    responding,
    run_localizers,
    studies,
)
from fnprune_core.report.material import Material
from fnprune_core.report.plans import domain_perplexities, kept_units, label, perplexity_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure: its HTML, the caption that says what it shows, and whether pages may part it."""

    html: Markup
    caption: str
    is_long: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Easel:
    """What figures are drawn from, each made once; paper, for a report is printed."""

    m: Material

    @cached_property
    def maps(self) -> Maps:
        """The networks' maps."""
        return Maps(self.m.atlas, self.m.cortex, threshold=self.m.z)

    @cached_property
    def facts(self) -> AtlasFacts:
        """What is said of each network."""
        return AtlasFacts(self.m.workspace, self.m.atlas, threshold=self.m.z)

    @cached_property
    def palette(self) -> Palette:
        """Paper, with the colours of the atlas's networks."""
        return self.maps.palettes["light"]


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


def image(source: str, alternative: str, *, css: str = "") -> Markup:
    """Return a picture that is a data URI."""
    return Markup('<img src="{}" alt="{}" class="{}">').format(source, visible(alternative), css)


def on_cortex(labels: LayerLabels | None, source: str, alternative: str) -> Markup:
    """Return a mosaic of the cortex with its layers' numbers."""
    over = Markup("")
    if labels is not None:
        texts = Markup("").join(
            Markup('<text x="{}" y="{}">{}</text>').format(each.x, each.y, each.layer)
            for each in labels.items
        )
        over = Markup('<svg viewBox="{}" font-size="{}" aria-hidden="true">{}</svg>').format(
            labels.box, labels.size, texts
        )
    return Markup('<div class="map">{}{}</div>').format(image(source, alternative), over)


def parcellation(easel: Easel, _: int) -> Figure:
    """Draw each unit in the colour of its strongest network."""
    note = easel.facts.parcellation_note().replace("A network's colour is the dot", "The dot")
    note = note.partition(" The dot")[0]
    how = (
        " One sheet a layer; numbers are layers."
        if easel.m.cortex is not None
        else " Layers (last on top) × units, grouped by network."
    )
    html = on_cortex(easel.maps.labels(), easel.maps.parcellation().light, note)
    return Figure(html=html, caption=note + how)


def gallery(easel: Easel, _: int) -> Figure:
    """Draw every network small, from the front."""
    tiles = Markup("").join(
        Markup('<li>{}<span><i style="background:{}"></i><b>{}</b> {}</span></li>').format(
            image(easel.maps.small(k).light, ""),
            easel.palette.networks[k],
            k,
            visible(name),
        )
        for k, name in enumerate(easel.m.names)
    )
    seen = (
        "seen from the front, layers from the first (bottom) to the last"
        if easel.m.cortex is not None
        else "layers (last on top) × units, grouped by network"
    )
    return Figure(
        html=Markup('<ul class="gallery">{}</ul>').format(tiles),
        caption=f"All networks, units with |z| above {easel.m.z:g}, {seen}. Warm and cold units "
        "are active together with opposite signs.",
        is_long=True,
    )


# Decoding and connectome -----------------------------------------------------------------------


def domains(easel: Easel, _: int) -> Figure:
    """Draw how each network's energy divides over domains: one bar a network."""
    m, p = easel.m, easel.palette
    names, share = m.atlas.domain_names, m.atlas.domain_share()
    colours = series_colours(p, len(names))
    order = easel.facts.by_domain
    step = 9.0 if len(order) > 24 else 14.0
    top = legend_height(names)
    plot = Plot(
        palette=p, x=(0, 100), y=(0, 1), height=top + step * len(order) + 40, top=top, left=46
    )
    plot.legend(list(zip(names, colours, strict=True)))
    for row, k in enumerate(order):
        y, x = top + step * row, 0.0
        if len(order) <= 24 or row % 2 == 0:
            plot.words(str(k), plot.left - 6, y + step - 1.5, anchor="end", size=min(step, 11))
        for d, value in enumerate(share[k] * 100):
            plot.add(
                "rect", x=plot.at_x(x), y=round(y, 2), height=step - 1,
                width=round(plot.at_x(x + value) - plot.at_x(x), 2), fill=colours[d],
            )  # fmt: skip
            x += float(value)
    for value in (0, 25, 50, 75, 100):
        x = plot.at_x(value)
        plot.words(f"{value} %", x, plot.height - 24, anchor="middle" if value < 100 else "end")
    plot.words(
        "share of energy per token", (plot.left + plot.width) / 2, plot.height - 6, anchor="middle"
    )
    return Figure(
        html=plot.svg("Share of each network's energy per token by domain"),
        caption="Share of each network's energy per token by domain, networks sorted by their "
        "strongest domain.",
    )


def connectome(easel: Easel, _: int) -> Figure | None:
    """Draw the correlation of time courses, networks sorted by domain."""
    m, p, order = easel.m, easel.palette, easel.facts.by_domain
    if m.atlas.n_networks < 2:
        return None
    values = easel.facts.connectivity[np.ix_(order, order)]
    off = np.abs(values - np.eye(len(values)))
    limit = float(max(np.ceil(off.max() * 10) / 10, 0.1))
    best = m.atlas.domain_share().argmax(axis=1)[order]
    return Figure(
        html=matrix(
            values, limit=limit, palette=p,
            groups=[m.atlas.domain_names[d] for d in best], unit="r",
        ),
        caption="Correlation of the networks' time courses, networks sorted by domain.",
    )  # fmt: skip


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
    values, variance = table[column].to_numpy(), table["variance_alone"].to_numpy() * 100
    plot = Plot(palette=p, x=padded(variance.tolist(), zero=True), y=(0, 1.05), height=270)
    plot.axes(x_title="% of variance that a network explains alone", y_title=title)
    number = 0
    for (null, of), limit in m.assessment.limits().items():
        if of == figure and (figure != "again" or column == "again_seeds"):
            plot.level(limit, _NULLS[null], number=number)
            number += 1
    for k, (x, y) in enumerate(zip(variance.tolist(), values.tolist(), strict=True)):
        if np.isfinite(y):
            plot.mark(
                plot.at_x(x), plot.at_y(y), colour=p.networks[k],
                tip=f"{k} · {m.names[k]}: {y:.2f}",
            )  # fmt: skip
    return Figure(
        html=plot.svg(f"{title} of each network"),
        caption=f"Each network's {title}, against the variance that it explains alone; dashed: "
        "what one network in twenty reaches in data without networks.",
    )


def sizes(easel: Easel, _: int) -> Figure | None:
    """Draw reproducibility by the number of networks."""
    curve = easel.m.assessment.sizes
    if curve is None:
        return None
    p, table = easel.palette, curve.table()
    k = table["k"].astype(float).tolist()
    plot = Plot(palette=p, x=padded(k), y=(0, 1), height=200)
    plot.axes(x_title="number of networks K", y_title="median |r| of halves")
    plot.series(k, table["median_r"].tolist(), colour=p.accent)
    return Figure(
        html=plot.svg("Median split-half r by the number of networks"),
        caption="Median split-half |r| by the number of networks, mean over divisions.",
    )


# Plans -----------------------------------------------------------------------------------------


def localizers(easel: Easel, _: int) -> Figure | None:
    """Draw the networks that respond most to each localizer, with their 95 % intervals."""
    m = easel.m
    groups = {
        result.localizer.title: frame
        for result in run_localizers(m)
        if len(frame := responding(m, result))
    }
    if not groups:
        return None
    title = "difference between the conditions, in multiples of the usual strength"
    return Figure(
        html=intervals(groups, palette=easel.palette, title=title),
        caption="The networks that respond most to each localizer (q < 0.05), with the 95 % "
        "interval over templates or blocks, of each by itself.",
        is_long=True,
    )


def lesions(easel: Easel, number: int) -> Figure | None:
    """Draw the excess loss of each lesion in each column; a dot marks q below 0.05."""
    m, p = easel.m, easel.palette
    study = studies(m)[number]
    excess, q = study.effects.excess, study.effects.q
    if not is_tested(study):
        excess = study.change[:, 0]
    names = [lesion_name(m, each) for each in study.lesions]
    finite = np.abs(excess[np.isfinite(excess)])
    if not finite.size:
        return None
    limit = max(float(np.quantile(finite, 0.98)), 1e-6)
    row_height = 12.0 if len(names) > 24 else 16.0
    left, top, wide = 230.0, 26.0, min(90.0, 380.0 / len(study.columns))
    height = top + row_height * len(names) + 10
    plot = Plot(palette=p, x=(0, 1), y=(0, 1), height=height, left=left)
    for c, name in enumerate(study.columns):
        shown_name = short(name, max(int(wide / 6), 6))
        plot.words(shown_name, left + wide * (c + 0.5), top - 8, anchor="middle", colour=p.text)
    for i, name in enumerate(names):
        y = top + row_height * i
        plot.words(short(name, 36), left - 8, y + row_height - 3, anchor="end", size=9.5)
        for c in range(len(study.columns)):
            value = float(excess[i, c])
            plot.add(
                "rect", x=round(left + wide * c, 1), y=round(y, 1), width=round(wide - 1, 1),
                height=row_height - 1, fill=diverging(value / limit, p),
            )  # fmt: skip
            if q[i, c] < LEVEL:
                plot.mark(left + wide * (c + 0.5), y + row_height / 2, colour=p.text)
    colour_bar(plot, p, limit, "nats", x=left + wide * len(study.columns) + 16)
    return Figure(
        html=plot.svg("Loss change of each lesion in each column"),
        caption="Loss change of each lesion above that of its random lesions, nats per token; a "
        "dot: q < 0.05 over all effects."
        if is_tested(study)
        else "Loss change of each lesion, nats per token, without random lesions beside it.",
        is_long=True,
    )


def layers(easel: Easel, _: int) -> Figure:
    """Draw the share of units that stay in each layer, by plan."""
    m, p, frame = easel.m, easel.palette, kept_units(easel.m)
    names = [label(plan) for plan in m.plans][:_MOST_MODELS]
    top = legend_height(names)
    plot = Plot(
        palette=p, x=(-0.5, m.atlas.layout.n_layers - 0.5), y=(0, 105), height=220 + top, top=top
    )
    colours = series_colours(p, len(names))
    plot.axes(x_title="layer", y_title="% of units that stay")
    plot.legend(list(zip(names, colours, strict=True)), numbers=True)
    for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
        share = (100 * frame[name] / frame["dense"]).tolist()
        plot.series(
            frame["layer"].astype(float).tolist(), share, colour=colour, number=number, marks=False
        )
    more = len(m.plans) - len(names)
    return Figure(
        html=plot.svg("Share of units that stay in each layer, by plan"),
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
    return Figure(
        html=dots(
            {
                name: part.loc[[k for k in models if k in part.index]]
                for name, part in groups.items()
            },
            models,
            value="difference",
            error="difference_error",
            palette=easel.palette,
            title="nats per token above dense, ± 1 SE",
        ),
        caption="Nats per token above the dense model on the whole text and by domain, paired, "
        "± one standard error.",
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
