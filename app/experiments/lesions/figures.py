"""Pictures of lesions: the matrix, one lesion beside its random ones, strength, a patient."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.base import Picture, safe, style
from app.figures.marks import (
    bars,
    error,
    line,
    named,
    points,
    rule,
    small,
    ticks,
    zero,
)
from app.figures.markup import signed
from app.figures.theme import Palette, rgba
from fnprune_core.lesions.study import LEVEL, LesionStudy
from fnprune_core.probability import p_text

NAME = 24
ROW = 22  # pixels
LESIONED, RANDOM = "lesion", "matched random lesions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Quantity that the cells of a matrix show.

    Parameters
    ----------
    title : str
    is_excess : bool
        Beyond the matched random lesions, or against the healthy model.
    """

    title: str
    is_excess: bool


EXCESS = Shown(title="beyond random lesions", is_excess=True)
CHANGE = Shown(title="from the healthy model", is_excess=False)


def values_of(study: LesionStudy, quantity: Shown) -> NDArray[np.float64]:
    """Return the values in the cells of a matrix: nats per token, (L, C)."""
    return study.effects.excess if quantity.is_excess else study.change[:, 0]


def strongest_rows(study: LesionStudy, quantity: Shown) -> list[int]:
    """Return the lesions ordered by their largest value, those not yet read last."""
    values = np.nan_to_num(values_of(study, quantity), nan=-np.inf).max(axis=1)
    return [int(i) for i in np.argsort(-values, kind="stable")]


def with_error(value: float, error: float) -> str:
    """Return a number with its standard error, where that is known."""
    text = signed(value, "+.3f")
    return f"{text} ± {error:.3f}" if np.isfinite(error) else text


def lesion_cell(
    study: LesionStudy, lesion: int, column: int, *, name: str, palette: Palette
) -> Picture:
    """Draw one lesion's loss change in one column beside random lesions: its own, and all."""
    own_random = study.change[lesion, 1:, column]
    all_random = np.delete(study.change[:, 1:, column], lesion, axis=0).ravel()
    all_random = all_random[np.isfinite(all_random)]
    value = float(study.change[lesion, 0, column])
    deviation = study.change_error[lesion, :, column]
    figure = go.Figure()
    if len(all_random):
        figure.add_violin(
            x=small(all_random), y0="all random lesions", name="all random lesions",
            orientation="h", side="positive", points="outliers", width=1.4,
            line={"color": palette.quiet, "width": 1}, fillcolor=rgba(palette.quiet, 0.25),
            marker={"color": palette.quiet, "size": 4}, meanline={"visible": True},
            hoverinfo="skip", spanmode="hard",
        )  # fmt: skip
    points(
        figure, own_random, ["its random lesions"] * len(own_random), colour=palette.quiet,
        size=10, marker={"line": {"color": palette.text, "width": 1}},
        error_x=error(deviation[1:], color=rgba(palette.text, 0.5), width=0),
        hover="a random lesion: %{x:+.3f} nats",
    )  # fmt: skip
    points(
        figure, [value], ["this lesion"], colour=palette.accent, size=14,
        marker={"symbol": "diamond"}, hover="this lesion: %{x:+.3f} nats",
        error_x=error(deviation[:1], color=palette.accent, thickness=2, width=4),
    )  # fmt: skip
    order = ["all random lesions", "its random lesions", "this lesion"]
    style(
        figure, palette, height=240, margin={"l": 40}, x="loss change, nats per token",
        y=named(palette, showline=False, categoryorder="array", categoryarray=order),
    )  # fmt: skip
    rule(figure, palette.quiet, x=0, dash="dot")
    mean = float(np.nanmean(own_random)) if np.isfinite(own_random).any() else float("nan")
    change = with_error(value, float(deviation[0]))
    sentence = f"{name} in {study.columns[column]}: {change} nats per token"
    n_read = int(np.isfinite(own_random).sum())
    if n_read == 1:
        sentence += f"; its matched random lesion {signed(mean, '+.3f')}"
    elif n_read:
        sentence += f"; its {n_read} matched random lesions {signed(mean, '+.3f')} on average"
    return Picture(
        figure=figure,
        alternative=sentence + ".",
        table=pd.DataFrame(
            {
                "lesion": ["this lesion", *(f"random {i + 1}" for i in range(len(own_random)))],
                "loss change": study.change[lesion, :, column].round(5),
                "standard error": deviation.round(5),
            }
        ),
    )


