"""Heads that carry a network: against regressions written out, and where it is planted."""

import dataclasses

import numpy as np
import pytest
from attention_inputs import inputs_of, outputs_of

from fnprune_core.atlas.chance.directions import KINDS, directions
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition import numbering
from fnprune_core.decomposition.fingerprint import compare
from fnprune_core.models.projections import weight_of
from fnprune_core.scores import network_heads as heads

HEAD_SIZE, N_HEADS, N_LAYERS = 8, 4, 3


@pytest.fixture
def signals(llama, recording):
    x = np.concatenate(inputs_of(llama, recording.windows), axis=1)
    norms = np.concatenate(
        [np.square(weight_of(o).detach().double().numpy()).sum(axis=0) for o in outputs_of(llama)]
    )
    return x, norms


@pytest.fixture
def beside(atlas, recording):
    """The atlas with random directions."""
    return directions(recording, atlas)


def test_shares_are_those_of_regressions_on_each_time_course(
    llama, recording, atlas, beside, signals
):
    x, norms = signals
    usable = ~atlas.is_dummy
    found = heads.network_heads(llama, beside, recording)
    assert found.share.shape == (atlas.n_networks, N_LAYERS, N_HEADS)
    assert found.share.sum(axis=(1, 2)) == pytest.approx(1)
    for network in range(atlas.n_networks):
        course = atlas.time_courses[network, usable].astype(float)
        predictors = np.stack([np.ones_like(course), course], axis=1)
        fitted = predictors @ np.linalg.lstsq(predictors, x[usable], rcond=None)[0]
        carried = (norms * fitted.var(axis=0)).reshape(N_LAYERS, N_HEADS, HEAD_SIZE).sum(axis=2)
        own = (norms * x[usable].var(axis=0)).reshape(N_LAYERS, N_HEADS, HEAD_SIZE).sum(axis=2)
        assert found.share[network] == pytest.approx(carried / carried.sum(), rel=1e-3, abs=1e-6)
        assert found.explained[network] == pytest.approx(carried / own, rel=1e-3, abs=1e-6)


def test_directions_stand_beside_networks_as_if_they_were_networks(llama, recording, atlas, beside):
    found = heads.network_heads(llama, beside, recording)
    assert (found.largest.networks == found.share.max(axis=(1, 2))).all()
    for kind in KINDS:
        courses = beside.of(kind).time_courses
        own = NetworkAtlas(
            dataclasses.replace(atlas.decomposition, time_courses=courses), atlas.tokens
        )
        as_networks = heads.network_heads(llama, dataclasses.replace(beside, atlas=own), recording)
        assert found.control[kind] == pytest.approx(as_networks.largest.networks)


def test_a_network_that_is_a_heads_own_signal_is_found_in_that_head(
    llama, recording, atlas, beside, signals
):
    x, _ = signals
    layer, head = 1, 2
    first = (layer * N_HEADS + head) * HEAD_SIZE
    course = x[:, first] - x[:, first].mean()
    courses = np.array(atlas.time_courses)
    courses[0] = course / course.std()
    planted = dataclasses.replace(atlas.decomposition, time_courses=courses.astype(np.float32))
    own = dataclasses.replace(beside, atlas=NetworkAtlas(planted, atlas.tokens))
    found = heads.network_heads(llama, own, recording)
    place = np.unravel_index(found.explained[0].argmax(), (N_LAYERS, N_HEADS))
    assert tuple(int(i) for i in place) == (layer, head)
    assert (found.explained <= 1 + 1e-6).all()


def test_what_is_stored_is_read_and_other_networks_are_not(workspace, monkeypatch, atlas):
    rng = np.random.default_rng(0)
    stored = heads.NetworkHeads(
        share=rng.random((4, 3, 4)),
        explained=rng.random((4, 3, 4)),
        control={"permuted": rng.random(4)},
    )
    there = [atlas.maps_fingerprint]
    monkeypatch.setattr(numbering, "renumbering_here", lambda maps, *_: compare(maps, there[0]))
    atlas = NetworkAtlas(dataclasses.replace(atlas.decomposition, id="an-atlas"), atlas.tokens)
    assert heads.read_heads(workspace, atlas.id) is None
    heads.store_heads(workspace, atlas, stored)
    found = heads.read_heads(workspace, atlas.id)
    assert found is not None
    assert found.share == pytest.approx(stored.share, abs=1e-6)
    assert found.control["permuted"] == pytest.approx(stored.control["permuted"], abs=1e-6)
    there[0] = NetworkAtlas(
        dataclasses.replace(atlas.decomposition, spatial_maps=np.flip(atlas.maps, axis=0)),
        atlas.tokens,
    ).maps_fingerprint
    assert heads.read_heads(workspace, atlas.id) is None
    there[0] = atlas.maps_fingerprint
    path = heads.path_of(workspace, atlas.id)
    path.write_text(path.read_text().replace("0.6", "0.7"))
    assert heads.read_heads(workspace, atlas.id) is None
