import logging

import pytest
from counting_texts import BOS, counting, cut, word_tokenizer

from fnprune_core.errors import SettingsError, TextError
from fnprune_core.texts.cutting import cut_windows, shared_run
from fnprune_core.texts.documents import Document

# Windows ---------------------------------------------------------------------------------------


def test_documents_are_cut_at_window_edges_and_rests_dropped() -> None:
    windows = cut(counting(25), counting(9, 500), counting(10, 700), window=10, n_dummy_tokens=2)
    assert windows.starts.tolist() == [0, 10, 20, 30]
    assert windows.token_ids[:20].tolist() == list(range(10, 30))
    assert windows.window_ids(2).tolist() == list(range(710, 720))
    assert windows.n_dropped_tokens == 5 + 9
    assert windows.document_names == ("text 1", "text 3")
    assert windows.document_index.tolist() == [0] * 20 + [1] * 10
    assert (windows.n_tokens, windows.n_windows) == (30, 3)


@pytest.mark.parametrize(
    ("template", "begins"),
    [(None, []), ("$A", []), ("<s> $A", [BOS]), ("<s> $A </s>", [BOS]), ("$A </s>", [])],
)
def test_bos_only_where_the_tokenizer_adds_one_and_never_eos(template, begins) -> None:
    windows = cut(counting(4), counting(3), template=template, window=9, allow_short=True)
    assert windows.adds_bos is bool(begins)
    assert windows.token_ids.tolist() == [*begins, 10, 11, 12, 13, *begins, 10, 11, 12]


def test_bos_stands_at_the_start_of_a_document_not_of_a_window() -> None:
    windows = cut(counting(5), template="<s> $A </s>", window=3, n_dummy_tokens=1)
    assert windows.token_ids.tolist() == [BOS, 10, 11, 12, 13, 14]


def test_special_tokens_in_a_text_are_plain_text_and_the_tokenizer_stays_as_it_was() -> None:
    tokenizer = word_tokenizer("<s> $A")
    tokenizer.backend_tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|end|>"]})
    special = tokenizer.convert_tokens_to_ids("<|end|>")
    text = "1 <|end|> 2"
    assert special in tokenizer(text)["input_ids"]
    windows = cut_windows([Document(text)], tokenizer, window=8, allow_short=True)
    assert windows.token_ids.tolist() == [BOS, 11, 2, 12]
    assert special in tokenizer(text)["input_ids"]


def test_long_texts_give_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="transformers"):
        cut(counting(50), window=20)
    assert not caplog.records


def test_lone_surrogates_are_replaced() -> None:
    assert cut("1 \ud800 2", window=8, allow_short=True).token_ids.tolist() == [11, 2, 12]


def test_pack_joins_the_documents_of_each_domain_only() -> None:
    windows = cut(
        Document(counting(3, 100), "a", "a1"),
        Document(counting(5, 200), "b", "b1"),
        Document(counting(3, 300), "a", "a2"),
        template="<s> $A",
        window=4,
        n_dummy_tokens=1,
        pack=True,
    )
    assert windows.token_ids.tolist() == [
        *(BOS, 110, 111, 112, BOS, 310, 311, 312),
        *(BOS, 210, 211, 212),
    ]
    assert windows.document_names == ("a1", "a2", "b1")
    assert windows.domain_names == ("a", "b")
    assert windows.domain_index.tolist() == [0] * 8 + [1] * 4
    assert windows.n_dropped_tokens == 2


def test_pack_lets_a_window_hold_several_documents() -> None:
    windows = cut("1 2", "3", "4 5 6", window=4, n_dummy_tokens=0, pack=True, allow_short=True)
    assert windows.starts.tolist() == [0, 4, 6]
    assert windows.document_index.tolist() == [0, 0, 1, 2, 2, 2]


