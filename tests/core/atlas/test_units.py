import warnings
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from toy_atlas import atlas_from

from fnprune_core.atlas.cortex import build_cortex
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.units import (
    activation_by_domain,
    as_network,
    check_unit,
    cortex_neighbours,
    promoted_tokens,
    ranked_units,
    similar_units,
    strongest_in_turn,
    units_by_network,
    weight_norms,
)
from fnprune_core.errors import FingerprintMismatchError, SettingsError
from fnprune_core.models.architectures import layers_of


def test_a_units_time_course_is_its_column_of_the_recording(recording, atlas):
    unit = int(atlas.layout.flat(1, 7))
    whole = np.concatenate([recording.session(s)[:, unit] for s in range(recording.n_sessions)])
    seen = as_network(atlas, recording, unit)
    assert np.array_equal(seen.time_courses[0], whole)
    assert np.flatnonzero(seen.maps[0]).tolist() == [unit]


def test_passages_of_each_pole_peak_at_the_extremes(recording, atlas):
    seen = as_network(atlas, recording, 30)
    usable = np.where(seen.is_dummy, 0, seen.time_courses[0])
    for pole, extreme in ((1, usable.max()), (-1, usable.min())):
        passages = seen.top_passages(0, n=6, pole=pole)
        assert passages[0].values[passages[0].centre] == extreme
        assert all(np.sign(p.values[p.centre]) == pole for p in passages)
        first_four = [p.document for p in passages[:4]]
        assert max(first_four.count(d) for d in first_four) <= 2


def test_activation_by_domain_against_a_plain_mean(recording, atlas):
    frame = activation_by_domain(as_network(atlas, recording, 100)).set_index("domain")
    tokens = recording.tokens[~recording.is_dummy]
    values = recording.unit(100)[~recording.is_dummy].astype(float)
    for domain in ("prose", "code"):
        inside = (tokens["domain"] == domain).to_numpy()
        assert frame.loc[domain, "mean"] == pytest.approx(values[inside].mean())
        documents = tokens["document"][inside].to_numpy()
        means = [values[inside][documents == d].mean() for d in np.unique(documents)]
        expected = np.std(means, ddof=1) / np.sqrt(len(means))
        assert frame.loc[domain, "standard_error"] == pytest.approx(expected)
        assert frame.loc[domain, "tokens"] == inside.sum()


