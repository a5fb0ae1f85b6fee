"""What the report's figures are drawn on: the study, the colours, and charts as markup."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from markupsafe import Markup

from app.figures.markup import visible
from app.figures.theme import PAPER, Palette
from app.html_files.atlas_facts import AtlasFacts
from app.html_files.images import Both, Maps
from app.report.inline_svg import Chart, inline_svg, paper
from fnprune_core.report.material import Material


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
        return Maps(self.m.atlas, self.m.cortex, z=self.m.z, film=_SHEET)

    @cached_property
    def facts(self) -> AtlasFacts:
        """What is said of each network."""
        return AtlasFacts(self.m.workspace, self.m.atlas, threshold=self.m.z)

    @cached_property
    def palette(self) -> Palette:
        """Paper, with the colours of the atlas's networks."""
        return self.maps.palettes["light"]


#: What is printed has no tint.
_SHEET = replace(PAPER, canvas="#ffffff")


def drawn(easel: Easel, draw_charts: Callable[..., Any], *given: Any, **options: Any) -> Markup:
    """Return what a function of `charts` draws, one chart or several, as SVG."""
    with paper(easel.palette):
        drawn = draw_charts(*given, palette=easel.palette, **options)
        return Markup("").join(map(inline_svg, [drawn] if isinstance(drawn, Chart) else drawn))


def image(source: str, alternative: str, *, css: str = "") -> Markup:
    """Return a picture that is a data URI."""
    return Markup('<img src="{}" alt="{}" class="{}">').format(source, visible(alternative), css)


def in_body(picture: Both, alternative: str) -> Markup:
    """Return a picture of the body, or of layers × units."""
    css = "body" if picture.is_one else "cells"
    return Markup('<div class="map">{}</div>').format(image(picture.light, alternative, css=css))
