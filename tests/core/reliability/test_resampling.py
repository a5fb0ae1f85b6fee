import numpy as np
import pandas as pd
import pytest
import torch
from planted import noise_only, planted
from trust_study import CPU, tokens_of

from fnprune_core.errors import TooFewTokensError
from fnprune_core.progress import CancelToken
from fnprune_core.recording.group_pca import group_pca
from fnprune_core.recording.sessions import ArraySessions, blocks_of
from fnprune_core.reliability.resampling import (
    Reduction,
    build_pools,
    count_documents,
    draw_sessions,
    pieces_of,
    split_documents,
)


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
