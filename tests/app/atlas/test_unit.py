"""The page of a unit: with and without the model, by layer and index, and out of range."""

import numpy as np
import pytest
from driving import drawn, finish, press, said, view

from app.atlas.unit import data as cache
from app.shell import resources


def strongest(atlas: str, network: int) -> list[int]:
    return np.argsort(-np.abs(resources.atlas(atlas).maps[network]), kind="stable").tolist()


def titles(at) -> list[str]:
    return [each.value for each in at.subheader]


def test_opens_at_the_selected_networks_strongest_unit(open_page, example) -> None:
    at = open_page("unit", **example.view(), network="3")
    assert not at.exception
    assert not at.error
    ranked = strongest(example.atlas, 3)
    layer, index = divmod(ranked[0], 48)
    assert f"Layer {layer}, unit {index}" in titles(at)
    assert [row["id"] for row in drawn(at, "unit-start")["rows"]] == ranked[:12]
    assert drawn(at, "unit-start")["selected"] == ranked[0]


def test_moves_by_strength_and_by_layer_and_index(open_page, example) -> None:
    at = open_page("unit", **example.view(), network="3")
    ranked = strongest(example.atlas, 3)
    press(at, "Weaker")
    assert view(at).unit == ranked[1]
    press(at, "Stronger")
    assert view(at).unit == ranked[0]
    assert next(b for b in at.button if b.label == "Stronger").disabled
    at.number_input(key=f"unit-layer-{ranked[0]}").set_value(2).run()
    assert view(at).unit == 2 * 48 + ranked[0] % 48
    at.number_input(key=f"unit-index-{view(at).unit}").set_value(5).run()
    assert view(at).unit == 2 * 48 + 5
    assert "Layer 2, unit 5" in titles(at)
    assert at.query_params["unit"] == "101"
    assert not at.exception


def test_shows_loadings_texts_and_domains_without_the_model(open_page, example) -> None:
    at = open_page("unit", **example.view(), unit="60", network="2")
    assert not at.exception
    z = resources.atlas(example.atlas).maps[:, 60]
    rows = drawn(at, "unit-networks")["rows"]
    assert [row["id"] for row in rows] == np.argsort(-np.abs(z), kind="stable").tolist()
    assert rows[0]["note"].replace("−", "-") == f"z {z[rows[0]['id']]:.1f}"
    strips = "".join(each.value for each in at.html)
    for pole in (1, -1):
        passage = cache.passages(example.atlas, 60, pole)[0]
        assert f"{float(passage.values[passage.centre]):.2f}" in strips
    alternatives = " ".join(chart.proto.alt for chart in at.get("plotly_chart"))
    assert "loads the most" in alternatives
    assert "standard error over documents" in alternatives
    assert "lay out the cortex" in " ".join(each.value for each in at.caption)
    press(at, "Load the model")
    assert finish(at).state == "done"
    assert "mlp.down_proj" in str(at.table[0].value).replace("\\", "")
    assert len(at.dataframe) == 2


def test_its_place_and_neighbours_once_the_cortex_is_laid_out(open_page, example) -> None:
    at = open_page("atlas", **example.view())
    assert finish(at).state == "done"
    at = open_page("unit", **example.view(), unit="60")
    alternatives = " ".join(chart.proto.alt for chart in at.get("plotly_chart"))
    assert "Unit 12 lies at" in alternatives
    near = [row["id"] for row in drawn(at, "unit-near")["rows"]]
    assert near == cache.neighbours(example.atlas, 60)
    assert {60 - 48, 60 + 48} != set(near)
    assert 60 not in near


def test_unit_out_of_range_in_the_url_is_told(open_page, example) -> None:
    at = open_page("unit", **example.view(), network="1", unit="144")
    assert not at.exception
    assert "run from 0 to 143" in said(at)
    layer, index = divmod(strongest(example.atlas, 1)[0], 48)
    assert f"Layer {layer}, unit {index}" in titles(at)


@pytest.mark.parametrize("unit", ["-3", "99999999999999999999"])
def test_nonsense_in_the_url_falls_back(open_page, example, unit) -> None:
    at = open_page("unit", **example.view(), unit=unit)
    assert not at.exception
    assert not at.error
