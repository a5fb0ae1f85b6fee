"""What a summary gives is what the recording of all signals gives, within the tolerances said here.

With few components, as far as tokens count alike; with all that the units have, in every question.
"""

import warnings

import numpy as np
import pytest
import tiny
import torch
from study import CALIBRATION

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.atlas.units import as_network
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import NotConvergedWarning, SettingsError, SignalsNotKeptError
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.pruning.compensation import Cut, compensate
from fnprune_core.pruning.preview_files import open_preview, prepare_preview
from fnprune_core.recording import summary as summaries
from fnprune_core.recording.record import record, record_texts, recording_bytes
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.reliability.assess import assess
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import SCORES

FEW, ALL = 4, 64  # networks: 16 components, and as many as there are units
NETWORKS = GroupICA(n_components=FEW, n_runs=1, fun="logcosh")
RAGGED = (32, 32, 30, 32, 28, 32, 32, 2)  # the last one holds dummy tokens alone


@pytest.fixture
def both(workspace, llama):
    """Recordings of the same windows, all signals and a summary: ``both(windows, networks)``."""

    def recorded(windows, most_networks: int):
        found = {}
        for keep in ("all", "summary"):
            settings = RecordingSettings(
                window=32, n_dummy_tokens=2, keep=keep, most_networks=most_networks, batch_size=3
            )
            id = record(workspace, llama, windows, settings=settings)
            found[keep] = open_recording(workspace, id)
        return found["all"], found["summary"]

    return recorded


