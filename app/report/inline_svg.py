"""matplotlib's figures as SVG inside a page: its texts stay texts, in the page's type. Pure."""

import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from app.figures.drawing import drawing
from app.figures.markup import visible
from app.figures.theme import Palette

#: Of every chart, in pixels of its own; the page stretches it to its column.
WIDTH = 680
_XLINK = "{http://www.w3.org/1999/xlink}"
_LOOK: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fnprune",  # else ids are drawn anew, and no two files are alike
    # The page has the first; the second comes with matplotlib, which measures texts by it.
    "font.family": "sans-serif",
    "font.sans-serif": ["IBM Plex Sans", "DejaVu Sans"],
    "text.parse_math": False,  # a dollar in a name is a dollar
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.spines.bottom": False,
    "axes.axisbelow": True,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "axes.labelpad": 6,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.major.pad": 6,
    "grid.linewidth": 1.0,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.linewidth": 1.6,
    "lines.markersize": 7.2,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_REFERENCE = re.compile(r"^(url\(#|#)")
_PLACE = re.compile(r"-?\d+\.\d{3,}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """A figure, what it shows in words, and what its marks say under the pointer."""

    figure: Figure
    alternative: str
    #: Name of a group of marks (its artist's gid) → a text for each mark.
    tips: Mapping[str, Sequence[str]] = field(default_factory=dict)


@contextmanager
def paper(palette: Palette) -> Iterator[None]:
    """Hold matplotlib for charts of the report, from making a figure until it is SVG."""
    look: Any = {**_LOOK, "axes.edgecolor": palette.quiet}
    with drawing(palette), mpl.rc_context(look):
        yield


def blank(height: float, *, is_arranged: bool = True) -> Figure:
    """Return an empty figure of so many pixels; if it is arranged, axes make room for their texts.

    Not one of pyplot's, which would keep it.
    """
    # a point of SVG is a pixel of the chart
    return Figure(
        figsize=(WIDTH / 72, height / 72), dpi=72, layout="constrained" if is_arranged else None
    )


def inline_svg(chart: Chart) -> Markup:
    """Return a chart as an element for HTML, the same bytes for the same chart.

    matplotlib writes a document: left out are its head, its style, which would hold for the whole
    page, its prefixes and its groups' ids; ids of shapes become the chart's own.
    """
    stream = io.StringIO()
    chart.figure.savefig(stream, format="svg", dpi=216, metadata=_NO_METADATA)
    root = ElementTree.fromstring(stream.getvalue())
    root.remove(next(child for child in root if child.find("{*}style") is not None))
    for name, tips in chart.tips.items():
        # a mark is a reference to a shape, or, where there are few, a shape
        group = f".//*[@id='{name}']"
        marks = root.findall(f"{group}//{{*}}use") or root.findall(f"{group}//{{*}}path")
        for mark, tip in zip(marks, tips, strict=True):
            ElementTree.SubElement(mark, "title").text = visible(tip)
    own = f"{hashlib.sha256(stream.getvalue().encode()).hexdigest()[:6]}-"
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.tail, element.text = None, (element.text or "").strip()
        element.attrib = {
            name.removeprefix(_XLINK): _attribute(name, value, own)
            for name, value in element.attrib.items()
            if name != "id" or element.tag != "g"
        }
    root.attrib = {
        "class": "chart",
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": visible(chart.alternative),
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _attribute(name: str, value: str, own: str) -> str:
    """Return an attribute's value with a prefix to what names a shape, and places to 0.01 pixel."""
    if name == "id":
        return own + value
    if name in ("d", "x", "y"):
        return _PLACE.sub(lambda found: f"{float(found[0]):.2f}", value)
    return _REFERENCE.sub(rf"\g<0>{own}", value)