def test_max_tokens_are_dealt_over_domains_then_documents() -> None:
    texts = [
        Document(counting(30, 0), "a", "a1"),
        Document(counting(30, 100), "a", "a2"),
        Document(counting(30, 200), "a", "a3"),
        Document(counting(20, 300), "b", "b1"),
    ]
    windows = cut(*texts, window=10, max_tokens=59)
    starts = [int(windows.window_ids(i)[0]) - 10 for i in range(windows.n_windows)]
    assert starts == [0, 100, 200, 300, 310]
    everything = cut(*texts, window=10, max_tokens=10_000)
    assert everything.text_sha256 == cut(*texts, window=10).text_sha256


def test_another_seed_draws_other_windows_of_each_domain() -> None:
    texts = [Document(counting(200), "a", "a1"), Document(counting(200, 500), "b", "b1")]

    def drawn(seed: int | None, n: int) -> list[int]:
        windows = cut(*texts, window=10, max_tokens=n, seed=seed)
        return [int(windows.window_ids(i)[0]) for i in range(windows.n_windows)]

    everything = drawn(None, 400)
    draws = [drawn(seed, 60) for seed in range(3)]
    assert draws[0] == drawn(0, 60)
    assert len({tuple(draw) for draw in draws}) == 3
    for draw in draws:
        assert draw == sorted(draw)  # in the order of the text
        assert set(draw) <= set(everything)
        assert sum(start < 500 for start in draw) == 3  # domains stay even
    assert drawn(5, 400) == everything


def test_documents_beyond_the_budget_are_not_tokenised() -> None:
    tokenizer = word_tokenizer()
    asked = []

    class Counting:
        all_special_tokens = ()

        def __call__(self, text: str, **options: object) -> object:
            asked.append(text)
            return tokenizer(text, **options)  # type: ignore[arg-type]

    texts = [Document(counting(10, 20 * i), name=str(i)) for i in range(50)]
    cut_windows(texts, Counting(), window=10, max_tokens=30)  # type: ignore[arg-type]
    assert len(set(asked)) < 8


def test_names_are_made_unique() -> None:
    windows = cut(
        Document(counting(10), "a", "same"),
        Document(counting(10), "b", "same"),
        Document(counting(10), "b"),
        window=10,
    )
    assert windows.document_names == ("same", "same (2)", "text 3")


@pytest.mark.parametrize(
    ("texts", "options", "error", "message"),
    [
        ([], {}, TextError, "no text"),
        ([""], {}, TextError, "no text"),
        ([" \n"], {"allow_short": True}, TextError, "no text"),
        ([counting(123)], {}, TextError, "text has 123 tokens, one window is 512"),
        ([counting(9), counting(8)], {"window": 10}, TextError, "has 9 tokens, one window is 10"),
        (["1 2", "3"], {"window": 5, "pack": True}, TextError, "has 3 tokens, one window is 5"),
        ([counting(9)], {"window": 1}, SettingsError, "window of 1"),
        ([counting(9)], {"window": 4, "n_dummy_tokens": 4}, SettingsError, "4 dummy tokens of 4"),
        ([counting(9)], {"window": 4, "max_tokens": 3}, SettingsError, "less than one window"),
    ],
)
def test_errors_say_what_came_and_what_to_do(texts, options, error, message) -> None:
    named = [Document(text, name="" if len(texts) > 1 else "text") for text in texts]
    with pytest.raises(error, match=message) as caught:
        cut(*named, **{"n_dummy_tokens": 0, **options})
    assert caught.value.hint


def test_shared_run_goes_over_window_edges() -> None:
    a = cut(counting(200), window=20)
    b = cut(f"{counting(30, 700)} {counting(60, 90)}", window=30)
    assert shared_run(a, b, length=50) == 30
    assert shared_run(a, b, length=61) is None
    assert shared_run(a, cut(counting(40, 500), window=40)) is None
    with pytest.raises(SettingsError):
        shared_run(a, b, length=0)
