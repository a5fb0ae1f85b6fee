"""The network's page: its map by pole, range and order, its sections, texts, units and links."""

import numpy as np
import pytest
from driving import alternatives, captions, finish, press, said, view

from app.atlas.networks import options as map_options
from app.atlas.networks.options import MapOptions
from app.shell import codec, resources
from app.shell.view_fields import ViewState, encode
from app.shell.wording import count
from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.chance.calibration import read_calibration
from fnprune_core.atlas.chance.names import domain_names
from fnprune_core.storage.workspace import Workspace


@pytest.mark.parametrize(
    "options",
    [
        MapOptions(),
        MapOptions(section="units", pole=-1),
        MapOptions(section="course", pole=1, own_range=True, by_index=True, deciles=True),
    ],
)
def test_options_survive_the_url(options) -> None:
    text = encode(ViewState(show=codec.encode_words(options))).get("show", "")
    assert codec.decode_words(MapOptions, text) == options
    assert codec.decode_words(MapOptions, "curve-nonsense") == MapOptions()


def test_a_pole_keeps_its_own_units_and_the_empty_cells() -> None:
    z = np.array([2.0, -3.0, np.nan, 0.0], dtype=np.float32)
    np.testing.assert_array_equal(map_options.of_pole(z, 1), [2.0, 0.0, np.nan, 0.0])
    np.testing.assert_array_equal(map_options.of_pole(z, -1), [0.0, -3.0, np.nan, 0.0])
    assert map_options.of_pole(z, 0) is z


def test_only_the_chosen_section_is_drawn(open_page, placed) -> None:
    at = open_page("atlas", **placed.view())
    assert not alternatives(at)  # texts: no chart, and the map is the viewer
    for section, part in (
        ("course", "Time course of network 0"),
        ("statistics", "Spectrum of network 0"),
        ("decoding", "on average strongest on tokens of the class"),
    ):
        at.segmented_control(key="atlas-section").set_value(section).run()
        assert not at.exception
        assert not at.error
        assert view(at).show == section
        assert any(part in alternative for alternative in alternatives(at))
    at.segmented_control(key="atlas-section").set_value("units").run()
    assert [s.value for s in at.subheader] == ["Positive pole", "Negative pole", "Attention heads"]
    assert len(at.dataframe) == 2


def test_units_and_next_tokens_are_of_members_where_they_are_known(
    open_page, placed, members_known
) -> None:
    resources.shelf().get(placed.model, progress=lambda event: None)
    link = {**placed.view(), "show": "units"}
    at = open_page("atlas", **link, network="1")
    assert not at.exception
    positive = resources.atlas(placed.atlas).maps[1] > 0
    n_positive = int((members_known[1] & positive).sum())
    assert f"{count(n_positive, 'member')} with positive z" in captions(at)
    table = at.dataframe[0].value
    assert table["member"].tolist() == [
        bool(members_known[1, 48 * row.layer + row.index]) for row in table.itertuples()
    ]
    for section in ("units", "decoding"):
        at = open_page("atlas", **{**link, "show": section}, network="5")
        assert "No unit belongs to network 5 (members in halves of the documents)" in said(at)
        assert not any("promotes" in each for each in alternatives(at))
    at.segmented_control(key="units of a network").set_value("By |z|").run()
    assert "No unit belongs" not in said(at)
    assert any("promotes" in each for each in alternatives(at))


def test_a_link_opens_pole_range_section_and_picked_unit(open_page, placed) -> None:
    link = {**placed.view(), "show": "units-negative-own", "unit": "7", "z": "1.5"}
    at = open_page("atlas", **link, map="layers")
    assert [s.value for s in at.subheader] == ["Negative pole", "Attention heads"]
    assert not at.toggle(key="atlas-range").value
    assert alternatives(at)[0].startswith("The negative pole alone.")
    opened = resources.atlas(placed.atlas)
    z = opened.maps[0]
    assert "z below −1.5" in alternatives(at)[0]
    metric = next(m for m in at.metric if m.label == "Units below −1.5")
    assert metric.value == f"{(z < -1.5).sum():,}"
    worst = at.dataframe[0].value
    assert worst["z"].tolist() == sorted(worst["z"])
    assert worst["z"].iloc[0] == pytest.approx(z.min(), abs=0.006)
    layer, index = opened.layout.locate(7)
    assert any(f"Unit {index} of layer {layer}" in m.value for m in at.markdown)
    press(at, "Close")
    assert view(at).unit == -1


def test_several_networks_stand_in_one_body_and_in_the_url(open_page, placed) -> None:
    at = open_page("atlas", **placed.view(), network="2", beside="0.4")
    assert not at.exception
    assert at.multiselect(key="atlas-beside-2").value == [0, 4]
    at.multiselect(key="atlas-beside-2").set_value([5]).run()
    assert view(at).beside == (5,)


