import numpy as np
import pytest

from app.figures.theme import PALETTES
from app.learn.brain_figures import found_maps
from app.learn.figures import blood_response, loss_bars, membership_bars
from fnprune_core.teaching import simulated_fmri


@pytest.mark.parametrize("mode", PALETTES)
def test_two_near_flashes_make_one_hump(mode) -> None:
    response = simulated_fmri.blood_response(t_r=0.1)
    options = {"step_s": 0.1, "t_r_s": 2.0, "palette": PALETTES[mode]}
    for gap, n_humps in ((2.0, 1), (16.0, 2)):
        shown = blood_response(response, gap_s=gap, **options)
        whole = next(np.asarray(t.y) for t in shown.figure.data if t.name == "blood")
        rises = np.diff(np.sign(np.diff(np.maximum(whole, 0.3))))
        assert int((rises < 0).sum()) == n_humps
    assert "2 flashes" in shown.alternative
    assert "1 flash:" in blood_response(response, gap_s=0.0, **options).alternative


def test_found_maps_draw_planted_and_found_with_their_match() -> None:
    head = simulated_fmri.head()
    maps = simulated_fmri.planted_maps()[:2]
    volumes = [head.volume(each) for each in maps]
    shown = found_maps(
        {"Planted": volumes, "ICA": volumes},
        ["A", "B"],
        {"ICA": np.array([0.9, 0.25])},
        palette=PALETTES["dark"],
    )
    said = [note.text for note in shown.figure.layout.annotations]
    assert {"Planted", "ICA", "A", "B", "|r| 0.90", "|r| 0.25"} <= set(said)
    assert np.nanmax(np.asarray(shown.figure.data[0].z)) == 1.0


def test_membership_bars_count_several_together() -> None:
    counts = np.array([50, 30, 10, 5, 3, 2])
    shown = membership_bars(counts, z=3.0, palette=PALETTES["light"])
    assert shown.table["units"].tolist() == [50, 30, 10, 5, 5]
    assert "40 % of those in any" in shown.alternative


def test_one_towering_rule_does_not_flatten_the_others() -> None:
    options = {"y_title": "loss", "says": "Losses.", "palette": PALETTES["dark"]}
    towering = {"weights": {"a": 10.0, "b": 9.0}, "activity": {"a": 0.5, "b": 1.0}}
    shown = loss_bars(towering, **options)
    assert shown.figure.layout.yaxis.range[1] == pytest.approx(1.4)
    assert "weights goes up to +10.0" in shown.figure.layout.annotations[0].text
    even = loss_bars({"x": {"a": 1.0}, "y": {"a": 0.8}}, **options)
    assert even.figure.layout.yaxis.range is None
    assert not even.figure.layout.annotations
