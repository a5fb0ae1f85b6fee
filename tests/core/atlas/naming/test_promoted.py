"""Promoted tokens of all networks at once, and the file that keeps them."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
from toy_atlas import N_TOKENS, atlas_of

from fnprune_core.atlas import decoding
from fnprune_core.atlas.decoding import LogitEffect
from fnprune_core.atlas.naming import promoted
from fnprune_core.atlas.naming.stored import promoted_path
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.search import effects
from fnprune_core.decomposition import numbering
from fnprune_core.decomposition.fingerprint import compare
from fnprune_core.models.language_model import LanguageModel, wrap_model

RNG = np.random.default_rng(0)


def atlas_on(language_model: LanguageModel, **options) -> NetworkAtlas:
    """Two networks over the units of a model, the second strong where it is negative."""
    layout = language_model.layout
    courses = RNG.exponential(size=(2, N_TOKENS)) * np.array([[1.0], [-1.0]])
    atlas = atlas_of(courses=courses, maps=np.eye(2, 100))
    decomposition = replace(
        atlas.decomposition,
        spatial_maps=(3 * RNG.laplace(size=(2, layout.n_units))).astype(np.float32),
        layout=layout,
        alive=np.ones(layout.n_units, dtype=bool),
        fingerprint=language_model.fingerprint,
    )
    return NetworkAtlas(decomposition, atlas.tokens, **options)


@pytest.mark.parametrize("family", ["Llama", "Gemma 2", "GPT-2", "OPT"])
def test_all_networks_at_once_promote_what_each_does_alone(family):
    language_model = wrap_model(tiny.tiny_model(family), tiny.toy_tokenizer())
    atlas = atlas_on(language_model)
    std = RNG.uniform(0.5, 2.0, language_model.layout.n_units)
    found = promoted.promoted_tokens(language_model, atlas, std, n=4)
    assert [promoted.active_pole(atlas, k) for k in range(2)] == [1, -1]
    for network, pole in enumerate((1, -1)):
        weights = pole * decoding.network_weights(atlas, std, network, z=3.0)
        alone, _ = decoding.logit_effects(language_model, weights, n=4)
        assert [e.effect for e in found[network]] == pytest.approx(
            [e.effect for e in alone], rel=1e-3
        )
        assert found[network][0].text == alone[0].text


def test_members_are_read_and_a_network_without_any_promotes_nothing():
    language_model = wrap_model(tiny.tiny_model("Llama"), tiny.toy_tokenizer())
    known = np.zeros((2, language_model.layout.n_units), dtype=bool)
    known[0, 40:60] = True
    atlas = atlas_on(language_model, find_members=lambda: known)
    std = np.ones(language_model.layout.n_units)
    found = promoted.promoted_tokens(language_model, atlas, std, n=4)
    weights = np.where(known[0], atlas.maps[0].astype(np.float64), 0.0)
    alone, _ = decoding.logit_effects(language_model, weights, n=4)
    assert [e.text for e in found[0]] == [e.text for e in alone]
    assert found[1] == ()
    by_z = promoted.promoted_tokens(language_model, atlas, std, n=4, z=3.0)
    assert by_z[0] != found[0]
    assert len(by_z[1]) == 4
    index = effects.build_effects(language_model, atlas, std)
    z_networks, _ = effects.effects_on(language_model, index, 5)
    assert z_networks[1] == 0.0  # so that no search by a token finds it


EFFECTS = tuple((LogitEffect(text=f" é{k}", effect=6.25 - k),) for k in range(4))


def test_what_is_stored_is_read_and_damage_counts_as_nothing_stored(workspace, monkeypatch):
    atlas = atlas_of()
    there = [atlas.maps_fingerprint]
    monkeypatch.setattr(numbering, "renumbering_here", lambda maps, *_: compare(maps, there[0]))
    assert promoted.read_promoted(workspace, atlas) == ()
    promoted.store_promoted(workspace, atlas, EFFECTS)
    assert promoted.read_promoted(workspace, atlas) == EFFECTS
    known = np.abs(atlas.maps) > 4
    checked = NetworkAtlas(atlas.decomposition, atlas.tokens, find_members=lambda: known)
    assert promoted.read_promoted(workspace, checked) == ()  # of units beyond |z| 3
    promoted.store_promoted(workspace, checked, EFFECTS[:2])
    assert promoted.read_promoted(workspace, checked) == EFFECTS[:2]
    assert promoted.read_promoted(workspace, atlas) == ()
    promoted.store_promoted(workspace, atlas, EFFECTS)
    there[0] = atlas_of(maps=np.flip(atlas.maps, axis=0)).maps_fingerprint
    assert promoted.read_promoted(workspace, atlas) == ()  # its numbers mean other networks
    there[0] = atlas.maps_fingerprint
    path = promoted_path(workspace, atlas.id)
    path.write_text(path.read_text().replace("6.25", "7.25"))
    assert promoted.read_promoted(workspace, atlas) == ()
