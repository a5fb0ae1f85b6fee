"""The view and the URL: round trips, and nonsense that must not hurt."""

import pytest

from app.shell import choices, navigation, view_state
from app.shell.codec import compact, expand
from app.shell.view_fields import ViewState, decode, encode

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
