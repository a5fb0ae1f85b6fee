import numpy as np
import pytest
from matched_atlases import token_table

from fnprune_core.errors import TextError
from fnprune_core.matching.tokens import matched, shared_text

TEXT = "The cat sat on the mat, and unhappily the dog — été, 日本語 — ran away from it all. " * 3


def cut(text: str, seed: int) -> list[str]:
    """Cut a text at random places."""
    rng = np.random.default_rng(seed)
    places = np.sort(rng.choice(np.arange(1, len(text)), size=len(text) // 4, replace=False))
    return [text[i:j] for i, j in zip([0, *places], [*places, len(text)], strict=True)]


def bare(pieces) -> str:
    return "".join("".join(pieces).split()).casefold()


def test_stretches_say_the_same_on_both_sides_and_are_the_shortest() -> None:
    text = "".join(f"{i} {word}" for i, word in enumerate(TEXT.split()))  # no repeats
    a, b = token_table(cut(text, 0)), token_table(cut(text, 1))
    found = shared_text(a, b)
    assert found.clock == "characters"
    texts = [a["text"].to_numpy(), b["text"].to_numpy()]
    ends = [np.cumsum([len(bare([t])) for t in side]) for side in texts]
    common = set(ends[0]) & set(ends[1])
    n_common = len(common)
    assert found.n_stretches == n_common  # each ends at one common cut: none could be shorter
    for i in range(found.n_stretches):
        said = [texts[side][found.first[side, i] : found.last[side, i] + 1] for side in (0, 1)]
        assert bare(said[0]) == bare(said[1]) != ""


def test_a_stretch_averages_its_tokens() -> None:
    a = token_table(["un", "happy", " dogs", " bark"])
    b = token_table(["unhapp", "y", " dogs bark"])
    found = shared_text(a, b)
    assert found.n_stretches == 2
    assert found.means(np.array([[1.0, 3.0, 10.0, 30.0]]), 0).tolist() == [[2.0, 20.0]]
    assert found.means(np.array([[5.0, 7.0, 9.0]]), 1).tolist() == [[6.0, 9.0]]


@pytest.mark.parametrize("pieces", [("\ufffd", "\ufffd"), ("", "日")])
def test_what_only_one_side_says_is_left_out_and_the_rest_is_found_again(pieces) -> None:
    """A character of two tokens: as older recordings have it, and whole at its last token."""
    words = [f"word{i} " for i in range(60)]
    a = token_table(["<s>", *words[:30], *pieces, *words[30:]])
    b = token_table([*words[:30], "日", *words[30:]])
    found = shared_text(a, b)
    shared = [*words[:30], *(piece for piece in pieces if piece == "日"), *words[30:]]
    assert found.n_stretches == len(shared)
    assert np.array_equal(b["text"].to_numpy()[found.first[1]], shared)
    assert np.array_equal(a["text"].to_numpy()[found.last[0]], shared)


@pytest.mark.parametrize(("here", "there"), [("wOrd", "woXrd"), ("woXrd", "wOrd"), ("aX", "aY")])
def test_a_token_that_differs_inside_is_no_stretch_but_capitals_do_not_count(here, there) -> None:
    words = [f"Word{i} " for i in range(60)]
    a = token_table([*words[:30], here, *words[30:]])
    b = token_table([word.lower() for word in (*words[:30], there, *words[30:])])
    b["token_id"] += 1000
    found = shared_text(a, b)
    assert found.n_stretches == 60
    assert 30 not in found.first[0]


def test_one_tokenizer_in_other_windows_is_compared_token_by_token() -> None:
    pieces = [f"{a}{b}" for a in "abcdefgh" for b in "stuvwxyz"]
    a = token_table(pieces, session=np.repeat([0, 1], 32), n_dummy=2)
    b = token_table(pieces, session=np.repeat([0, 1, 2, 3], 16), n_dummy=2)
    found = shared_text(a, b)
    assert found.clock == "tokens"
    assert found.n_stretches == 64 - 8  # dummy tokens of either side are left out
    assert np.array_equal(found.first[0], found.first[1])
    assert np.array_equal(found.first, found.last)
    assert not b["is_dummy"].to_numpy()[found.first[1]].any()


def test_text_of_another_document_is_not_shared() -> None:
    a = token_table([f"a{i}x" for i in range(40)])
    with pytest.raises(TextError, match="no text in common"):
        shared_text(a, token_table([f"b{i}y" for i in range(50)]))
    with pytest.raises(TextError, match="no text in common"):
        shared_text(a, token_table(list(a["text"])[1:], document="another"))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("abcdef", "abcdef", "abcdef"),
        ("abcdefgh", "xxcdefyy", "cdef"),
        ("abcd----efgh", "abcd++efgh", "abcdefgh"),
        ("abab", "", ""),
        ("aaaaaaaa", "aaaaa", "aaaaa"),
    ],
)
def test_matched_characters_are_equal_and_in_order(a, b, expected) -> None:
    in_a, in_b = matched(a, b, anchor=3)
    assert "".join(a[i] for i in in_a) == "".join(b[j] for j in in_b) == expected
    assert np.all(np.diff(in_a) > 0)
    assert np.all(np.diff(in_b) > 0)