def test_sessions_are_turned_and_words_found(open_page, placed) -> None:
    at = open_page("atlas", **placed.view(), show="course", session="1", token="5")
    opened = resources.atlas(placed.atlas)
    assert any("token 5" in m.value for m in at.markdown)
    press(at, "Next session")
    assert (view(at).session, view(at).token) == (2, -1)
    press(at, "Previous session")
    press(at, "Previous session")
    assert next(b for b in at.button if b.label == "Previous session").disabled
    text = opened.tokens["text"].iloc[40].strip()
    at.text_input(key="course-words").set_value(text.upper()).run()
    found = opened.find(text)
    assert f"Found {len(found)} time" in captions(at)
    assert len(at.dataframe[0].value) == min(len(found), 200)
    at.text_input(key="course-words").set_value("<b>no such words</b>").run()
    assert "nowhere in the recording" in captions(at)


def test_words_are_found_over_tokens_but_not_over_sessions(example, fresh) -> None:
    opened = network_atlas.open_atlas(Workspace(fresh), example.atlas)
    texts, session = opened.tokens["text"].astype(str), opened.tokens["session"].to_numpy()
    a = int(np.flatnonzero(session == 1)[3])
    words = "".join(texts.iloc[a : a + 3])
    assert a in opened.find(words)
    for hit in opened.find(words):
        assert "".join(texts.iloc[hit : hit + 6]).lower().find(words.lower()) >= 0
    last = int(np.flatnonzero(session == 0)[-1])
    across = "".join(texts.iloc[last - 9 : last + 10])
    assert last - 9 not in opened.find(across)
    assert len(opened.find("")) == 0


def test_deciles_are_shown_from_strong_to_weak(open_page, placed) -> None:
    at = open_page("atlas", **placed.view(), show="deciles")
    shown = [c for c in captions(at).splitlines() if c.startswith(("strongest ·", "decile "))]
    assert shown[0].startswith("strongest ·")
    numbers = [int(c.split()[1]) for c in shown[1:]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) >= 8
    at.segmented_control(key="atlas-passages").set_value(False).run()
    assert view(at).show == ""


def test_gallery_order_and_filter_lead_the_arrow_keys(open_page, example) -> None:
    at = open_page("atlas", **example.view(), sort="-network", network="5")
    press(at, "Next")
    assert view(at).network == 4
    at.text_input(key="gallery-words").set_value("1").run()
    assert "of 6 shown" in captions(at)
    press(at, "Show all")
    assert "of 6 shown" not in captions(at)


def test_network_beyond_the_atlas_shows_the_last(open_page, example) -> None:
    at = open_page("atlas", **example.view(), network="99")
    assert at.title[0].value == "Network 5"


def test_cortex_is_laid_out_by_itself_then_the_body_is_drawn(open_page, example) -> None:
    assert not resources.workspace().ids("layouts")
    at = open_page("atlas", **example.view())
    assert finish(at).state == "done"
    at.run()
    assert len(resources.workspace().ids("layouts")) == 1
    assert "in the body of 3 layers" in captions(at)
    at.segmented_control(key="atlas-view").set_value("layers").run()
    assert not at.exception
    assert view(at).map == "layers"
    assert "in the body" not in captions(at)
    assert len(at.get("plotly_chart")) == 1


def test_a_suggested_threshold_moves_the_slider(open_page, example) -> None:
    at = open_page("atlas", **example.view(), map="layers")
    (chosen,) = [b for b in at.button if b.label.startswith("top 5 %")]
    expected = float(chosen.label.split("> ")[1].split(",")[0])
    chosen.click().run()
    assert view(at).z == pytest.approx(expected, abs=0.051)
    assert at.slider(key="atlas-z").value == view(at).z
    assert any("holds enough of it" in caption.value for caption in at.caption)  # why no name


def test_the_calibrated_threshold_is_measured_on_demand_and_stands_first(open_page, placed) -> None:
    at = open_page("atlas", **placed.view(), z="4.5")
    assert view(at).z == 4.5  # a link from before calibration means what it meant
    press(at, "Measure chance")
    assert finish(at).state == "done"
    at.run()
    assert not at.exception
    found = read_calibration(resources.workspace(), resources.atlas(placed.atlas))
    offered = [b for b in at.button if str(b.key).startswith("threshold-")]
    if np.isfinite(found.threshold[0]):
        assert offered[0].label.startswith(f"Calibrated: |z| > {found.threshold[0]:.2f}")
    else:
        assert any("no unit qualifies" in each.value for each in at.markdown)
    assert next(b.key for b in offered if b.key != "threshold-Calibrated") == "threshold-top 1 %"
    assert "differ from chance" not in captions(at)
    assert view(at).z == 4.5
    # It is not membership, which is measured by itself; until then pages say that it was not.
    (metric,) = [m for m in at.metric if m.label == "Members"]
    assert metric.value == "not measured"
    files = open_page("files", **placed.view())
    assert "beyond chance" not in captions(files)
    assert "not checked on halves" in captions(files)


def test_a_name_after_a_domain_says_how_it_fares_on_other_documents(open_page, example) -> None:
    names = domain_names(resources.atlas(example.atlas))
    network = next((k for k, name in enumerate(names) if name is not None), None)
    if network is None:
        pytest.skip("no network of the example has over half of its energy in a domain")
    at = open_page("atlas", **example.view(), network=str(network))
    held = names[network]
    sentence = held.sentence()
    assert f"{sentence[0].upper()}{sentence[1:]}." in captions(at)
    marked = f"{held.domain[0].upper()}{held.domain[1:]}{'' if held.holds else '?'}"
    assert resources.network_names(example.atlas)[network].startswith(marked)
