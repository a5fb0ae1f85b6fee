from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from planted import planted

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import (
    CorruptArtifactError,
    FingerprintMismatchError,
    PlanError,
    RatioError,
)
from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.allocation import choose_units
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import preview_files
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.pruning.preview import Preview, why_not_previewed
from fnprune_core.pruning.preview_costs import network_costs
from fnprune_core.pruning.preview_files import (
    has_preview,
    open_preview,
    prepare_preview,
    preview_id,
)
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.token_groups import TokenGroups, group_tokens, summarise
from fnprune_core.scores.token_weights import ByEnergy
from fnprune_core.scores.units import SCORES, sink_units

SETTINGS = PlanSettings(preserved=(0, 2), ratio=0.3, allocation="uniform", sink_units=2)


@pytest.fixture
def atlas(workspace, recording) -> NetworkAtlas:
    found = GroupICA(n_components=4, n_runs=1, fun="logcosh").fit(recording).result_
    target = workspace.folder("decompositions", "0123456789abcdef")
    found.save(target, {})
    return NetworkAtlas(type(found).load(target), recording.tokens)


@pytest.fixture
def preview(workspace, llama, atlas) -> Preview:
    """Of so few tokens that each is a group by itself."""
    prepare_preview(workspace, llama, atlas.id)
    return open_preview(workspace, atlas.id)


def exact_removal(llama, recording, atlas, settings) -> np.ndarray:
    """Return which units go in the plan itself."""
    chosen = canonical_settings(settings)
    inputs = RecordedInputs(
        language_model=llama,
        recording=recording,
        atlas=atlas,
        preserved=chosen.preserved or tuple(range(atlas.n_networks)),
        seed=chosen.seed,
    )
    keep, go = chosen.pins(recording.layout)
    choice = choose_units(
        SCORES[chosen.score].compute(inputs),
        layout=recording.layout,
        ratio=chosen.ratio,
        allocation=chosen.allocation,
        protected=(sink_units(inputs, chosen.sink_units) & ~go) | keep,
        pinned=go,
    )
    return ~recording.layout.keep_of(choice.removed)


# Plans


@pytest.mark.parametrize("score", SCORES)
def test_a_preview_is_the_plan_or_says_why_not(score, preview, llama, recording, atlas) -> None:
    settings = SETTINGS.with_(score=score, seed=3, pinned_keep=(50, 7), pinned_remove=(9, 100))
    if SCORES[score].needs_model:
        assert why_not_previewed(score)
        with pytest.raises(PlanError, match="not previewed"):
            preview.plan(settings)
        return
    expected = exact_removal(llama, recording, atlas, settings)
    np.testing.assert_array_equal(~preview.plan(settings).keep, expected)


def test_what_is_refused_says_so() -> None:
    assert "gradients" in why_not_previewed("taylor")
    assert why_not_previewed("network-energy") == ""


def test_a_ratio_that_is_not_possible_is_refused(preview) -> None:
    with pytest.raises(RatioError, match="at most"):
        preview.plan(SETTINGS.with_(ratio=0.99))


def test_a_preview_needs_the_model_only_once(workspace, preview, llama, atlas) -> None:
    assert has_preview(workspace, atlas.id)
    assert preview.dimensions.n_parameters == llama.anatomy().n_parameters
    other = tiny.tiny_language_model("Llama", seed=1)
    with pytest.raises(FingerprintMismatchError):
        prepare_preview(workspace, other, atlas.id)


def test_checks_are_those_of_the_exact_plans(preview) -> None:
    for score in ("network-energy", "network-context"):
        drops = [check.n_dropped for check in preview.checks if check.score == score]
        assert drops[::2] == [1, 1, 2, 3]
    assert min(check.agreement for check in preview.checks) > 0.99  # a token is a group here
    nearest = preview.expected_agreement(PlanSettings(preserved=(1,), ratio=0.35))
    assert (nearest.n_dropped, nearest.ratio) == (3, 0.4)
    context = preview.expected_agreement(PlanSettings(score="network-context", preserved=(1,)))
    assert context.score == "network-context"


def test_checks_tell_a_coarse_preview(workspace, llama, atlas) -> None:
    prepare_preview(workspace, llama, atlas.id, n_groups=1)
    checks = open_preview(workspace, atlas.id).checks
    assert min(check.agreement for check in checks) < 0.97


def test_a_damaged_preview_says_so(workspace, preview, atlas) -> None:
    folder = workspace.folder("previews", preview_id(atlas.id))
    (folder / preview_files._GROUPS).write_bytes(b"no")
    with pytest.raises(CorruptArtifactError, match="damaged"):
        open_preview(workspace, atlas.id)


# Groups of tokens


@pytest.fixture(scope="module")
def example():
    """Two kinds of sessions, in which different networks are active, in 1,000 units."""
    rng = np.random.default_rng(0)
    scale = [[1.5, 1.5, 0.2, 0.2], [0.2, 0.2, 1.5, 1.5]]
    courses = [rng.laplace(size=(150, 4)) * scale[i % 2] for i in range(6)]
    signals = planted(n_networks=4, courses=courses).signals
    squares = np.square(np.concatenate(courses)).T
    return SimpleNamespace(
        layout=UnitLayout((400, 600)),
        mean=np.concatenate(signals).mean(axis=0),
        n_sessions=6,
        session_slice=lambda i: slice(150 * i, 150 * (i + 1)),
        session=lambda i: signals[i].copy(),
        signals=np.concatenate(signals).astype(np.float64),
        shares=(squares / squares.sum(axis=0)).astype(np.float32),
        is_dummy=np.arange(900) % 150 < 3,
    )


