"""Picture of plans as points: any two of their columns against one another."""

from collections.abc import Collection

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.base import Picture, safe, style
from app.figures.marks import points
from app.figures.markup import short
from app.figures.theme import Palette

_MOST_NAME = 40


def scatter(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    titles: tuple[str, str],
    group: str,
    marked: Collection[str],
    palette: Palette,
) -> Picture:
    """Draw each plan as a point; those that are chosen have a ring and their name.

    Parameters
    ----------
    table : DataFrame
        As `plan_rows.runs` makes it; points carry the row's place as customdata.
    titles : (str, str)
        Of the two axes.
    group : str
        Column whose values have colours of their own; empty for none.
    marked : collection of str
        Ids of the plans that are chosen.
    """
    places = pd.Series(np.arange(len(table)), index=table.index)
    shown = table[table[x].notna() & table[y].notna()]
    labels = shown[group] if group else pd.Series("plans", index=shown.index)
    figure = go.Figure()
    x_title, y_title = titles
    for number, (label, rows) in enumerate(shown.groupby(labels, sort=True)):
        points(
            figure, rows[x], rows[y], colour=palette.series[number % len(palette.series)], size=11,
            name=safe(str(label)), customdata=places[rows.index].to_numpy()[:, None],
            text=[safe(name) for name in rows["plan"]], unselected={"marker": {"opacity": 1}},
            hover=f"%{{text}}<br>{safe(x_title)} %{{x}}<br>{safe(y_title)} %{{y}}",
        )  # fmt: skip
    chosen = shown[shown.index.isin(list(marked))]
    if len(chosen):
        points(
            figure, chosen[x], chosen[y], colour=palette.text, size=18, mode="markers+text",
            marker={"symbol": "circle-open", "line": {"width": 2}}, name="chosen",
            showlegend=False, text=[safe(_short(name)) for name in chosen["plan"]],
            textposition=[_beside(value, shown[x]) for value in chosen[x]],
            textfont={"color": palette.text, "size": 12}, cliponaxis=False,
        )  # fmt: skip
    style(
        figure, palette, height=360, legend=bool(group) and len(figure.data) > 1,
        x={"title": safe(x_title), "showgrid": True, "nticks": 8},
        y={"title": safe(y_title), "nticks": 6}, dragmode="select",
    )  # fmt: skip
    return Picture(
        figure=figure,
        alternative=_sentence(shown, x, y, x_title, y_title),
        table=table[["plan", *([group] if group else []), *dict.fromkeys((x, y))]],
    )


def _short(name: str) -> str:
    """Return a plan's title without its id, as far as it fits beside a point."""
    return short(name.rpartition(" · ")[0] or name, _MOST_NAME)


def _beside(value: float, values: pd.Series) -> str:
    """Return where a name stands: towards the middle, so that it is not cut off."""
    is_left = value <= (values.min() + values.max()) / 2
    return "middle right" if is_left else "middle left"


def _sentence(shown: pd.DataFrame, x: str, y: str, x_title: str, y_title: str) -> str:
    if shown.empty:
        return f"No plan has both {x_title} and {y_title}."
    lowest = shown.sort_values(y).to_dict("records")[0]
    return (
        f"{len(shown)} plans, {y_title} against {x_title}. {y_title.capitalize()} is lowest for "
        f"{lowest['plan']}: {lowest[y]:.2f} ({x_title}: {lowest[x]:.2f})."
    )
