import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from fnprune_core.atlas.cortex import Cortex, build_cortex
from fnprune_core.atlas.topography.exchange import exchange
from fnprune_core.atlas.topography.laid_out import NO_REFINEMENT, Refinement
from fnprune_core.atlas.topography.likeness import (
    depth_autocorrelation,
    sheet_autocorrelation,
    strong_agreement,
)
from fnprune_core.atlas.topography.sheet import sheet_cells, sheet_shape
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import Cancelled, CancelToken

LAYOUT = UnitLayout((600,) * 6)
SHAPE = sheet_shape(600)
CELLS = sheet_cells(600, SHAPE)
N_NETWORKS = 12


def planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Maps with a warm and a cold region at known places, units of a layer in random order.

    Returns maps (K, n_units) and the true (row, column) of each unit.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.divmod(CELLS, SHAPE.n_columns)
    cells = np.stack([rows, columns], axis=1).astype(float)
    maps = np.empty((N_NETWORKS, LAYOUT.n_units), dtype=np.float32)
    places = np.empty((LAYOUT.n_units, 2))
    order = [rng.permutation(600) for _ in range(LAYOUT.n_layers)]
    centres = cells[rng.choice(600, (N_NETWORKS, 2))]
    for i, shuffled in enumerate(order):
        units = LAYOUT.layer_slice(i)
        places[units] = cells[shuffled]
        for k in range(N_NETWORKS):
            warm, cold = (
                6 * np.exp(-np.square(cells - centre).sum(axis=1) / (2 * 2.2**2))
                for centre in centres[k]
            )
            field = warm - cold + 0.3 * rng.standard_normal(600)
            maps[k, units] = field[shuffled]
    return maps, places


def measures(cortex: Cortex, maps: np.ndarray) -> np.ndarray:
    """|z| and z in the sheet, both across layers, and agreement beside strong units."""
    volumes = [cortex.volume(each) for each in maps]
    each = [
        (
            sheet_autocorrelation(np.abs(v)),
            sheet_autocorrelation(v),
            depth_autocorrelation(np.abs(v)),
            depth_autocorrelation(v),
            strong_agreement(v),
        )
        for v in volumes
    ]
    return np.mean(each, axis=0)


def test_planted_places_are_recovered():
    """Near units are near again, and every network is one warm and one cold region."""
    maps, truth = planted()
    cortex = build_cortex(maps, LAYOUT)
    strong = np.flatnonzero(np.abs(maps).max(axis=0) > 2)
    rng = np.random.default_rng(1)
    a, b = rng.choice(strong, (2, 4000))
    found = cortex.position(np.arange(LAYOUT.n_units))[:, 1:]
    apart = np.linalg.norm(truth[a] - truth[b], axis=1)
    apart_found = np.linalg.norm(found[a] - found[b], axis=1)
    # By chance two units lie about 10 cells apart.
    assert np.median(apart_found[apart < 3]) < 3.5
    assert np.median(apart[apart_found < 2]) < 3.5
    for k in range(N_NETWORKS):
        for sign in (1, -1):
            region, _ = label(sign * np.nan_to_num(cortex.volume(maps[k])) > 3)
            sizes = np.bincount(region.ravel())[1:]
            assert sizes.max() > 0.7 * sizes.sum()
            layer, *cell = np.nonzero(region == sizes.argmax() + 1)
            assert set(layer) == set(range(LAYOUT.n_layers))
            middles = [np.mean(cell, axis=1, where=layer == i) for i in range(LAYOUT.n_layers)]
            assert np.std(middles, axis=0).max() < 1.5  # a column through all layers
    in_truth = Cortex(
        layout=LAYOUT,
        shape=SHAPE,
        cell=(truth @ [SHAPE.n_columns, 1]).astype(np.int64),
        places=cortex.places,
    )
    assert np.all(measures(cortex, maps) > 0.75 * measures(in_truth, maps))