def grouped(example, n_groups: int, weights: np.ndarray):
    group = group_tokens(example.shares, example.is_dummy, n_groups)
    return summarise(example, group, n_groups, weights=weights)


def weights_of(example, kept: list[int]) -> np.ndarray:
    return np.square(example.shares[kept].sum(axis=0)) * ~example.is_dummy


def test_planted_networks_agree_with_the_exact_choice(example) -> None:
    weights = weights_of(example, [0, 1])
    summary = grouped(example, 90, weights[None])
    tenth = UnitLayout((400, 600)).n_units // 10

    def lowest(values) -> set[int]:
        return set(np.argsort(values)[: 3 * tenth].tolist())

    exact = lowest(summary.variance[0])
    near = lowest(summary.groups.moments(weights[None])[1][0])
    unweighted = lowest(example.signals[~example.is_dummy].var(axis=0))
    assert len(exact & near) / len(exact) > 0.93
    assert len(exact & unweighted) / len(exact) < 0.85


def test_weights_that_are_alike_in_groups_give_exact_moments(example) -> None:
    """And so do the exact variances beside them; dummy tokens count where they have weight."""
    rng = np.random.default_rng(1)
    n_groups = 40
    group = group_tokens(example.shares, example.is_dummy, n_groups)
    assert (group[example.is_dummy] == n_groups).all()
    assert set(group[~example.is_dummy]) == set(range(n_groups))
    weights = rng.random((2, n_groups + 1))[:, group]
    summary = summarise(example, group, n_groups, weights=weights)
    mean, variance = summary.groups.moments(weights)
    for row in range(2):
        expected = np.average(example.signals, axis=0, weights=weights[row])
        spread = np.average(np.square(example.signals - expected), axis=0, weights=weights[row])
        np.testing.assert_allclose(mean[row], expected, rtol=1e-4)
        np.testing.assert_allclose(variance[row], spread, rtol=1e-3)
        np.testing.assert_allclose(summary.variance[row], spread, rtol=1e-3)


def test_groups_come_back_from_the_disk(example, tmp_path) -> None:
    """As float16; what dummy tokens add, far larger, must not cost the others their precision."""
    weights = weights_of(example, [1, 3])[None]
    groups = grouped(example, 50, weights).groups
    groups.second[-1] *= 1e9
    groups.save(tmp_path / "groups.safetensors")
    again = TokenGroups.load(tmp_path / "groups.safetensors")
    np.testing.assert_allclose(again.moments(weights)[1], groups.moments(weights)[1], rtol=2e-3)
    np.testing.assert_array_equal(again.second[-1], groups.second[-1])
    np.testing.assert_array_equal(again.group, groups.group)


# What networks cost


@pytest.mark.parametrize("score", [name for name, row in SCORES.items() if row.uses_networks])
def test_costs_are_the_difference_between_two_previews(score, preview, atlas) -> None:
    settings = SETTINGS.with_(score=score, preserved=(0, 2, 3))
    costs = network_costs(preview, settings)
    assert costs["preserved"].tolist() == [True, False, True, True]
    for network, (more, fewer) in {2: ((0, 2, 3), (0, 3)), 1: ((0, 1, 2, 3), (0, 2, 3))}.items():
        with_it, without = (preview.keep(settings.with_(preserved=p)) for p in (more, fewer))
        assert costs["units"][network] == (with_it & ~without).sum() > 0
        rule = SCORES[score].weighting if SCORES[score].weighting.of_networks else ByEnergy
        weights = [rule(atlas).of(p) for p in (more, fewer)]
        expected = 1 - weights[1].sum() / weights[0].sum()
        assert costs["tokens"][network] == pytest.approx(expected, rel=1e-3)
        prose = (atlas.tokens["domain"] == "prose").to_numpy()
        expected = 1 - weights[1][prose].sum() / weights[0][prose].sum()
        assert costs["tokens: prose"][network] == pytest.approx(expected, rel=1e-3)
        own = atlas.layout.split(preview.own_energy[network])
        kept = [
            np.mean(
                [e[k].sum() / e.sum() for e, k in zip(own, atlas.layout.split(keep), strict=True)]
            )
            for keep in (with_it, without)
        ]
        assert costs["energy"][network] == pytest.approx(kept[0] - kept[1])


def test_the_only_preserved_network_cannot_be_swapped_for_none(preview) -> None:
    costs = network_costs(preview, SETTINGS.with_(preserved=(2,)))
    assert np.isnan(costs["units"][2])
    assert costs["tokens"][2] == 1
    assert costs["units"][[0, 1, 3]].notna().all()


def test_a_score_that_ignores_networks_costs_nothing(preview) -> None:
    costs = network_costs(preview, SETTINGS.with_(score="flap"))
    assert (costs[["tokens", "tokens: prose", "units", "energy"]] == 0).all(axis=None)