def close(found, expected, tolerance: float) -> None:
    """Equal up to a share of the largest value."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def nearer(one, other, *, to) -> bool:
    return bool(np.linalg.norm(one - to) < np.linalg.norm(other - to))


ROUNDED = 5e-4  # signals of either are rounded to 11 bits, moments are of those before


def questions(recording) -> dict[str, np.ndarray]:
    """Return weights of tokens: alike, alike with dummy tokens, by session, and any."""
    rng = np.random.default_rng(0)
    usable = (~recording.is_dummy).astype(np.float64)
    return {
        "alike": usable,
        "with dummies": np.ones(recording.n_tokens),
        "by session": usable * rng.random(recording.n_sessions)[recording.windows.session],
        "any": rng.exponential(size=recording.n_tokens) * (rng.random(recording.n_tokens) > 0.3),
    }


def test_moments_of_sessions_and_tokens_are_the_same_to_the_bit(both) -> None:
    full, summary = both(tiny.toy_windows(RAGGED), FEW)
    assert summary.id != full.id
    assert summary.fingerprint == full.fingerprint
    assert summary.tokens.equals(full.tokens)
    for name in ("mean", "std", "dummy_max", "alive"):
        np.testing.assert_array_equal(getattr(summary, name), getattr(full, name))
    for session in range(full.n_sessions):
        for one, other in zip(
            summary.session_moments(session), full.session_moments(session), strict=True
        ):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("most_networks", [FEW, ALL])
def test_weighted_moments_and_gram_matrices(both, most_networks) -> None:
    """Exact where tokens count alike, moments also where they do in each session."""
    full, summary = both(tiny.toy_windows(RAGGED), most_networks)
    exact = {
        "moments": ["alike", "with dummies", "by session"],
        "gram": ["alike", "with dummies"],
    }
    for name, weights in questions(full).items():
        is_whole = most_networks == ALL
        unweighted = full.weighted_moments((~full.is_dummy).astype(float))
        for found, expected, plain in zip(
            summary.weighted_moments(weights),
            full.weighted_moments(weights),
            unweighted,
            strict=True,
        ):
            if is_whole or name in exact["moments"]:
                close(found, expected, ROUNDED)
            else:
                assert nearer(found, plain, to=expected)
        for layer in range(3):
            found, expected = (each.weighted_gram(layer, weights) for each in (summary, full))
            if is_whole or name in exact["gram"]:
                close(found[0], expected[0], ROUNDED)
                close(found[1], expected[1], ROUNDED)
            else:
                plain, _ = full.weighted_gram(layer, np.ones(full.n_tokens))
                assert nearer(found[0], plain, to=expected[0])
            assert np.linalg.eigvalsh(found[0]).min() > -1e-5 * np.linalg.norm(found[0])


def test_dummy_tokens_count_the_same_however_many_come_at_once(both, monkeypatch) -> None:
    _, found = both(tiny.toy_windows(RAGGED), FEW)
    weights = questions(found)["any"]
    expected = [found.weighted_gram(layer, weights) for layer in range(3)]
    monkeypatch.setattr(summaries, "_DUMMIES_AT_ONCE", 5)
    for layer in range(3):
        for one, other in zip(found.weighted_gram(layer, weights), expected[layer], strict=True):
            close(one, other, 1e-12)


def test_components_beyond_those_of_the_units_change_nothing(both) -> None:
    full, summary = both(tiny.toy_windows(RAGGED), ALL)
    for session in range(full.n_sessions):
        found, expected = (each.deviations(session) for each in (summary, full))
        close(found.values.numpy(), expected.values.numpy(), ROUNDED)
    tokens = np.array([0, 3, 40, 150])
    close(summary.squares(tokens), full.squares(tokens), 2 * ROUNDED)


def test_the_atlas_is_that_of_all_signals(both) -> None:
    full, summary = both(tiny.toy_windows(), FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        expected, found = (
            GroupICA(n_components=FEW, n_runs=2, fun="logcosh", max_iter=2000).fit(each).result_
            for each in (full, summary)
        )
    order, r = match_maps(expected.spatial_maps, found.spatial_maps)
    assert r.min() > 0.9999
    assert order.tolist() == list(range(FEW))
    close(found.time_courses, expected.time_courses, 2e-3)
    for name in ("variance_alone", "variance_left_out", "variance_explained"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-2)


def test_the_components_of_a_large_summary_are_those_of_all_signals_at_once(both) -> None:
    """Sessions reduced one by one, as for few networks, lose something of them."""
    full, summary = both(tiny.toy_windows(), ALL)
    signals = np.concatenate([full.session(i) for i in range(full.n_sessions)])[~full.is_dummy]
    _, _, expected = np.linalg.svd((signals - full.mean) / full.std, full_matrices=False)
    found = summary.summary.group_pca(FEW, device=torch.device("cpu")).numpy()
    assert match_maps(found, expected[:FEW])[1].min() > 0.9999


@pytest.mark.parametrize("most_networks", [FEW, ALL])
@pytest.mark.parametrize("score", ["network-energy", "network-context", "flap", "wanda", "surgeon"])
def test_scores_and_refits_are_those_of_all_signals(llama, both, score, most_networks) -> None:
    """By one atlas. With few components, most of the units that go by networks are the same."""
    full, summary = both(tiny.toy_windows(), most_networks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        atlas = NetworkAtlas(NETWORKS.fit(full).result_, full.tokens)
    scores, refits = [], []
    cuts = [Cut(removed=tiny.ragged_removal(llama.layout), compensation="least-squares")]
    for recording in (full, summary):
        inputs = RecordedInputs(
            language_model=llama, recording=recording, atlas=atlas, preserved=(0, 2)
        )
        scores.append(SCORES[score].compute(inputs))
        weights = inputs.token_weights(SCORES[score].weighting)
        refits.append(compensate(llama, recording, cuts, weights=weights)[0])
    is_exact = most_networks == ALL or not score.startswith("network")
    lowest = [set(np.argsort(each)[:40].tolist()) for each in scores]
    assert len(lowest[0] & lowest[1]) >= (39 if is_exact else 36)
    if is_exact:
        close(scores[1], scores[0], 2e-3)
    alike = compensate(llama, full, cuts, weights=(~full.is_dummy).astype(float))[0]
    for found, expected, unweighted in list(zip(refits[1], refits[0], alike, strict=True))[1:]:
        if is_exact:
            close(found.columns.numpy(), expected.columns.numpy(), 2e-3)
        else:
            assert nearer(found.columns, unweighted.columns, to=expected.columns)


def test_plans_and_previews_come_from_a_summary_and_its_own_atlas(workspace, llama) -> None:
    flap = PlanSettings(score="flap", ratio=0.3, sink_units=2)
    surgeon = flap.with_(score="surgeon", compensation="surgeon")
    energy = flap.with_(score="network-energy", preserved=(0, 2))
    kept, previews = [], []
    for keep in ("all", "summary"):
        settings = RecordingSettings(
            window=32, n_dummy_tokens=2, max_tokens=None, keep=keep, most_networks=FEW
        )
        recording = record_texts(workspace, llama, CALIBRATION, settings=settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotConvergedWarning)
            atlas = group_ica.decompose(workspace, recording, settings=NETWORKS)
        ids = planner.plans(
            workspace,
            llama,
            recording_id=recording,
            decomposition_id=atlas,
            settings=[flap, surgeon, energy],
        )
        kept.append([llama.layout.keep_of(open_plan(workspace, id).removed) for id in ids])
        prepare_preview(workspace, llama, atlas)
        previews.append(open_preview(workspace, atlas).keep(flap))
    for one, other in list(zip(*kept, strict=True))[:2]:
        assert (one == other).all()
    assert (~kept[0][2] & ~kept[1][2]).sum() >= 36  # of 43 that go by networks
    assert (previews[0] == previews[1]).all()


def test_what_needs_signals_is_refused_with_the_way_out(workspace, llama, both) -> None:
    _, summary = both(tiny.toy_windows(), FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        atlas_id = group_ica.decompose(workspace, summary.id, settings=NETWORKS)
    atlas = open_atlas(workspace, atlas_id)
    for ask in (
        lambda: summary.session(0),
        lambda: summary.unit(3),
        lambda: as_network(atlas, summary, 3),
        lambda: assess(workspace, atlas_id, parts=["seeds"]),
        lambda: GroupICA(n_components=FEW, scope="layer").fit(summary),
        lambda: GroupICA(n_components=FEW, normalize="session").fit(summary),
        lambda: GroupICA(n_components=FEW, n_session_components=3).fit(summary),
        lambda: GroupICA(n_components=FEW + 1).fit(summary),
    ):
        with pytest.raises(SignalsNotKeptError, match=r"(?i)record the texts again"):
            ask()


def test_disk_grows_with_networks_and_hardly_with_tokens(both, llama) -> None:
    sizes = {}
    for n_sessions in (8, 16):
        windows = tiny.toy_windows((32,) * n_sessions)
        full, summary = both(windows, FEW)
        assert not (summary.folder / "signals.f16").exists()
        sizes[n_sessions] = []
        for recording, keep in ((full, "all"), (summary, "summary")):
            stored = sum(
                path.stat().st_size
                for path in recording.folder.iterdir()
                if path.suffix not in (".parquet", ".json") and path.name != "log_probabilities.f4"
            )
            settings = RecordingSettings(window=32, n_dummy_tokens=2, keep=keep, most_networks=FEW)
            assert stored == recording_bytes(windows, llama.layout, settings)
            sizes[n_sessions].append(stored - 20 * 144 * n_sessions)  # the moments
    more_signals, more_summary = np.subtract(sizes[16], sizes[8])
    assert more_signals == 8 * 32 * 144 * 2
    assert more_summary == 8 * 32 * 17 * 4 + 8 * 2 * 144 * 2  # projections, dummy tokens


@pytest.mark.parametrize("settings", [{"keep": "nothing"}, {"most_networks": 0}])
def test_settings_out_of_range_are_refused(settings) -> None:
    with pytest.raises(SettingsError):
        RecordingSettings(**settings)
