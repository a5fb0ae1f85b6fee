from app.pruning.lab import table
from app.widgets import browser_events


def test_what_a_component_tells_after_it_left_the_page_is_not_an_error(monkeypatch) -> None:
    """A window made narrow while another page opens once stopped the run with a KeyError."""
    told = []
    monkeypatch.setattr(browser_events, "_narrow", lambda **has: has["on_changed_change"]())
    monkeypatch.setattr(table, "_component", lambda **has: has["on_asked_change"]())
    assert not browser_events.is_narrow()
    table.lab_table([], [], key="gone", facts={}, on={"asked": told.append})
    assert told == []
