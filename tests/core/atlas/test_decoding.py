import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from toy_atlas import N_SESSIONS, N_TOKENS, WINDOW, atlas_of

from fnprune_core.atlas.decoding import (
    benjamini_hochberg,
    class_effects,
    domain_test,
    explained_by,
    logit_effects,
    n_arrangements,
    output_direction,
    token_class,
    trivial_tags,
)
from fnprune_core.models.architectures import through_norm, to_unembedding


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n\n", "line break"),
        ("  ", "white space"),
        (" 42", "number"),
        (".", "punctuation"),
        (" ->", "symbol"),
        ("__", "symbol"),
        (" Paris", "capitalised word"),
        (" été", "word"),
        ("ing", "word piece"),
        ("a\tb", "other"),
    ],
)
def test_token_classes(text, expected):
    assert token_class(text) == expected


def test_explained_variance_is_that_of_a_one_way_analysis():
    rng = np.random.default_rng(0)
    groups = rng.integers(3, size=200)
    values = rng.standard_normal((2, 200)) + np.array([[0.0], [2.0]]) * groups
    for row, found in zip(values, explained_by(groups, values), strict=True):
        residual = row - np.array([row[groups == g].mean() for g in range(3)])[groups]
        assert found == pytest.approx(1 - residual.var() / row.var())


def test_networks_that_follow_trivial_things_are_tagged_with_the_number():
    rng = np.random.default_rng(0)
    courses = rng.standard_normal((4, N_TOKENS))
    position = np.tile(np.arange(WINDOW), N_SESSIONS)
    courses[1] += 2 * np.log1p(position)
    courses[2, position < 3] *= 40
    tags = trivial_tags(atlas_of(courses=courses))
    assert [t.name for t in tags[1]] == ["position"]
    usable = position >= 3
    expected = np.corrcoef(courses[1, usable], np.log1p(position[usable]))[0, 1]
    assert tags[1][0].value == pytest.approx(expected, abs=1e-6)
    assert [t.name for t in tags[2]] == ["attention sink"]
    assert tags[0] == tags[3] == ()


def test_class_effects_hold_every_usable_token():
    atlas = atlas_of()
    frame = class_effects(atlas, 0)
    assert frame["count"].sum() == (~atlas.is_dummy).sum()


def many_documents(courses, n_documents=24):
    """An atlas with many short documents, half of each domain."""
    atlas = atlas_of(courses=courses)
    document = np.arange(N_TOKENS) * n_documents // N_TOKENS
    tokens = atlas.tokens.copy()
    tokens["document"] = tokens["session"].astype(str) + "-" + document.astype(str)
    tokens["document"] = tokens["document"].astype("category")
    code = tokens["document"].cat.codes.to_numpy() % 2
    tokens["domain"] = np.array(["code", "prose"])[code]
    tokens["domain"] = tokens["domain"].astype("category")
    return type(atlas)(atlas.decomposition, tokens), code


def test_the_domain_test_keeps_its_level_and_has_power():
    rng = np.random.default_rng(1)
    null, _ = many_documents(rng.standard_normal((60, N_TOKENS)), 24)
    p = domain_test(null, n_permutations=300).p_value
    assert 0.0 <= (p < 0.1).mean() < 0.25
    assert 0.35 < p.mean() < 0.65
    courses = rng.standard_normal((3, N_TOKENS))
    planted, code = many_documents(courses, 24)
    courses[1, code == 0] *= 3
    planted, _ = many_documents(courses, 24)
    result = domain_test(planted, n_permutations=300)
    assert result.p_corrected[1] < 0.02
    assert result.p_corrected[[0, 2]].min() > 0.02


def test_p_is_not_below_one_of_all_arrangements_of_the_documents():
    """Six documents beside five have 462 arrangements; one beside three has four."""
    assert n_arrangements(np.repeat([0, 1], [6, 5])) == 462
    atlas = atlas_of(courses=np.random.default_rng(4).standard_normal((1, N_TOKENS)))
    strength = np.abs(atlas.time_courses[0])
    quarter = np.argsort(np.argsort(-strength)) * 4 // len(strength)
    tokens = atlas.tokens.assign(
        document=pd.Categorical(quarter.astype(str)),
        domain=pd.Categorical(np.where(quarter == 3, "code", "prose")),
    )
    few = type(atlas)(atlas.decomposition, tokens)
    for seed in range(8):
        assert domain_test(few, n_permutations=99, seed=seed).p_value[0] >= 1 / 4


def test_parts_of_one_text_are_permuted_together():
    """Six parts each of four texts say no more of two domains than the four texts."""
    courses = np.random.default_rng(2).standard_normal((1, N_TOKENS))
    _, code = many_documents(courses)
    courses[0, code == 0] *= 9
    atlas, _ = many_documents(courses)
    assert domain_test(atlas, n_permutations=500).p_value[0] < 0.01
    tokens = atlas.tokens.copy()
    number = tokens["document"].cat.codes
    tokens["document"] = [f"text {n % 4}, part {n // 4 + 1}" for n in number]
    tokens["document"] = tokens["document"].astype("category")
    found = domain_test(type(atlas)(atlas.decomposition, tokens), n_permutations=500)
    assert found.n_documents == 4
    assert found.p_value[0] > 0.1  # four texts fall in two domains in six ways


def test_benjamini_hochberg_against_the_definition():
    p = np.array([0.01, 0.04, 0.03, 0.5])
    assert np.allclose(benjamini_hochberg(p), [0.04, 0.04 * 4 / 3, 0.04 * 4 / 3, 0.5])


def test_logit_effects_are_the_direct_path_through_norm_and_unembedding(family):
    language_model = tiny.tiny_language_model(family)
    weights = np.zeros(language_model.layout.n_units)
    unit = language_model.layout.flat(1, 7)
    weights[unit] = 1.0
    direction = output_direction(language_model, weights)
    architecture = language_model.architecture
    layer = language_model.model.get_submodule(architecture.layers)[1]
    module = layer.get_submodule(architecture.output_projection)
    one = torch.zeros(1, language_model.layout.widths[1])
    zero = module(one).detach()
    one[0, 7] = 1.0
    expected = (module(one) - zero).detach()[0]
    if architecture.output_norm:
        norm = layer.get_submodule(architecture.output_norm)
        expected = through_norm(architecture, norm, expected)
    assert np.allclose(direction, expected.numpy(), atol=1e-6)
    promoted, suppressed = logit_effects(language_model, weights, n=3)
    scaled = to_unembedding(language_model.model, architecture, torch.from_numpy(direction))
    head = language_model.model.get_output_embeddings().weight.detach().numpy()
    logits = head @ scaled.numpy()
    z = (logits - logits.mean()) / logits.std()
    assert [e.effect for e in promoted] == pytest.approx(sorted(z)[::-1][:3], rel=1e-4)
    assert [e.effect for e in suppressed] == pytest.approx(sorted(z)[:3], rel=1e-4)
