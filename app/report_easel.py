"""What figures of the report are drawn from and given back as."""

from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from app.figures.theme import Palette
from app.html.atlas_facts import AtlasFacts
from app.html.images import Maps
from fnprune_core.report import Material


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
