from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from planted import noise_only, planted
from scipy.stats import ortho_group

from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.reduction import group_pca
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import SettingsError, TooFewTokensError
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording.sessions import ArraySessions, blocks_of
from fnprune_core.reliability import measures
from fnprune_core.reliability.nulls import ShiftedSessions, gaussian_space
from fnprune_core.reliability.reference import TrustSettings, open_study
from fnprune_core.reliability.resampling import (
    Reduction,
    Space,
    build_pools,
    count_documents,
    draw_sessions,
    pieces_of,
    split_documents,
)
from fnprune_core.reliability.results import SizeCurve, stability_clusters

CPU = torch.device("cpu")
QUICK = TrustSettings(n_seeds=5, n_bootstraps=6, n_splits=2, n_null_seeds=3, n_null_splits=1)


def tokens_of(sessions: ArraySessions, *, documents=None, domains=None) -> pd.DataFrame:
    """A token table in which each session is a document of one domain, unless told."""
    of = np.repeat(
        np.arange(sessions.n_sessions),
        [s.stop - s.start for s in map(sessions.session_slice, range(sessions.n_sessions))],
    )
    names = [f"d{i}" for i in range(sessions.n_sessions)] if documents is None else documents
    topics = ["a"] * sessions.n_sessions if domains is None else domains
    return pd.DataFrame(
        {
            "document": pd.Categorical([names[i] for i in of]),
            "domain": pd.Categorical([topics[i] for i in of]),
            "session": of,
        }
    )


def study_of(signals, k=5, *, settings=QUICK, is_shifted=False, max_iter=400, cancel=None):
    sessions = ArraySessions(signals)
    model = GroupICA(n_components=k, n_runs=1, max_iter=max_iter).fit(sessions).result_
    extra = {} if cancel is None else {"cancel": cancel}
    study = open_study(
        sessions, tokens_of(sessions), model, settings=settings, is_shifted=is_shifted, **extra
    )
    return study, model


def last(results):
    *_, whole = results
    return whole


@pytest.fixture(scope="module")
def real():
    return study_of(planted(n_sessions=8).signals)[0]


@pytest.fixture(scope="module")
def noise():
    # With a few iterations: on noise ICA need not converge, and the figures are low all the same.
    with pytest.warns(UserWarning, match="ICA runs stopped"):
        return study_of(noise_only(n_sessions=8), max_iter=30)[0]


def test_planted_networks_are_trusted_by_every_measure(real) -> None:
    for measure in (measures.over_seeds, measures.over_bootstraps):
        found = last(measure(real))
        assert (found.iq > 0.9).all(), measure
        assert (found.share == 1).all()
        assert (found.match > 0.9).all()
    assert (last(measures.in_halves(real)).mean > 0.85).all()


def test_networks_of_noise_are_not(real, noise) -> None:
    assert np.median(last(measures.in_halves(noise)).mean) < 0.3
    assert last(measures.over_bootstraps(noise)).again.max() < 0.4
    assert (
        last(measures.over_seeds(noise)).again.max() < last(measures.over_seeds(real)).again.min()
    )


def test_planted_networks_stand_out_from_both_nulls(real) -> None:
    reproducibility = last(measures.in_halves(real)).mean
    shifted, _ = study_of(planted(n_sessions=8).signals, is_shifted=True, max_iter=60)
    kurtosis = real.unmixing.run(
        real.pools[0], real.pools[0].group_pca(real.equal_weights, 5), np.random.SeedSequence(0)
    ).kurtosis
    for null in (last(measures.gaussian_null(real)), last(measures.shift_null(shifted))):
        assert reproducibility.min() > null.limit("r")
        assert kurtosis.min() > null.limit("kurtosis") + 1
        assert null.kurtosis.shape == null.again.shape == null.r.shape == (5,)
    assert null.limit("r") < 0.5


def test_the_curve_finds_how_many_networks_there_are(real) -> None:
    """Five were planted: of twice as many, no more than five can be found in both halves."""
    curve = last(measures.by_size(real))
    assert curve.sizes.tolist() == [2, 5, 7, 10]
    assert curve.suggested() == 5
    assert curve.table()["n_high"].iloc[1] == 5
    assert curve.table()["n_high"].iloc[3] <= 6


def test_results_grow_to_the_whole(real) -> None:
    parts = [part.n_runs for part in measures.over_bootstraps(real)]
    assert parts == [5, 6]
    curves = list(measures.by_size(real))
    assert [c.is_whole for c in curves] == [False] * 7 + [True]
    assert curves[0].suggested() is None


