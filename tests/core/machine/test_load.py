"""A busy machine is told, a quiet one is not."""

import pytest

from fnprune_core.machine.load import busy_text


@pytest.mark.parametrize(
    ("load", "note"), [(0.1, ""), (1.4, ""), (8.0, "8 processes compute on its 2 cores")]
)
def test_load_is_told_where_it_matters(monkeypatch, load, note) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    assert note in busy_text()
    assert bool(busy_text()) is bool(note)
