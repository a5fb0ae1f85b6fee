"""Pictures of a network's statistics, as data: counts, lines, axes, escapes, few bytes."""

import numpy as np
import pandas as pd
import pytest

from app.atlas.networks.figures import class_bars, logit_bars, map_histogram, spectrum_line
from app.figures.theme import PAPER, READING_ROOM
from fnprune_core.atlas.decoding import LogitEffect
from fnprune_core.atlas.spectra import Spectrum
from fnprune_core.atlas.thresholds import Suggestion, fit_mixture

RNG = np.random.default_rng(0)


def test_histogram_counts_every_unit_and_the_fitted_curves_expect_as_many() -> None:
    z = np.concatenate([RNG.standard_normal(20_000), RNG.gamma(12.0, 0.5, 600)])
    fit = fit_mixture(z)
    suggestions = [
        Suggestion(rule="more tail than Gaussian", threshold=2.4, n_units=3),
        Suggestion(rule="never", threshold=float("nan"), n_units=0),
    ]
    picture = map_histogram(z, fit, suggestions, network=3, threshold=4.0, palette=PAPER)
    bars, null, positive, negative, whole = picture.figure.data
    assert sum(bars.y) == len(z)
    assert np.nansum(whole.y) == pytest.approx(len(z), rel=0.03)
    x = np.asarray(null.x)
    assert np.isnan(np.asarray(positive.y)[x < 0]).all()
    assert np.isnan(np.asarray(negative.y)[x > 0]).all()
    assert np.nansum(positive.y) == pytest.approx(600, rel=0.25)
    lines = sorted(shape.x0 for shape in picture.figure.layout.shapes)
    assert lines == [-4.0, -2.4, 2.4, 4.0]
    assert picture.figure.layout.yaxis.type == "log"
    assert f"{(np.abs(z) > 4).sum():,} have |z| above 4" in picture.alternative
    # A fit over 352,256 units is drawn in as many bytes.
    assert len(picture.figure.to_json()) < 100_000


def test_spectrum_shows_the_error_of_the_mean_and_periods_in_tokens() -> None:
    frequency = np.arange(1, 65) / 128
    power = np.where(frequency < 0.1, 4.0, 1.0)
    found = Spectrum(
        frequency=frequency,
        power=power,
        standard_error=np.full(64, 0.5),
        n_documents=7,
        segment=128,
    )
    picture = spectrum_line(found, network=2, palette=READING_ROOM)
    band, line = picture.figure.data
    np.testing.assert_allclose(line.y, power)
    np.testing.assert_allclose(band.y[:64], power + 0.5)
    np.testing.assert_allclose(band.y[64:], (power - 0.5)[::-1])
    axis = picture.figure.layout.xaxis
    ticks = dict(zip(axis.tickvals, axis.ticktext, strict=True))
    assert ticks[0.1].endswith("<br>10")
    powers = picture.figure.layout.yaxis  # in full: plotly writes 2 and 5 without their decade
    assert list(powers.tickvals) == [0.5, 1.0, 2.0]
    assert list(powers.ticktext) == ["0.5", "1", "2"]
    assert "over 7 documents" in picture.alternative
    cumulative = np.cumsum(power)
    half = np.interp(cumulative[-1] / 2, cumulative, frequency)
    assert picture.figure.layout.shapes[0].x0 == pytest.approx(half)
    alone = Spectrum(
        frequency=frequency, power=power, standard_error=np.full(64, np.nan), n_documents=1,
        segment=128,
    )  # fmt: skip
    assert np.isfinite(spectrum_line(alone, network=2, palette=PAPER).figure.data[0].y).all()


def test_classes_and_next_tokens_have_the_colour_of_their_sign_and_escaped_texts() -> None:
    effects = pd.DataFrame(
        {"class": ["word", "number"], "mean": [-2.0, 1.0], "std": [0.5, np.nan], "count": [9, 1]}
    )
    (bars,) = class_bars(effects, network=0, palette=PAPER).figure.data
    assert list(bars.y) == ["number", "word"]
    assert list(bars.marker.color) == [PAPER.hot[1], PAPER.cold[1]]
    assert list(bars.error_x.array) == [0.0, 0.5]
    promoted = [LogitEffect(text=" <i>", effect=5.0), LogitEffect(text="a", effect=4.0)]
    suppressed = [LogitEffect(text="\n", effect=-3.0), LogitEffect(text="b", effect=-2.0)]
    picture = logit_bars(promoted, suppressed, palette=PAPER)
    assert list(picture.figure.data[0].x) == [-3.0, -2.0, 4.0, 5.0]
    assert list(picture.figure.layout.yaxis.ticktext) == ["⏎", "b", "a", "␣&lt;i&gt;"]
    assert "promotes “␣<i>” most (z 5.0)" in picture.alternative
