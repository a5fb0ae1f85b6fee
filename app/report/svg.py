"""Charts as inline SVG, for pages that are printed: no script, the page's own type. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from app.figures.markup import visible
from app.figures.theme import Palette

Span = tuple[float, float]
_SMALL, _MARK = 11, 3.6
_LETTER = 6.2  # about a letter's width at that size
_DASHES = ("", "5 3", "2 2", "7 2 2 2")


def nice_ticks(span: Span, most: int = 6) -> list[float]:
    """Return round numbers inside a span, at most so many."""
    low, high = span
    width = high - low
    if not width > 0 or not math.isfinite(width):
        return [low]
    raw = width / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)][:most]


def shown(value: float) -> str:
    """Return a tick as text, with a true minus sign."""
    return f"{value:.6g}".replace("-", "−")


def padded(values: Sequence[float], *, zero: bool = False, share: float = 0.06) -> Span:
    """Return a span around finite values, with a margin; with 0 in it if asked."""
    finite = [v for v in values if math.isfinite(v)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    margin = (high - low) * share or max(abs(high), 1.0) * share
    return (low if zero and low == 0 else low - margin), (
        high if zero and high == 0 else high + margin
    )


@dataclass(slots=True, kw_only=True)
class Plot:
    """A chart under construction: marks are added in the order in which they are drawn.

    Parameters
    ----------
    x, y : tuple of float
        Spans of the axes.
    width, height : float
        Of the whole, margins included.
    """

    palette: Palette
    x: Span
    y: Span
    width: float = 680
    height: float = 240
    left: float = 46
    right: float = 12
    top: float = 12
    bottom: float = 40
    _parts: list[Markup] = field(default_factory=list)

    def at_x(self, value: float) -> float:
        """Return where a value lies, from the left."""
        share = (value - self.x[0]) / ((self.x[1] - self.x[0]) or 1.0)
        return round(self.left + share * (self.width - self.left - self.right), 2)

    def at_y(self, value: float) -> float:
        """Return where a value lies, from the top."""
        share = (value - self.y[0]) / ((self.y[1] - self.y[0]) or 1.0)
        return round(self.height - self.bottom - share * (self.height - self.top - self.bottom), 2)

    def add(self, tag: str, content: str | Markup = "", **attributes: object) -> None:
        """Add an element; names of attributes have underscores for hyphens."""
        written = Markup("").join(
            Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), value)
            for name, value in attributes.items()
            if value != ""
        )
        text = escape(visible(content)) if not isinstance(content, Markup) else content
        self._parts.append(Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), written, text))

    def words(
        self,
        text: str,
        x: float,
        y: float,
        *,
        anchor: str = "start",
        colour: str = "",
        size: float = _SMALL,
        turned: bool = False,
    ) -> None:
        """Write a text at a place in pixels."""
        self.add(
            "text",
            text,
            x=round(x, 2),
            y=round(y, 2),
            text_anchor=anchor,
            fill=colour or self.palette.quiet,
            font_size=size,
            transform=f"rotate(-90 {x:.1f} {y:.1f})" if turned else "",
        )

    def axes(self, *, x_title: str = "", y_title: str = "", x_ticks: bool = True) -> None:
        """Draw grid, ticks and titles."""
        p, floor = self.palette, self.height - self.bottom
        for value in nice_ticks(self.y, 5):
            y = self.at_y(value)
            self.line_at(self.left, y, self.width - self.right, y, colour=p.line)
            self.words(shown(value), self.left - 6, y + 4, anchor="end")
        if x_ticks:
            for value in nice_ticks(self.x, 7):
                x = self.at_x(value)
                self.line_at(x, floor, x, floor + 4, colour=p.quiet)
                self.words(shown(value), x, floor + 16, anchor="middle")
        self.line_at(self.left, floor, self.width - self.right, floor, colour=p.quiet)
        if x_title:
            middle = (self.left + self.width - self.right) / 2
            self.words(x_title, middle, self.height - 6, anchor="middle")
        if y_title:
            self.words(y_title, 12, (self.top + floor) / 2, anchor="middle", turned=True)

    def line_at(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        *,
        colour: str,
        width: float = 1,
        dash: str = "",
    ) -> None:
        """Draw a line between places in pixels."""
        self.add(
            "line", x1=x0, y1=y0, x2=x1, y2=y1, stroke=colour, stroke_width=width,
            stroke_dasharray=dash,
        )  # fmt: skip

    def level(self, value: float, label: str, *, number: int = 0) -> None:
        """Draw a dashed line at a value of y, with its name at the right end."""
        y = self.at_y(value)
        end = self.width - self.right
        dash = _DASHES[1 + number % 3]
        self.line_at(self.left, y, end, y, colour=self.palette.text, dash=dash)
        self.words(label, end - 4, y - 4, anchor="end", colour=self.palette.text)

    def series(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        *,
        colour: str,
        number: int = 0,
        marks: bool = True,
    ) -> None:
        """Draw points joined by a line; what is not finite is left out."""
        places = [
            (self.at_x(x), self.at_y(y))
            for x, y in zip(xs, ys, strict=True)
            if math.isfinite(x) and math.isfinite(y)
        ]
        self.add(
            "polyline",
            points=" ".join(f"{x},{y}" for x, y in places),
            fill="none",
            stroke=colour,
            stroke_width=1.6,
            stroke_dasharray=_DASHES[number % 4],
        )
        if marks:
            for x, y in places:
                self.mark(x, y, colour=colour)

    def mark(self, x: float, y: float, *, colour: str, hollow: bool = False, tip: str = "") -> None:
        """Draw a point at a place in pixels; its tip is shown under the pointer."""
        title = Markup("<title>{}</title>").format(visible(tip)) if tip else Markup("")
        self.add(
            "circle", title, cx=x, cy=y, r=_MARK, fill=self.palette.canvas if hollow else colour,
            stroke=colour, stroke_width=1.2,
        )  # fmt: skip

    def whisker(self, x: float, y: float, error: float, *, colour: str) -> None:
        """Draw ± an error of x around a point; x in the axis's unit, y in pixels."""
        if math.isfinite(error):
            low = max(self.at_x(x - error), self.left)
            high = min(self.at_x(x + error), self.width - self.right)
            self.line_at(low, y, high, y, colour=colour, width=1.4)

    def legend(self, names: Sequence[tuple[str, str]], *, numbers: bool = False) -> None:
        """Write names with their colours above the plot, in as many lines as they need."""
        x, y = self.left, 12.0
        for number, (name, colour) in enumerate(names):
            wide = 22 + _LETTER * len(name) + 14
            if x + wide > self.width and x > self.left:
                x, y = self.left, y + 16
            dash = _DASHES[number % 4] if numbers else ""
            self.line_at(x, y - 4, x + 16, y - 4, colour=colour, width=3, dash=dash)
            self.words(name, x + 22, y, colour=self.palette.text)
            x += wide

    def svg(self, alternative: str) -> Markup:
        """Return the chart; the alternative says what it shows."""
        return Markup(
            '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        ).format(
            round(self.width, 1),
            round(self.height, 1),
            visible(alternative),
            Markup("").join(self._parts),
        )


def legend_height(names: Sequence[str], width: float = 680, left: float = 46) -> float:
    """Return how much room `Plot.legend` takes at the top."""
    x, lines = left, 1
    for name in names:
        wide = 22 + _LETTER * len(name) + 14
        if x + wide > width and x > left:
            x, lines = left, lines + 1
        x += wide
    return 16.0 * lines + 8