def strength_curve(study: LesionStudy, *, name: str, palette: Palette) -> Picture:
    """Draw loss change by strength in each column: of a lesion, and of random ones (dotted).

    Parameters
    ----------
    study : LesionStudy
        Lesions of the same networks at several strengths, ascending.
    """
    strength = np.array([lesion.strength for lesion in study.lesions], dtype=np.float32)
    order = np.argsort(strength)
    x = strength[order]
    colours = [palette.series[c % len(palette.series)] for c in range(len(study.columns))]
    random = study.change[:, 1:].mean(axis=1) if study.change.shape[1] > 1 else None
    figure = go.Figure()
    for c, column in enumerate(study.columns):
        line(
            figure, x, study.change[order, 0, c], colour=colours[c], mode="lines+markers",
            name=safe(column), error_y=error(study.change_error[order, 0, c]),
            hover=f"{safe(column)} at %{{x:g}}: %{{y:+.3f}} nats",
        )  # fmt: skip
        if random is not None:
            line(
                figure, x, random[order, c], colour=rgba(colours[c], 0.8), width=1.5,
                line={"dash": "dot"}, showlegend=False,
                hover=f"random, {safe(column)} at %{{x:g}}: %{{y:+.3f}}",
            )  # fmt: skip
    strengths = ticks([_strength_label(float(s)) for s in x], x)
    style(
        figure, palette, height=320, legend=True, margin={"b": 56},
        x={"title": "strength of the lesion", **strengths},
        y={"title": "nats per token", "zeroline": True, "zerolinecolor": palette.line},
    )  # fmt: skip
    rule(figure, palette.quiet, x=0, dash="dot")
    strongest = int(np.argmax(strength))
    worst_column = int(np.nanargmax(study.change[strongest, 0]))
    return Picture(
        figure=figure,
        alternative=(
            f"{name}: loss change by strength, lines"
            f"{'' if random is None else '; matched random lesions dotted'}. At strength "
            f"{strength[strongest]:g} it is "
            f"{signed(study.change[strongest, 0, worst_column], '+.2f')} nats per token "
            f"in {study.columns[worst_column]}, where it is largest."
        ),
        table=study.table().round(5),
    )


def _strength_label(strength: float) -> str:
    return {-1.0: "doubled", 0.0: "healthy", 1.0: "silenced"}.get(strength, f"{strength:g}")


def patient_bars(study: LesionStudy, lesion: int, *, name: str, palette: Palette) -> Picture:
    """Draw a lesion's loss change in each column beside that of its random lesions."""
    change, deviation = study.change[lesion, 0], study.change_error[lesion, 0]
    random = study.change[lesion, 1:]
    columns = [safe(column) for column in study.columns]
    figure = bars(
        go.Figure(), columns, change, colour=palette.accent, name=LESIONED,
        error_y=error(deviation, color=palette.text, thickness=1.5, width=4),
        hover="%{x}: %{y:+.3f} nats under the lesion",
    )  # fmt: skip
    if len(random) and np.isfinite(random).any():
        bars(
            figure, columns, np.nanmean(random, axis=0), colour=rgba(palette.quiet, 0.5),
            name=RANDOM, hover="%{x}: %{y:+.3f} nats, mean of random lesions",
        )  # fmt: skip
    style(
        figure, palette, height=280, legend=True, barmode="group", bargap=0.35,
        y={"title": "loss change, nats per token", **zero(palette)},
    )  # fmt: skip
    outstanding = [
        f"{study.columns[c]} {signed(study.effects.excess[lesion, c], '+.2f')} (q {p_text(q)})"
        for c, q in enumerate(study.effects.q[lesion])
        if q <= LEVEL
    ]
    worst_column = int(np.nanargmax(change)) if np.isfinite(change).any() else 0
    return Picture(
        figure=figure,
        alternative=(
            f"{name}: the loss rises most in {study.columns[worst_column]}, by "
            f"{change[worst_column]:.2f} ± {deviation[worst_column]:.2f} nats per token. Beyond "
            f"matched random lesions, with q ≤ {LEVEL:g}: {'; '.join(outstanding) or 'nothing'}."
        ),
        table=study.table().round(5),
    )
