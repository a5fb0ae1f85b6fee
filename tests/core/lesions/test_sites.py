from dataclasses import replace

import numpy as np
import pytest
import tiny
from lesioned import SETTINGS

from fnprune_core.errors import SettingsError
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.sites import Lesion, LesionSites, domain_stimuli
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import watch_inputs
from fnprune_core.models.silencing import silenced


def logits_under(model, sites, lesion):
    with sites.silence(sites.members(lesion.networks), lesion):
        return tiny.logits_of(model.model, tiny.random_ids())


@pytest.mark.parametrize("networks", [(0,), (1, 3)])
def test_a_lesion_is_what_silencing_its_units_is(sites, llama, networks) -> None:
    units = sites.members(networks)
    expected_units = (np.abs(sites.atlas.maps[list(networks)]) > 1.5).any(axis=0) & ~sites.spared
    np.testing.assert_array_equal(units, expected_units)
    assert (units & sites.spared).sum() == 0 < sites.spared.sum()
    with silenced(llama, llama.layout.removed_of(~units)):
        expected = tiny.logits_of(llama.model, tiny.random_ids())
    assert logits_under(llama, sites, Lesion(networks=networks)).equal(expected)
    assert not expected.equal(tiny.logits_of(llama.model, tiny.random_ids()))
    assert tiny.is_idle(llama)


@pytest.mark.parametrize("towards", ["zero", "mean"])
def test_strength_0_changes_nothing_and_1_silences(atlas, recording, llama, towards) -> None:
    sites = LesionSites(atlas, recording, llama, settings=replace(SETTINGS, towards=towards))
    healthy = tiny.logits_of(llama.model, tiny.random_ids())
    none = logits_under(llama, sites, Lesion(networks=(0,), strength=0))
    np.testing.assert_allclose(none.numpy(), healthy.numpy(), atol=1e-6)
    distance = [
        float((logits_under(llama, sites, Lesion(networks=(0,), strength=s)) - healthy).norm())
        for s in (0.25, 0.5, 1.0)
    ]
    assert 0 < distance[0] < distance[1] < distance[2]
    assert logits_under(llama, sites, Lesion(networks=(0,), strength=-1)).ne(healthy).any()


def test_towards_the_mean_leaves_what_the_units_give_on_average(atlas, recording, llama) -> None:
    """Silenced units that are held at their mean are as a bias of their mean output."""
    sites = LesionSites(atlas, recording, llama, settings=replace(SETTINGS, towards="mean"))
    seen = {}
    units = sites.members((0,))
    projections = output_projections(llama.model, llama.architecture)
    with (
        sites.silence(units, Lesion(networks=(0,))),
        watch_inputs(projections, lambda layer, x: seen.setdefault(layer, x.clone())),
    ):
        tiny.logits_of(llama.model, tiny.random_ids())
    for layer, here in enumerate(llama.layout.split(units)):
        mean = llama.layout.split(recording.mean)[layer][here]
        np.testing.assert_allclose(
            seen[layer][..., here].numpy(), np.broadcast_to(mean, seen[layer][..., here].shape),
            atol=1e-6,
        )  # fmt: skip


def test_random_lesions_match_in_size_layer_and_magnitude(sites) -> None:
    units = sites.members((0,))
    draws = [sites.random((0,), draw) for draw in range(6)]
    for other in draws:
        assert not (other & (units | sites.spared)).any()
        sizes = [int(part.sum()) for part in sites.layout.split(other)]
        assert sizes == [int(part.sum()) for part in sites.layout.split(units)]
    wanted = sites.magnitudes[units].sum()
    matched = np.mean([sites.magnitudes[other].sum() for other in draws])
    free = ~units & ~sites.spared
    rng = np.random.default_rng(0)
    blind = np.mean(
        [sites.magnitudes[rng.choice(np.flatnonzero(free), units.sum())].sum() for _ in range(50)]
    )
    assert abs(np.log(matched / wanted)) <= abs(np.log(blind / wanted)) + 0.1
    assert len({other.tobytes() for other in draws}) == len(draws)
    np.testing.assert_array_equal(sites.random((0,), 3), draws[3])


def test_lesions_that_cannot_be_made_say_why(sites, atlas) -> None:
    with pytest.raises(SettingsError, match="none was chosen"):
        Lesion(networks=())
    with pytest.raises(SettingsError, match="No network was chosen"):
        LesionOrder(decomposition_id=atlas.id, lesions=())
    with pytest.raises(SettingsError, match="no network 9"):
        sites.members((9,))
    for lesion in (2.0, -1.5):
        with pytest.raises(SettingsError, match="from −1 to 1"):
            Lesion(networks=(0,), strength=lesion)

    def at(z):
        return LesionSites(atlas, sites._recording, sites._model, settings=replace(SETTINGS, z=z))

    with pytest.raises(SettingsError, match="takes no unit"):
        at(100.0).members((0,))
    with pytest.raises(SettingsError, match="covers every unit"):
        at(1e-9).members(range(4))
    with pytest.raises(SettingsError, match="finds only"):
        at(0.4).random(range(2), 0)


def test_documents_are_resampled_and_too_few_of_them_give_no_error() -> None:
    """Where a domain had under 5 documents, blocks of windows stood in for them."""
    many = domain_stimuli(tiny.toy_windows((16,) * 12, n_documents=12))
    few = domain_stimuli(tiny.toy_windows((16,) * 80, n_documents=8))
    assert many.unit == few.unit == "documents"
    assert many.texts.columns_without_error() == ()
    assert few.texts.columns_without_error() == (0, 1)
    change = np.random.default_rng(0).standard_normal(80)
    assert np.isfinite(few.texts.means(change)).all()
    assert np.isnan(few.texts.errors(change)).all()