def test_a_domain_of_one_document_has_no_standard_error(record_windows, llama):
    recording = record_windows(llama, tiny.toy_windows(n_documents=2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = activation_by_domain(as_network(atlas_from(recording), recording, 3))
    assert frame["standard_error"].isna().all()
    assert np.isfinite(frame["mean"]).all()


def test_parts_of_one_text_are_one_document(recording, atlas):
    seen = as_network(atlas, recording, 100)
    before = activation_by_domain(seen)
    tokens = recording.tokens.copy()
    tokens["document"] = [f"a text, part {code + 1}" for code in tokens["document"].cat.codes]
    after = activation_by_domain(NetworkAtlas(seen.decomposition, tokens))
    assert before["documents"].min() > 1
    assert after["documents"].tolist() == [1, 1]  # one of each domain, though of one name
    assert after["standard_error"].isna().all()
    assert after["mean"].tolist() == before["mean"].tolist()


def test_units_are_ranked_by_strength_of_either_sign(atlas):
    ranked = ranked_units(atlas, 2)
    strength = np.abs(atlas.maps[2])[ranked]
    assert sorted(ranked) == list(range(144))
    assert (np.diff(strength) <= 0).all()


def test_similar_units_have_the_same_direction_of_loadings(atlas):
    maps = np.array(atlas.maps)
    maps[:, 60] = 0.01 * maps[:, 5]  # weak, but the same networks
    maps[:, 61] = -3 * maps[:, 5]
    maps[:, 62] = maps[:, 5]
    alive = np.ones(144, dtype=bool)
    alive[62] = False
    made = replace(atlas.decomposition, spatial_maps=maps, alive=alive)
    alike = similar_units(NetworkAtlas(made, atlas.tokens), 5, n=143)
    assert (alike[0].unit, alike[0].cosine) == (60, pytest.approx(1.0))
    assert (alike[-1].unit, alike[-1].cosine) == (61, pytest.approx(-1.0))
    assert not {5, 62} & {each.unit for each in alike}
    other = alike[10]
    a, b = maps[:, 5], maps[:, other.unit]
    assert other.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)


def test_weight_norms_are_those_of_the_weights_that_make_the_activation(language_model):
    unit = int(language_model.layout.flat(2, 9))
    architecture = language_model.architecture
    layer = layers_of(language_model.model, architecture)[2]
    projection = layer.get_submodule(architecture.output_projection)
    width = language_model.layout.widths[2]
    one = torch.zeros(2, width)
    one[1, 9] = 1.0
    with torch.no_grad():
        written = projection(one)
    found = weight_norms(language_model, unit)
    assert found[0].norm == pytest.approx(float((written[1] - written[0]).norm()), rel=1e-5)
    assert all(1 <= each.rank <= width == each.n_units for each in found)
    # the first layer's rank 1 is where the largest norm is
    firsts = [
        weight_norms(language_model, int(u))[0] for u in range(language_model.layout.widths[0])
    ]
    assert sorted(each.rank for each in firsts) == list(range(1, len(firsts) + 1))
    assert max(firsts, key=lambda each: each.norm).rank == 1


def test_promoted_tokens_raise_the_logits_of_a_last_layer_unit(llama):
    """With norms but no later layer in between, adding the column moves logits as told."""
    unit = int(llama.layout.flat(2, 4))
    promoted, suppressed = promoted_tokens(llama, unit, n=3)
    column = llama.model.model.layers[2].mlp.down_proj.weight[:, 4].detach()
    direct = llama.model.lm_head.weight.detach() @ (llama.model.model.norm.weight.detach() * column)
    order = torch.argsort(direct, descending=True)
    decode = llama.tokenizer.decode
    assert [e.text for e in promoted] == [decode([int(i)]) for i in order[:3]]
    assert [e.text for e in suppressed] == [decode([int(i)]) for i in order.flip(0)[:3]]


def test_cortex_neighbours_touch_the_unit(atlas):
    cortex = build_cortex(atlas.maps, atlas.layout)
    places = cortex.position(np.arange(144))
    for unit in (0, 60, 143):
        near = cortex_neighbours(cortex, unit)
        step = np.abs(places[near] - places[unit])
        same_sheet = step[:, 0] == 0
        assert (step[same_sheet].max(axis=1) == 1).all()
        assert (step[~same_sheet] == [1, 0, 0]).all()
        is_around = (np.abs(places - places[unit])[:, 1:].max(axis=1) == 1) & (
            places[:, 0] == places[unit, 0]
        )
        assert same_sheet.sum() == is_around.sum()


def test_unit_that_does_not_exist_and_foreign_recording(recording, atlas, record_windows, llama):
    with pytest.raises(SettingsError, match="0 to 143"):
        check_unit(atlas, 144)
    with pytest.raises(SettingsError):
        as_network(atlas, recording, -1)
    stranger = record_windows(llama, tiny.toy_windows(seed=1))
    with pytest.raises(FingerprintMismatchError, match="made from recording"):
        as_network(atlas, stranger, 3)


def test_strongest_units_of_several_networks_share_none() -> None:
    maps = np.array([[5.0, 4, 3, 0], [6.0, 1, 2, 0]])
    units, groups = strongest_in_turn(maps, (0, 1), 60)
    assert units.tolist() == [0, 1, 2]
    assert groups.tolist() == [0, 0, 0]
    units, groups = strongest_in_turn(np.repeat(maps, 40, axis=1), (1, 0), 60)
    assert len(np.unique(units)) == len(units) == 120
    assert np.bincount(groups).tolist() == [60, 60]


def test_units_by_network_are_its_own_and_the_strongest(atlas) -> None:
    units = units_by_network(atlas, 3)
    label, z = atlas.strongest
    assert len(np.unique(units)) == len(units)
    for network in np.unique(label[units]):
        chosen = units[label[units] == network]
        left_out = np.setdiff1d(np.flatnonzero(label == network), chosen)
        assert np.abs(z[chosen]).min() >= np.abs(z[left_out]).max(initial=0)
        assert (np.diff(z[chosen]) <= 0).all()