def test_group_pca_of_a_resampling_is_that_of_the_sessions_drawn() -> None:
    """One Gram matrix of all components in place of a new reduction of the drawn sessions."""
    signals = planted(n_sessions=6, n_units=300, n_tokens=60).signals
    sessions = ArraySessions(signals)
    pieces = pieces_of(sessions, tokens_of(sessions), most=99)
    [pool] = build_pools(
        sessions, blocks_of(sessions, "model"), pieces,
        reduction=Reduction(n_components=20, normalize="recording", device=CPU),
    )  # fmt: skip
    times = [2, 0, 1, 3, 0, 0]
    drawn = ArraySessions([x for x, n in zip(signals, times, strict=True) for _ in range(n)])
    drawn.mean, drawn.std, drawn.alive = sessions.mean, sessions.std, sessions.alive
    [direct] = group_pca(
        drawn, blocks_of(sessions, "model"), n_components=(20, 30), normalize="recording",
        device=CPU, progress=lambda _: None, cancel=CancelToken(),
    )  # fmt: skip
    found = pool.signals(pool.group_pca(np.array(times, dtype=float), 30))
    expected = direct - direct.mean(dim=1, keepdim=True)
    # Each is determined up to sign, and exact: 30 · 4 > rows means MIGP threw nothing away.
    signs = torch.sign((found * expected).sum(dim=1, keepdim=True))
    assert torch.allclose(found * signs, expected, atol=2e-3 * float(expected.abs().max()))


def test_bootstrap_draws_whole_sessions_as_often_as_there_are() -> None:
    sessions = ArraySessions(noise_only(n_units=20, n_tokens=30, n_sessions=3))
    tokens = tokens_of(sessions)
    # The last session holds two documents: two pieces that are drawn together.
    tokens["document"] = pd.Categorical([*["x"] * 75, *["y"] * 15])
    pieces = pieces_of(sessions, tokens, most=99)
    assert [piece.n_tokens for piece in pieces] == [30, 30, 15, 15]
    for seed in range(20):
        weights = draw_sessions(pieces, np.random.default_rng(seed))
        assert weights[2] == weights[3]
        assert weights[:3].sum() == 3


def test_few_sessions_are_no_bootstrap(real) -> None:
    """Drawn with replacement, a single session is the whole recording in every run."""
    one = replace(real, pieces=tuple(replace(piece, draw=0) for piece in real.pieces))
    with pytest.raises(TooFewTokensError, match="Only 1 session: too few to draw from"):
        next(measures.over_bootstraps(one))


def test_halves_never_share_a_document_and_divide_each_domain() -> None:
    sessions = ArraySessions(noise_only(n_units=20, n_tokens=16, n_sessions=12))
    names = ["a1", "a1", "a2", "a3", "a4", "long, part 1", "long, part 2", *"bcdef"]
    domains = ["A"] * 5 + ["B"] * 7
    pieces = pieces_of(sessions, tokens_of(sessions, documents=names, domains=domains), most=99)
    splits = [split_documents(pieces, np.random.default_rng(i)) for i in range(30)]
    for first in splits:
        assert first[0] == first[1]
        assert first[5] == first[6]
        assert first[:5].sum() in (2, 3)
        assert first[5:].sum() in (3, 4)
    assert len({first.tobytes() for first in splits}) > 5


def test_joined_pieces_keep_documents_whole() -> None:
    """More pieces than memory holds are reduced together; a document may then tie several."""
    sessions = ArraySessions(noise_only(n_units=20, n_tokens=16, n_sessions=12))
    names = ["a", "b", "c", "d", "e", "e", "e", "f", "g", "h", "i", "j"]
    tokens = tokens_of(sessions, documents=names, domains=["A"] * 4 + ["B"] * 8)
    pieces = pieces_of(sessions, tokens, most=6)
    assert len(pieces) <= 6
    assert sum(piece.n_tokens for piece in pieces) == sessions.n_tokens
    document_of = {
        (session, int(p)): names[session] for x in pieces for session, at in x.parts for p in at
    }
    assert len(document_of) == sessions.n_tokens
    for seed in range(10):
        first = split_documents(pieces, np.random.default_rng(seed))
        sides = [
            {names[s] for piece, is_first in zip(pieces, first, strict=True) if is_first == side
             for s, _ in piece.parts}
            for side in (True, False)
        ]  # fmt: skip
        assert not sides[0] & sides[1]


@pytest.mark.parametrize("most", [5, 10, 20])
def test_joined_pieces_neither_merge_documents_nor_lose_count_of_them(most) -> None:
    """Each of 8 documents lies in 3 sessions: joined by number alone, their edges would chain."""
    sessions = ArraySessions(noise_only(n_units=20, n_tokens=16, n_sessions=24))
    names = [f"d{i // 3}" for i in range(24)]
    domains = ["A"] * 6 + ["B"] * 18
    tokens = tokens_of(sessions, documents=names, domains=domains)
    pieces = pieces_of(sessions, tokens, most=most)
    assert len({piece.source for piece in pieces}) == min(most, 8)
    assert count_documents(pieces) == 8
    assert len(pieces) == most
    for piece in pieces:
        inside = {names[session] for session, _ in piece.parts}
        assert len(inside) == piece.n_documents
    held = sorted(session for piece in pieces for session, _ in piece.parts)
    assert held == list(range(24))


