import numpy as np
import pytest

from fnprune_core.pruning.compensation import CalibrationStatistics, surgeon_refit
from fnprune_core.scores.brain_surgeon import damped, removal_errors


@pytest.fixture
def layer():
    """Columns of a layer and a Gram matrix of correlated units: (weight, gram)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 90)) @ rng.standard_normal((90, 90))
    return rng.standard_normal((8, 90)), x.T @ x / len(x)


def refit_error(weight, gram, removed):
    """Least error of the layer's output without some units, by a solver of linear systems."""
    kept = np.setdiff1d(np.arange(weight.shape[1]), removed)
    change = -weight.copy()
    change[:, kept] = (
        weight[:, removed] @ gram[np.ix_(removed, kept)] @ np.linalg.inv(gram[np.ix_(kept, kept)])
    )
    return float(np.einsum("hu,uv,hv->", change, gram, change))


def test_each_unit_goes_where_the_refitted_layer_loses_least(layer) -> None:
    """Against trying every unit that is left and refitting all others from the start."""
    weight, gram = layer
    errors = removal_errors(weight, gram)
    order = np.argsort(errors)
    for n in range(4):
        gone = order[:n]
        left = np.setdiff1d(np.arange(weight.shape[1]), gone)
        losses = [refit_error(weight, damped(gram), np.append(gone, unit)) for unit in left]
        assert left[np.argmin(losses)] == order[n]
        assert errors[order[n]] == pytest.approx(min(losses), rel=1e-8)


def test_the_errors_stay_right_to_the_last_unit(layer) -> None:
    weight, gram = layer
    errors = removal_errors(weight, gram)
    assert len(np.unique(errors)) == len(errors)
    for n in (64, 65, 80, 89):  # beyond the first compaction
        gone = np.argsort(errors)[:n]
        expected = refit_error(weight, damped(gram), gone)
        assert np.sort(errors)[n - 1] == pytest.approx(expected, rel=1e-6)


def test_its_update_is_where_the_steps_end(layer) -> None:
    """One by one, as the brain surgeon writes it: ΔW = −W_j / [H⁻¹]_jj · [H⁻¹]_j."""
    weight, gram = layer
    removed = np.sort(np.argsort(removal_errors(weight, gram))[:20])
    columns, left = weight.copy(), list(range(weight.shape[1]))
    for unit in removed:
        inverse = np.linalg.inv(damped(gram)[np.ix_(left, left)])
        j = left.index(unit)
        columns = columns - np.outer(columns[:, j], inverse[j] / inverse[j, j])
        columns, left = np.delete(columns, j, axis=1), [u for u in left if u != unit]
    statistics = CalibrationStatistics(mean=np.zeros(len(gram)), gram=gram)
    refit = surgeon_refit(weight, removed, statistics, False)
    np.testing.assert_allclose(refit.columns, columns, rtol=1e-4, atol=1e-4)
