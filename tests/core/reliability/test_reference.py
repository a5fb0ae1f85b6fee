from dataclasses import replace

import numpy as np
import pytest
from planted import planted
from trust_study import QUICK, last, tokens_of

from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import SettingsError
from fnprune_core.recording.sessions import ArraySessions
from fnprune_core.reliability import measures
from fnprune_core.reliability.reference import TrustSettings, open_study


def test_layers_by_themselves_are_judged_by_themselves() -> None:
    from fnprune_core.models.layout import UnitLayout

    signals = planted(n_sessions=6, n_units=600).signals
    sessions = ArraySessions(signals, layout=UnitLayout((300, 300)))
    model = GroupICA(n_components=4, n_runs=1, scope="layer").fit(sessions).result_
    study = open_study(sessions, tokens_of(sessions), model, settings=QUICK)
    found = last(measures.over_seeds(study))
    assert found.iq.shape == (8,)
    assert np.median(found.match) > 0.95
    assert last(measures.in_halves(study)).r.shape == (2, 8)


def test_values_by_block_come_in_the_order_of_the_atlas(real) -> None:
    """An atlas sorts the networks of all layers by energy."""
    two = replace(real, networks=(np.array([2, 0]), np.array([1, 3])))
    found = two.gathered([np.array([[20.0, 0.0]]), np.array([[10.0, 30.0]])])
    assert found.tolist() == [[0.0, 10.0, 20.0, 30.0]]


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingsError, match="n_seeds must be at least 2, got 1"):
        TrustSettings(n_seeds=1)
