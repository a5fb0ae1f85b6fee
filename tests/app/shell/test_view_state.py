"""The view and the URL: round trips, and nonsense that must not hurt."""

import pytest

from app.shell import choices, navigation, view_state
from app.shell.codec import compact, expand
from app.shell.view_fields import Choice, Pins, Place, ViewState, decode, encode, part_of

VIEWS = [
    ViewState(),
    ViewState(model="Qwen/Qwen2.5-0.5B", recording="a1", atlas="b2", plan="c3", job="d4"),
    ViewState(network=17, z=2.5, dropped=(0, 1, 2, 5, 63)),
]


@pytest.mark.parametrize("view", VIEWS)
def test_url_brings_the_view_back(view) -> None:
    assert decode(encode(view)) == view


def test_defaults_stay_out_of_the_url() -> None:
    assert encode(ViewState()) == {}
    assert encode(ViewState(network=3)) == {"network": "3"}


@pytest.mark.parametrize(
    ("numbers", "text"), [((), ""), ((4,), "4"), ((0, 1, 2, 5), "0-2.5"), ((7, 6, 6), "6-7")]
)
def test_sets_of_networks_are_ranges(numbers, text) -> None:
    assert compact(numbers) == text
    assert expand(text) == tuple(sorted(set(numbers)))


@pytest.mark.parametrize("text", ["x", "-", "3-", "-3", "1-x", ".", "9" * 30, "5-2"])
def test_ranges_that_make_no_sense(text) -> None:
    assert all(number <= 4096 for number in expand(text))


def test_huge_range_is_bounded() -> None:
    assert len(expand("0-999999999")) == 4097


@pytest.mark.parametrize(
    "parameters",
    [
        {"z": "nan"},
        {"z": "inf"},
        {"z": "-1"},
        {"network": "-1"},
        {"network": "1e9"},
        {"recording": "../../etc"},
        {"atlas": "<script>"},
        {"plan": "a b"},
    ],
)
def test_parameters_that_make_no_sense_fall_back(parameters) -> None:
    view = decode(parameters)
    assert (view.recording, view.atlas, view.plan, view.network) == ("", "", "", 0)
    assert 1.0 <= view.z <= 8.0


class _Query(dict):
    """The parameters of a URL."""

    def from_dict(self, parameters) -> None:
        self.clear()
        self.update(parameters)


def test_a_request_with_the_url_of_a_moment_ago_is_no_link(monkeypatch) -> None:
    """Keys in a rush: a request left the browser before it had the new URL, and took all back."""
    query, now = _Query(), [100.0]
    monkeypatch.setattr(view_state.st, "session_state", {})
    monkeypatch.setattr(view_state.st, "query_params", query)
    monkeypatch.setattr(view_state.time, "monotonic", lambda: now[0])
    navigation.synchronise()
    choices.drop((1,))
    before = dict(query)
    choices.drop((1, 2))
    query.from_dict(before)
    navigation.synchronise()
    assert view_state.view().dropped == (1, 2)
    assert query["drop"] == "1-2"
    assert [step.what for step in choices.decisions()] == ["by hand"] * 2
    now[0] += 10  # the way back in the browser's history
    query.from_dict(before)
    navigation.synchronise()
    assert view_state.view().dropped == (1,)


def test_another_atlas_begins_with_no_place_choice_or_pins(monkeypatch) -> None:
    monkeypatch.setattr(view_state.st, "session_state", {})
    monkeypatch.setattr(view_state.st, "query_params", _Query())
    view_state.change(atlas="a1", network=3, unit=7, z=2.5)
    choices.drop((1, 2), why="a rule")
    choices.pin((5,), (6,))
    choices.undo_pin()
    assert part_of(view_state.view(), Choice) == Choice(dropped=(1, 2), rule="a rule")
    assert part_of(view_state.view(), Pins) == Pins()
    choices.pin((5,), (6,))
    navigation.open_atlas("b2", recording="r1")
    view = view_state.view()
    assert [part_of(view, kind) for kind in (Place, Choice, Pins)] == [Place(), Choice(), Pins()]
    assert (view.atlas, view.recording, view.z) == ("b2", "r1", 2.5)
    assert not choices.can_undo()
    assert not choices.can_undo_pin()
    assert choices.decisions() == ()
