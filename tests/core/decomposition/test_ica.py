import numpy as np
import pytest
from planted import fit, noise_only, planted
from sklearn.decomposition import FastICA

from fnprune_core.decomposition.decomposition import convergence_note
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import NotConvergedWarning


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