def test_too_few_documents_are_refused_with_their_number() -> None:
    sessions = ArraySessions(noise_only(n_units=20, n_tokens=16, n_sessions=6))
    pieces = pieces_of(sessions, tokens_of(sessions, documents=["a", "b", "c"] * 2), most=99)
    with pytest.raises(TooFewTokensError, match="only 3 of them; it takes 4"):
        split_documents(pieces, np.random.default_rng(0))


def test_shift_keeps_each_units_values_and_destroys_covariance() -> None:
    signals = planted(n_sessions=2, n_units=200, n_tokens=400, noise=0.3).signals
    sessions = ArraySessions(signals)
    sessions.is_dummy[:3] = True
    shifted = ShiftedSessions(sessions, seed=1)
    for i in range(2):
        before, after = sessions.session(i), shifted.session(i)
        np.testing.assert_array_equal(np.sort(after, axis=0), np.sort(before, axis=0))
        assert not np.array_equal(after, before)
        # A circular shift keeps each unit's autocorrelation.
        usable = slice(3, None) if i == 0 else slice(None)
        spectra = [np.abs(np.fft.rfft(x[usable], axis=0)) for x in (before, after)]
        np.testing.assert_allclose(spectra[0], spectra[1], atol=0.02)
    np.testing.assert_array_equal(shifted.session(0)[:3], sessions.session(0)[:3])
    np.testing.assert_array_equal(shifted.session(1), shifted.session(1))

    def strength(x: np.ndarray) -> float:
        r = np.corrcoef(x.T)
        return float(np.abs(r[~np.eye(len(r), dtype=bool)]).mean())

    assert strength(shifted.session(1)) < 0.3 * strength(sessions.session(1))


def test_gaussian_null_keeps_the_covariance_and_has_no_tails(real) -> None:
    pool = real.pools[0]
    parts = [pool.group_pca(real.equal_weights, 5), pool.group_pca(real.equal_weights, 8)[2:]]
    space, found = gaussian_space(pool, parts, np.random.default_rng(0))
    true = np.concatenate([pool.signals(part).numpy() for part in parts]).astype(np.float64)
    null = np.concatenate([space.signals(part).numpy() for part in found]).astype(np.float64)
    size = np.abs(true @ true.T).max()
    np.testing.assert_allclose(null @ null.T, true @ true.T, atol=1e-4 * size)
    np.testing.assert_allclose(null.mean(axis=1), 0, atol=1e-4 * np.sqrt(size / null.shape[1]))
    kurtosis = [(x**4).mean() / (x**2).mean() ** 2 - 3 for x in null]
    assert np.abs(kurtosis).max() < 0.7


def test_gaussian_null_of_more_components_than_units_keeps_the_covariance() -> None:
    """A narrow layer: K components of everything and of each half are more than it has units."""
    rows = torch.from_numpy(np.random.default_rng(1).laplace(size=(15, 12)))
    rows -= rows.mean(dim=1, keepdim=True)
    parts = [np.eye(15)[i : i + 5] for i in (0, 5, 10)]
    true = (rows @ rows.T).numpy()
    space, found = gaussian_space(Space(rows, true), parts, np.random.default_rng(0))
    null = np.concatenate([space.signals(part).numpy() for part in found]).astype(np.float64)
    np.testing.assert_allclose(null @ null.T, true, atol=1e-4 * np.abs(true).max())
    np.testing.assert_allclose(null.mean(axis=1), 0, atol=1e-5)


def test_a_map_of_one_run_alone_is_a_cluster_that_does_not_look_stable() -> None:
    rng = np.random.default_rng(0)
    maps = rng.laplace(size=(4, 400))
    runs = [np.concatenate([maps[:3], rng.laplace(size=(1, 400))]) for _ in range(4)]
    r = np.abs(np.corrcoef(np.concatenate(runs)))
    networks = np.abs(np.corrcoef(runs[0], np.concatenate(runs)))[:4, 4:]
    found = stability_clusters(r, np.repeat(np.arange(4), 4), networks)
    assert (found.iq[:3] > 0.9).all()
    assert (found.share[:3] == 1).all()
    assert found.iq[3] < 0.1
    assert found.share[3] < 1


