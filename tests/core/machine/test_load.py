"""A busy machine is told, a quiet one is not."""

import pytest

from fnprune_core.machine.load import busy_note


@pytest.mark.parametrize(("load", "note"), [(0.1, ""), (1.4, ""), (8.0, "8.0 processes wanted")])
def test_load_is_told_where_it_matters(monkeypatch, load, note) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    assert note in busy_note()
    assert bool(busy_note()) is bool(note)
