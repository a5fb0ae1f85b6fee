"""What a network has in each expert, and the tokens that each expert saw."""

import warnings

import numpy as np
import pytest
from small import small_model
from study import begin

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.atlas.statistics import experts
from fnprune_core.atlas.units import pole_units
from fnprune_core.errors import SettingsError
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.workspace import Workspace


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """The atlas and the recording of a tiny mixture, both as they are read from the disk."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = begin(Workspace(tmp_path_factory.mktemp("mixture")), small_model("deepseek_v3"))
    return open_atlas(study.workspace, study.atlas), open_recording(
        study.workspace, study.recording
    )


def seen(recording) -> list[np.ndarray]:
    """Return which tokens each expert of layers 1 and 2 saw, from the signals themselves."""
    signals = np.concatenate([recording.session(i) for i in range(recording.n_sessions)])
    return [
        (signals[:, recording.layout.layer_slice(layer)][:, units] != 0).any(axis=1)
        for layer in (1, 2)
        for units in recording.layout.experts_of(layer)
    ]


def test_an_atlas_knows_the_expert_of_a_unit(mixture):
    atlas, recording = mixture
    assert atlas.layout.expert_sizes == recording.layout.expert_sizes
    assert atlas.layout.expert_of_unit(np.array([0, 95, 96, 127, 128, 255])).tolist() == [
        -1, -1, 0, 0, 1, 4
    ]  # fmt: skip
    table = pole_units(atlas, 0, 1)
    own = table[table["layer"] > 0]
    assert (own["expert"] == own["index"] // 32).all()
    assert (table.loc[table["layer"] == 0, "expert"] == -1).all()


def test_shares_of_units_add_up_to_the_network(mixture):
    atlas, _ = mixture
    shares = experts.units_by_expert(atlas, 1, z=2)
    assert shares.shape == (3, 5)
    assert np.isnan(shares[0, 1:]).all()
    sizes = np.array([[96, 0, 0, 0, 0], [32] * 5, [32] * 5])
    assert np.nansum(shares * sizes) == pytest.approx(len(atlas.members(1, z=2)))


def test_routing_is_what_the_signals_say_of_all_texts_and_of_one_domain(mixture):
    atlas, recording = mixture
    tokens = np.array(seen(recording))
    np.testing.assert_allclose(experts.routing(recording)[1:].ravel(), tokens.mean(axis=1))
    domain = atlas.domain_names[1]
    is_own = (recording.tokens["domain"] == domain).to_numpy()
    weights = experts.domain_weights(recording, domain)
    assert weights.sum() == is_own.sum()
    found = experts.routing(recording, weights)[1:].ravel()
    np.testing.assert_allclose(found, tokens[:, is_own].mean(axis=1), atol=1e-6)
    by_network = experts.routing(recording, experts.network_weights(atlas, recording, 0))
    assert np.nansum(by_network[1:, :4], axis=1) == pytest.approx([2, 2])


def test_a_model_without_experts_is_told_so(recording):
    with pytest.raises(SettingsError, match="no experts"):
        experts.window_routing(recording)
