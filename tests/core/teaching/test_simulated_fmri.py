"""The simulated brain of the lesson: networks come back, noise hides them, people bring them."""

import numpy as np
import pytest

from fnprune_core.decomposition.stability import absolute_correlation
from fnprune_core.errors import SettingsError
from fnprune_core.teaching import simulated_fmri

N_SCANS = 80


@pytest.fixture(scope="module")
def clear():
    return simulated_fmri.simulate(n_subjects=4, noise=0.5, n_scans=N_SCANS)


def test_planted_networks_come_back_each_as_one(clear) -> None:
    found = simulated_fmri.recover(clear)
    assert found.r.mean() > 0.8
    assert found.n_found() >= 4
    again = simulated_fmri.recover(clear, seed=1)
    np.testing.assert_allclose(again.r, found.r, atol=0.03)  # from another start
    match = absolute_correlation(clear.maps, found.maps)
    assert (match.argmax(axis=1) == np.arange(len(clear.names))).all()
    signed = [np.corrcoef(a, b)[0, 1] for a, b in zip(clear.maps, found.maps, strict=True)]
    assert np.allclose(signed, found.r, atol=1e-6)  # the sign was turned to fit


def test_principal_components_mix_networks_that_go_together(clear) -> None:
    pca, ica = simulated_fmri.principal_components(clear), simulated_fmri.recover(clear)
    assert pca.r.mean() < ica.r.mean() - 0.05


def test_much_noise_hides_them_and_more_people_bring_them_back() -> None:
    found = {
        (n, noise): simulated_fmri.recover(
            simulated_fmri.simulate(n_subjects=n, noise=noise, n_scans=N_SCANS)
        ).r.mean()
        for n, noise in ((1, 1.5), (8, 1.5), (4, 10.0))
    }
    assert found[4, 10.0] < 0.2
    assert found[8, 1.5] > found[1, 1.5] + 0.2


def test_courses_follow_events_late_as_blood_does() -> None:
    response = simulated_fmri.blood_response(t_r=0.1)
    assert 4 < 0.1 * response.argmax() < 6.5
    assert response.min() < -0.05  # the undershoot
    assert abs(response[-1]) < 0.05


def test_one_more_subject_leaves_the_others_as_they_were() -> None:
    few = simulated_fmri.simulate(n_subjects=1, noise=1.0, n_scans=12)
    more = simulated_fmri.simulate(n_subjects=2, noise=1.0, n_scans=12)
    assert np.array_equal(few.signals[0], more.signals[0])
    assert not np.array_equal(more.signals[0], more.signals[1])


def test_noise_has_the_asked_size() -> None:
    silent = simulated_fmri.simulate(n_subjects=1, noise=0.0, n_scans=60)
    loud = simulated_fmri.simulate(n_subjects=1, noise=3.0, n_scans=60)
    assert (loud.signals[0] - silent.signals[0]).std() == pytest.approx(3.0, rel=0.03)


@pytest.mark.parametrize("wrong", [{"n_subjects": 0, "noise": 1.0}, {"n_subjects": 2, "noise": -1}])
def test_impossible_studies_are_refused(wrong) -> None:
    with pytest.raises(SettingsError):
        simulated_fmri.simulate(**wrong)


def test_the_head_is_a_head_with_its_networks_inside() -> None:
    head = simulated_fmri.head()
    assert set(head.regions) == set(simulated_fmri.PLANTED)
    box = head.volume(np.ones(len(head.voxels)))
    assert np.nansum(box) == len(head.voxels)
    assert head.places[:, 0].min() < -55 < 55 < head.places[:, 0].max()  # millimetres
