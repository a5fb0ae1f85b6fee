"""The index: where words are, and how energy divides over domains."""

import numpy as np
import pytest
from toy_atlas import atlas_from

from fnprune_core.atlas.search.index import Index, build_index, unit_domain_share

PIECES = ("The", " Cat", "s", " sat", ".", "cat", " the", " ré", "sumé")


def index_of(*sessions: tuple[str, ...]) -> Index:
    parts = [
        piece.casefold() + ("\x00" if i == len(session) - 1 else "")
        for session in sessions
        for i, piece in enumerate(session)
    ]
    n = len(parts)
    return Index(
        text="".join(parts), ends=np.cumsum([len(p) for p in parts]),
        is_dummy=np.arange(n) == 0, mean_energy=np.ones(1), class_names=(),
        class_share=np.ones((1, 0)), class_tokens=np.ones(0), unit_domains=np.ones((1, 1)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("cat", [5]),  # a whole word before a part of one
        ("cats", [1, 2]),
        (" SAT ", [3]),
        ("the", [6]),  # the first token does not count
        ("résumé", [7, 8]),
        ("sum", [8]),
        ("cats sat", [1, 2, 3]),
        (".", [4]),
        ("dog", []),
        ("   ", []),
    ],
)
def test_words_are_found_over_tokens_whatever_their_case(query, expected):
    assert index_of(PIECES).tokens_of(query).tolist() == expected


def test_no_words_run_from_one_session_into_the_next():
    assert index_of(("a", " new"), (" deal", " now")).tokens_of("new deal").tolist() == []


def test_shares_over_classes_and_domains_are_of_all_energy(recording):
    atlas = atlas_from(recording)
    index = build_index(atlas, recording)
    assert index.class_share.sum(axis=1) == pytest.approx(1)
    assert index.class_tokens.sum() == pytest.approx(1)
    alive = atlas.decomposition.alive
    assert index.unit_domains[alive].sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_units_share_of_a_domain_is_that_of_its_own_activation(recording):
    atlas = atlas_from(recording)
    usable = ~atlas.is_dummy
    unit = int(np.flatnonzero(atlas.decomposition.alive)[3])
    energy = np.square(recording.unit(unit) - recording.mean[unit])[usable]
    session = atlas.tokens["session"].to_numpy()[usable]
    domain = atlas.tokens["domain"].cat.codes.to_numpy()[usable]
    by_session = {s: (domain[session == s][0], energy[session == s].mean()) for s in set(session)}
    means = np.array(
        [
            np.mean([e for d, e in by_session.values() if d == code])
            for code in range(len(atlas.domain_names))
        ]
    )
    found = unit_domain_share(atlas, recording)[unit]
    assert found == pytest.approx(means / means.sum(), rel=0.02)