def test_neighbours_come_to_agree_in_sign_and_strength():
    maps, _ = planted()
    before = measures(build_cortex(maps, LAYOUT, refinement=NO_REFINEMENT), maps)
    blind = measures(build_cortex(maps, LAYOUT, refinement=Refinement(signed=0, strong=0)), maps)
    after = measures(build_cortex(maps, LAYOUT), maps)
    assert np.all(after > before + 0.1)
    assert np.all(after[[1, 3, 4]] > blind[[1, 3, 4]] + 0.1)


def test_another_seed_does_as_well_and_the_same_seed_the_same_on_any_number_of_threads(monkeypatch):
    maps, _ = planted()
    first = build_cortex(maps, LAYOUT)
    for n_threads in (1, 3):
        monkeypatch.setattr(
            "fnprune_core.atlas.topography.exchange.os.cpu_count", lambda n=n_threads: n
        )
        assert np.array_equal(build_cortex(maps, LAYOUT).cell, first.cell)
    other = build_cortex(maps, LAYOUT, seed=1)
    assert not np.array_equal(other.cell, first.cell)
    assert np.allclose(measures(first, maps), measures(other, maps), atol=0.05)


def test_strong_units_do_not_crowd_at_the_rim():
    maps, _ = planted()
    maps[:, np.abs(maps).max(axis=0) > 2] *= 1.5
    strength = build_cortex(maps, LAYOUT).volume(np.abs(maps).max(axis=0))
    inside = np.isfinite(strength[0])
    blurred = gaussian_filter(inside.astype(float), 1.5, mode="constant")
    outer = inside & (blurred < np.quantile(blurred[inside], 0.25))
    is_strong = np.nan_to_num(strength) > 4
    assert is_strong[:, outer].sum() < 0.25 * is_strong.sum()


def test_an_exact_round_never_makes_the_neighbours_less_alike():
    """Each is the best of all assignments of its cells, so the sum can only grow."""
    maps, _ = planted()
    units = build_cortex(maps, LAYOUT, refinement=NO_REFINEMENT).unit_volume()
    z = maps / maps.std(axis=1, keepdims=True)
    sums = []
    for n_exact in range(6):  # each begins with the rounds of the one before
        only_signed = Refinement(n_blurred=0, n_exact=n_exact, magnitude=0, strong=0)
        after = exchange(units, maps, refinement=only_signed)
        volume = np.where(after >= 0, z[:, after], 0)
        products = [
            np.take(volume, range(1, volume.shape[axis]), axis)
            * np.take(volume, range(volume.shape[axis] - 1), axis)
            for axis in (1, 2, 3)
        ]
        sums.append(sum(float(each.sum()) for each in products))
    assert np.all(np.diff(sums) > 0)


@pytest.mark.parametrize("widths", [(97, 40, 97), (1,), (2, 3), (30,)])
def test_units_stay_in_their_layer_and_cells_stay_filled(widths):
    layout = UnitLayout(widths)
    maps = np.random.default_rng(0).laplace(size=(5, layout.n_units)).astype(np.float32)
    before = build_cortex(maps, layout, refinement=NO_REFINEMENT).unit_volume()
    kept = before.copy()
    after = exchange(before, maps, refinement=Refinement(n_together=16))
    assert np.array_equal(before, kept)
    assert np.array_equal(before >= 0, after >= 0)
    for i in range(layout.n_layers):
        assert np.array_equal(np.sort(before[i], axis=None), np.sort(after[i], axis=None))


def test_a_stop_in_a_round_is_heard_and_rounds_are_told():
    maps, _ = planted()
    token, told = CancelToken(), []

    def progress(event) -> None:
        told.append((event.done, event.total))
        if event.done == 3:
            token.cancel()

    with pytest.raises(Cancelled):
        build_cortex(maps, LAYOUT, progress=progress, cancel=token)
    assert told == [(i, Refinement().n_rounds) for i in range(4)]