def test_iq_is_its_formula_and_in_the_order_of_the_networks() -> None:
    rng = np.random.default_rng(1)
    maps = rng.laplace(size=(3, 400))
    noisy = [maps[[2, 0, 1]] + 0.4 * rng.standard_normal((3, 400)) for _ in range(3)]
    r = np.abs(np.corrcoef(np.concatenate(noisy)))
    networks = np.abs(np.corrcoef(maps, np.concatenate(noisy)))[:3, 3:]
    found = stability_clusters(r, np.repeat(np.arange(3), 3), networks)
    for k in range(3):
        inside = np.tile([2, 0, 1], 3) == k
        within = r[np.ix_(inside, inside)][~np.eye(3, dtype=bool)].mean()
        assert found.iq[k] == pytest.approx(within - r[np.ix_(inside, ~inside)].mean())


def test_rotated_networks_have_a_lower_index() -> None:
    maps = np.random.default_rng(0).laplace(size=(6, 500))
    runs = [
        np.concatenate([maps[:2], ortho_group.rvs(4, random_state=i) @ maps[2:]]) for i in range(5)
    ]
    r = np.abs(np.corrcoef(np.concatenate(runs)))
    found = stability_clusters(r, np.repeat(np.arange(5), 6), r[:6])
    assert (found.iq[:2] > 0.9).all()
    assert found.iq[2:].mean() < 0.6


def test_runs_of_a_pool_find_the_atlas(real) -> None:
    """The maps that a study finds, as mixtures of components, are those of `GroupICA`."""
    signals = planted(n_sessions=8).signals
    study, model = study_of(signals)
    pool = study.pools[0]
    run = study.unmixing.run(
        pool, pool.group_pca(study.equal_weights, 5), np.random.SeedSequence(3)
    )
    maps = pool.signals(run.mixture).numpy()
    np.testing.assert_allclose(np.linalg.norm(maps, axis=1), 1, atol=1e-3)
    order, r = match_maps(model.spatial_maps, maps)
    assert (r > 0.995).all()
    by_mixture = np.abs(study.targets[0] @ run.mixture.T)[np.arange(5), order]
    np.testing.assert_allclose(by_mixture, r, atol=1e-3)
    np.testing.assert_allclose(
        np.sort(run.kurtosis), np.sort(measures.map_kurtosis(model)), rtol=0.15
    )


def test_layers_by_themselves_are_judged_by_themselves() -> None:
    from fnprune_core.models.layout import UnitLayout

    signals = planted(n_sessions=6, n_units=600).signals
    sessions = ArraySessions(signals, layout=UnitLayout((300, 300)))
    model = GroupICA(n_components=4, n_runs=1, scope="layer").fit(sessions).result_
    study = open_study(sessions, tokens_of(sessions), model, settings=QUICK)
    found = last(measures.over_seeds(study))
    assert found.iq.shape == (8,)
    assert np.median(found.match) > 0.95
    assert last(measures.in_halves(study)).r.shape == (2, 8)


def test_values_by_block_come_in_the_order_of_the_atlas(real) -> None:
    """An atlas sorts the networks of all layers by energy."""
    two = replace(real, networks=(np.array([2, 0]), np.array([1, 3])))
    found = two.gathered([np.array([[20.0, 0.0]]), np.array([[10.0, 30.0]])])
    assert found.tolist() == [[0.0, 10.0, 20.0, 30.0]]


def test_partners_are_those_of_the_network_and_not_the_most_alike() -> None:
    to_a, to_b = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.1, 0.7], [0.6, 0.3]])
    between = np.array([[0.95, 0.5], [0.4, 0.99]])
    assert measures.partners(to_a, to_b, between).tolist() == [0.5, 0.4]


def test_stop_is_heard_within_a_measure() -> None:
    cancel = CancelToken()
    study, _ = study_of(planted(n_sessions=8).signals, cancel=cancel)
    measure = measures.over_bootstraps(study)
    next(measure)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(measure)


def test_same_seed_same_figures(real) -> None:
    a, b = (
        last(measures.over_bootstraps(study_of(planted(n_sessions=8).signals)[0])) for _ in "ab"
    )
    np.testing.assert_array_equal(a.iq, b.iq)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingsError, match="n_seeds must be at least 2, got 1"):
        TrustSettings(n_seeds=1)


@pytest.mark.parametrize(
    ("reproduced", "expected"),
    [([4, 8, 8], 8), ([4, 7, 8], 8), ([4, 8, 16], 16), ([4, 4, 4], 4), ([0, 0, 0], None)],
)
def test_suggested_size_weighs_number_and_share(reproduced, expected) -> None:
    values = np.array(reproduced, dtype=float)[:, None]
    curve = SizeCurve(
        sizes=np.array([4, 8, 16]), median=values, above_high=values, above_very_high=values,
        n_runs=6, n_converged=6,
    )  # fmt: skip
    assert curve.suggested() == expected
    assert curve.still_rises == (expected == 16)
