"""Members are planted units; of noise, and of units shifted by themselves, there are next to none.

Halves are decomposed once, whichever measures ask for them.
"""

from dataclasses import replace

import numpy as np
from planted import noise_only, planted
from trust_study import QUICK, last, study_of

from fnprune_core.decomposition.stability import match_maps
from fnprune_core.reliability.measures import in_halves
from fnprune_core.reliability.members import members, shifted_members


def test_members_are_the_strong_units_of_planted_networks() -> None:
    truth = planted()
    study, model = study_of(truth.signals)
    found = last(members(study))
    order, _ = match_maps(truth.maps, model.spatial_maps)
    is_strong = np.abs(truth.maps) > 4 * truth.maps.std(axis=1, keepdims=True)
    for i, k in enumerate(order):
        is_member = found.units[k]
        assert is_member[is_strong[i]].all()
        assert (truth.maps[i, is_member] != 0).all()
    assert (found.n <= found.beyond).all()
    assert 0 < found.n_any <= found.n_any_beyond < found.n_alive


def test_noise_has_next_to_no_members() -> None:
    study, _ = study_of(noise_only(), settings=replace(QUICK, n_splits=3))
    found = last(members(study))
    assert found.n_any_beyond > 5
    assert found.n.sum() <= 1


def test_shifted_units_have_next_to_no_members() -> None:
    signals = planted().signals
    real, _ = study_of(signals)
    shifted, _ = study_of(signals, is_shifted=True)
    assert last(shifted_members(shifted)).n_any < 0.1 * last(members(real)).n_any


def test_halves_are_decomposed_once(monkeypatch) -> None:
    study, _ = study_of(planted().signals)
    once = last(in_halves(study))
    monkeypatch.setattr(type(study), "unmixed", None)
    assert last(members(study)).n_any > 0
    np.testing.assert_array_equal(last(in_halves(study)).r, once.r)
