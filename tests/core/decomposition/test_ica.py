import numpy as np
import pytest
import torch
from planted import fit, noise_only, planted
from sklearn.decomposition import FastICA

from fnprune_core.decomposition import ica
from fnprune_core.decomposition.decomposition import convergence_note
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.progress import NEVER


def test_whitened_data_have_mean_0_and_unit_covariance_of_what_varies() -> None:
    """A third row that is a sum of the others is no third component."""
    data = torch.randn(2, 400, generator=torch.Generator().manual_seed(0)) * 3 + 5
    white, rank = ica.whiten(torch.cat([data, data.sum(dim=0, keepdim=True)]))
    assert rank == 2
    torch.testing.assert_close(white.mean(dim=1), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(white @ white.T / 400, torch.eye(2), atol=1e-4, rtol=0)


def test_maps_have_mean_0_unit_deviation_and_positive_skewness() -> None:
    skewed = np.random.default_rng(0).exponential(size=400)
    z = ica.as_z_maps(np.stack([5 * skewed, 2 - skewed]))
    np.testing.assert_allclose(z, [(skewed - skewed.mean()) / skewed.std()] * 2, rtol=1e-4)


@pytest.mark.parametrize("fun", ["cube", "logcosh"])
def test_steps_follow_the_derivatives_of_the_contrast(fun) -> None:
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(3, 50, generator=generator, dtype=torch.float64)
    unmixing = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    y = (unmixing @ white).requires_grad_()
    contrast = y**4 / 4 if fun == "cube" else torch.log(torch.cosh(y))
    [first] = torch.autograd.grad(contrast.sum(), y, create_graph=True)
    [second] = torch.autograd.grad(first.sum(), y)
    density = ica._Density(fun=fun, cancel=NEVER)
    values = y.detach().numpy()
    found = (density.log_lik(values), *density.score_and_der(values))
    for one, other in zip(found, (contrast, first, second), strict=True):
        np.testing.assert_allclose(one, other.detach())
    step = ica._fastica_update(y.detach(), white, unmixing, fun)
    expected = first @ white.T / 50 - second.mean(dim=1)[:, None] * unmixing
    torch.testing.assert_close(step, expected.detach())


def test_more_runs_do_not_change_the_first() -> None:
    """Seeds are spawned by run, so that run i is the same however many there are."""
    slow = planted(noise=0.5).signals
    few, many = (fit(slow, fun="logcosh", n_runs=n, max_iter=100).n_iter for n in (2, 4))
    assert few.tolist() == many[:2].tolist()
    assert len(set(many.tolist())) > 1


@pytest.mark.parametrize("fun", ["cube", "logcosh"])
def test_agrees_with_scikit_learns_fastica_on_one_session(fun) -> None:
    sources = planted(n_sessions=1, n_tokens=400)
    ours = fit(sources.signals, fun=fun)
    x = sources.signals[0].astype(np.float64)
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    theirs = FastICA(5, fun=fun, whiten="unit-variance", tol=1e-4, random_state=0)
    maps = theirs.fit_transform(standardised.T).T  # units are FastICA's observations
    assert (match_maps(maps, ours.spatial_maps)[1] > 0.99).all()


@pytest.mark.filterwarnings("ignore:Picard did not converge")  # picard's own, beside ours
@pytest.mark.parametrize("algorithm", ["fastica", "picard"])
def test_runs_that_hit_the_limit_are_told(algorithm) -> None:
    """Picard counts iterations from 0, and its runs once always passed for converged."""
    with pytest.warns(NotConvergedWarning, match="2 of 2 ICA runs stopped at max_iter=1"):
        result = fit(noise_only(), algorithm=algorithm, max_iter=1, n_runs=2)
    assert result.converged.tolist() == [False, False]
    assert result.n_iter.tolist() == [1, 1]
    assert "2 of 2 ICA runs did not converge within 1 iterations" in convergence_note(result)
    assert "do not trust" in convergence_note(result)
