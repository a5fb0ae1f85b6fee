"""The connectome page: every picture opens from a link; choices are kept."""

import numpy as np
import pytest
from driving import alternatives, captions, press, view

from app.atlas.connectome import data as cache
from app.atlas.connectome import options
from app.atlas.connectome.options import MEASURES, ConnectomeOptions
from app.shell import codec, resources
from app.shell.caches import directions
from fnprune_core.atlas import connectome, cortex


def opened(open_page, example, show: str = "", **parameters: str):
    at = open_page("connectome", **example.view(), show=show, **parameters)
    assert not at.exception
    assert not at.error
    return at


@pytest.mark.parametrize("measure", ["fnc", "dice"])
def test_each_measure_opens_as_a_matrix_with_its_numbers(open_page, example, measure) -> None:
    at = opened(open_page, example, f"{measure}-bydomain", network="2", z="1.5")
    (alternative,) = alternatives(at)
    assert alternative.startswith(cache.MEASURES[measure].title)
    assert "ordered by the domain" in alternative
    values = cache.values(example.atlas, measure, 1.5)
    listed = at.dataframe[0].value
    order = connectome.partners(values, 2)
    assert listed["network"].tolist() == order.tolist()
    np.testing.assert_allclose(listed["value"], values[2, order])


def test_a_pair_in_the_url_is_told_in_every_measure(open_page, example) -> None:
    at = opened(open_page, example, network="2", beside="4", z="1.5")
    assert any(m.value.startswith("**With 4") for m in at.markdown)
    facts = at.table[0].value
    atlas = resources.atlas(example.atlas)
    shared = connectome.shared_units(atlas, z=1.5)
    assert f"{shared[2, 4]} shared, of {shared[2, 2]} and {shared[4, 4]}" in str(facts.to_dict())
    assert len(facts) == len(MEASURES) + 1
    press(at, "Look at network 4")
    assert (view(at).network, view(at).beside) == (4, (2,))


def test_graph_by_edges_and_at_the_places_of_the_cortex(open_page, example) -> None:
    at = opened(open_page, example, "graph-e20-cortex")
    assert "3 strongest pairs" in alternatives(at)[0]
    assert any("no cortex yet" in caption.value for caption in at.caption)
    cortex.lay_out(resources.workspace(), example.atlas)
    at = opened(open_page, example, "graph-e20-cortex-domains")
    assert not any("no cortex yet" in caption.value for caption in at.caption)
    placed = resources.cortex(example.atlas)
    nodes = cache.nodes(example.atlas, "fnc", 3.0, percent=20, in_cortex=True, classes=None)
    np.testing.assert_array_equal(nodes.places, placed.places)
    assert set(nodes.classes) == set(resources.atlas(example.atlas).domain_names)


def test_a_measure_with_a_threshold_follows_it_and_so_do_its_groups(example) -> None:
    for z in (1.0, 2.5):
        share = connectome.dice(resources.atlas(example.atlas), z=z)
        np.testing.assert_array_equal(cache.values(example.atlas, "dice", z), share)
        expected = connectome.group_networks(share)
        found = cache.groups(example.atlas, "dice", z, 0)
        np.testing.assert_array_equal(found.tree, expected.tree)


def test_groups_by_rule_or_by_choice(open_page, example) -> None:
    at = opened(open_page, example, "groups", network="3")
    by_rule = cache.groups(example.atlas, "fnc", 3.0, 0)
    assert len(at.dataframe[0].value) == by_rule.n_groups
    at.slider(key="connectome-groups").set_value(2).run()
    assert len(at.dataframe[0].value) == 2
    assert codec.decode_words(ConnectomeOptions, view(at).show).n_groups == 2
    own = int(cache.groups(example.atlas, "fnc", 3.0, 2).label[3])
    assert any(f"Group {own}" in header.value for header in at.subheader)


def test_over_time_a_moment_and_states(open_page, example) -> None:
    at = opened(open_page, example, "time-w16-s2", network="1", session="0", token="20")
    course, moment, states, strip = alternatives(at)
    assert "in windows of 16 tokens" in course
    assert any(header.value.startswith("Around token ") for header in at.subheader)
    assert moment.startswith("Connectivity between 6 networks")
    assert states.startswith("2 states")
    assert strip.startswith("States over this session")


def test_changes_over_time_stand_beside_random_directions(open_page, example, monkeypatch) -> None:
    """The page told of states and of pairs that leave the band, and not that directions do."""
    found = {
        "networks": {"changes": 0.52, "states": 0.57},
        "permuted": {"changes": 0.24, "states": 0.50},
    }
    monkeypatch.setattr(directions, "over_time", lambda id: found)
    at = opened(open_page, example, "time-w16", network="1", session="0")
    told = captions(at)
    assert "52 % (random directions: permuted 24 %) leave the band" in told
    assert "57 % (random directions: permuted 50 %) of the windows" in told


def test_a_window_longer_than_the_sessions_gives_way(open_page, example) -> None:
    at = opened(open_page, example, "time-w256", session="1")
    assert "in windows of 30 tokens" in alternatives(at)[0]
    assert codec.decode_words(ConnectomeOptions, view(at).show).width == 30


def test_options_survive_the_url_and_nonsense_does_not() -> None:
    chosen = ConnectomeOptions(
        picture="graph", measure="dice", order="bydepth", places="cortex", by_domain=True,
        edges=9, n_groups=5, width=128, n_states=3,
    )  # fmt: skip
    assert codec.decode_words(ConnectomeOptions, codec.encode_words(chosen)) == chosen
    assert codec.encode_words(ConnectomeOptions()) == ""
    assert codec.decode_words(ConnectomeOptions, "only-n12-e999-w1-s77-g-x") == ConnectomeOptions(
        edges=40, width=8, n_states=options.MOST_STATES
    )
