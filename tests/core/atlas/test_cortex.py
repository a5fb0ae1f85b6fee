import numpy as np
import pytest

from fnprune_core.atlas.cortex import Cortex, build_cortex
from fnprune_core.atlas.topography.laid_out import NO_REFINEMENT, Refinement, cortex_id
from fnprune_core.atlas.topography.likeness import depth_autocorrelation, sheet_autocorrelation
from fnprune_core.atlas.topography.sheet import SheetShape
from fnprune_core.errors import CorruptArtifactError, SettingsError
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import Cancelled, CancelToken

LAYOUT = UnitLayout((150,) * 6)
QUICK = Refinement(n_blurred=3, n_exact=8)


def planted_maps(*, layout=LAYOUT, n_networks=9, seed=0) -> np.ndarray:
    """Each network is strong in its own 12 % of every layer's units, weak elsewhere."""
    rng = np.random.default_rng(seed)
    maps = 0.5 * rng.standard_normal((n_networks, layout.n_units))
    for k in range(n_networks):
        members = rng.random(layout.n_units) < 0.12
        maps[k, members] += rng.choice([-4.0, 4.0], members.sum())
    return maps.astype(np.float32)


def autocorrelations(cortex, maps) -> tuple[float, float]:
    volumes = [cortex.volume(np.abs(each)) for each in maps]
    return (
        float(np.mean([sheet_autocorrelation(v) for v in volumes])),
        float(np.mean([depth_autocorrelation(v) for v in volumes])),
    )


@pytest.mark.parametrize("widths", [(150,) * 4, (48, 31, 7), (1,), (97, 97)])
def test_every_unit_has_a_cell_of_its_own_and_comes_back(widths):
    layout = UnitLayout(widths)
    maps = np.random.default_rng(1).laplace(size=(5, layout.n_units))
    cortex = build_cortex(maps, layout, refinement=QUICK)
    units = cortex.unit_volume()
    assert sorted(units[units >= 0].tolist()) == list(range(layout.n_units))
    everything = np.arange(layout.n_units)
    layer, row, column = cortex.position(everything).T
    assert np.array_equal(units[layer, row, column], everything)
    values = np.arange(layout.n_units, dtype=np.float32)
    assert np.array_equal(cortex.volume(values)[layer, row, column], values)


def test_planted_networks_become_blobs_at_one_place_in_all_layers():
    maps = planted_maps()
    by_index = np.concatenate([np.arange(w) for w in LAYOUT.widths])
    cortex = build_cortex(maps, LAYOUT, refinement=QUICK)
    in_sheet, in_depth = autocorrelations(cortex, maps)
    assert in_sheet > 0.35
    assert in_depth > 0.35
    shuffled = type(cortex)(layout=LAYOUT, shape=cortex.shape, cell=by_index, places=cortex.places)
    assert max(autocorrelations(shuffled, maps)) < 0.1


def test_exchanges_improve_the_sorted_sheets():
    maps = planted_maps()
    sorted_sheets = build_cortex(maps, LAYOUT, refinement=NO_REFINEMENT)
    refined = build_cortex(maps, LAYOUT, refinement=QUICK)
    before, after = autocorrelations(sorted_sheets, maps), autocorrelations(refined, maps)
    assert after[0] > 1.2 * before[0]
    assert after[1] > 1.2 * before[1]


def test_the_layout_is_the_same_for_the_same_seed_and_as_good_for_another():
    maps = planted_maps()
    first = build_cortex(maps, LAYOUT, refinement=QUICK, seed=0)
    again = build_cortex(maps, LAYOUT, refinement=QUICK, seed=0)
    other = build_cortex(maps, LAYOUT, refinement=QUICK, seed=1)
    assert np.array_equal(first.cell, again.cell)
    quality = [autocorrelations(each, maps) for each in (first, other)]
    assert np.allclose(quality[0], quality[1], atol=0.05)


def test_a_saved_cortex_comes_back_and_damage_is_told(tmp_path):
    cortex = build_cortex(planted_maps(), LAYOUT, refinement=QUICK)
    cortex.save(tmp_path / "cortex", {"decomposition_id": "d"})
    again = Cortex.load(tmp_path / "cortex")
    assert np.array_equal(again.cell, cortex.cell)
    assert again.shape == cortex.shape
    (tmp_path / "cortex" / "cortex.safetensors").write_bytes(b"short")
    with pytest.raises(CorruptArtifactError, match="damaged"):
        Cortex.load(tmp_path / "cortex")


def test_maps_of_another_model_and_a_stop_are_told():
    maps = planted_maps()
    with pytest.raises(SettingsError, match="900 units, the layout has 40"):
        build_cortex(maps, UnitLayout((40,)))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        build_cortex(maps, LAYOUT, cancel=token)


def test_layouts_of_earlier_versions_are_not_taken_for_new_ones_but_can_be_read(tmp_path):
    """An atlas of a workspace made before is laid out anew, since its layout has another id."""
    before = "b7949b159abb1ad1"  # that of the rectangles filled by swaps
    assert cortex_id("2e2aa543bcdfcfde") == "30b170c42e7fc2a3" != before
    rectangle = Cortex(
        layout=UnitLayout((12, 12)),
        shape=SheetShape(n_rows=3, n_columns=4),
        cell=np.tile(np.arange(12), 2),
        places=np.zeros((2, 2)),
    )
    rectangle.save(tmp_path / before, {"decomposition_id": "2e2aa543bcdfcfde"})
    assert np.array_equal(Cortex.load(tmp_path / before).cell, rectangle.cell)
