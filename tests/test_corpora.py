import json
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from fnprune_core.errors import FnpruneError, SettingsError, TextError
from fnprune_core.texts import builtin, documents
from fnprune_core.texts.cutting import cut_windows, shared_run
from fnprune_core.texts.documents import Document, builtin_documents, read_documents
from fnprune_core.texts.overlap import first_shared_run
from fnprune_core.texts.windows import Windows

BOS, EOS = 0, 1


def word_tokenizer(template: str | None = None) -> PreTrainedTokenizerFast:
    """Words "0" to "999" are the ids 10 to 1009; anything else is 2; `template` adds tokens."""
    vocabulary = {"<s>": BOS, "</s>": EOS, "?": 2, **{str(n): n + 10 for n in range(1000)}}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if template is not None:
        backend.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[("<s>", BOS), ("</s>", EOS)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", model_max_length=8
    )


def counting(n: int, start: int = 0) -> str:
    return " ".join(str((start + i) % 1000) for i in range(n))


def cut(*texts: str | Document, template: str | None = None, **options: object) -> Windows:
    made = [t if isinstance(t, Document) else Document(t) for t in texts]
    return cut_windows(made, word_tokenizer(template), **options)  # type: ignore[arg-type]


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


def test_session_position_and_dummy_tokens_follow_the_windows() -> None:
    windows = cut(counting(7), window=3, n_dummy_tokens=1, allow_short=True)
    assert windows.session.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert windows.position.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert windows.is_dummy.tolist() == [True, False, False, True, False, False, True]
    assert windows.n_dropped_tokens == 0


@pytest.mark.parametrize(
    ("template", "begins"),
    [(None, []), ("$A", []), ("<s> $A", [BOS]), ("<s> $A </s>", [BOS]), ("$A </s>", [])],
)
def test_bos_only_where_the_tokenizer_adds_one_and_never_eos(
    template: str | None, begins: list[int]
) -> None:
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


def test_select_keeps_order_and_only_the_names_in_use() -> None:
    windows = cut(
        Document(counting(20), "a", "a1"),
        Document(counting(20, 100), "b", "b1"),
        Document(counting(10, 200), "b", "b2"),
        window=10,
    )
    chosen = windows.select([4, 0])
    assert [int(chosen.window_ids(i)[0]) for i in range(2)] == [210, 10]
    assert chosen.document_names == ("a1", "b2")
    assert chosen.document_index.tolist() == [1] * 10 + [0] * 10
    assert windows.in_domain("b").n_windows == 3
    assert windows.in_domain("b").document_names == ("b1", "b2")
    assert windows.select(range(5)).text_sha256 == windows.text_sha256
    with pytest.raises(SettingsError, match=r"no domain 'c'.*a, b"):
        windows.in_domain("c")
    with pytest.raises(SettingsError, match="No window"):
        windows.select([])
    for outside in (-1, 5):
        with pytest.raises(IndexError):
            windows.window_ids(outside)
        with pytest.raises(IndexError):
            windows.select([outside])


def test_hash_tells_texts_windows_and_names_apart() -> None:
    def hashed(text: str = counting(40), domain: str = "a", name: str = "x", n: int = 10) -> str:
        return cut(Document(text, domain, name), window=n).text_sha256

    variants = [
        hashed(),
        hashed(counting(40, 1)),
        hashed(domain="b"),
        hashed(name="y"),
        hashed(n=5),
    ]
    assert len(set(variants)) == len(variants)
    assert hashed() == variants[0]


def test_windows_cannot_be_written_to() -> None:
    windows = cut(counting(10), window=10)
    with pytest.raises(ValueError, match="read-only"):
        windows.token_ids[0] = 1
    with pytest.raises(AttributeError):
        windows.window = 3  # type: ignore[misc]


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
def test_errors_say_what_came_and_what_to_do(
    texts: list[str], options: dict[str, int], error: type[FnpruneError], message: str
) -> None:
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


# Documents -------------------------------------------------------------------------------------


def write_jsonl(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


ROW_WRITERS: dict[str, Callable[[Path, list[dict[str, object]]], None]] = {
    ".jsonl": write_jsonl,
    ".csv": lambda path, rows: pd.DataFrame(rows).to_csv(path, index=False),
    ".parquet": lambda path, rows: pd.DataFrame(rows).to_parquet(path),
}
ROWS: list[dict[str, object]] = [
    {"text": "one, two", "kind": "a", "book": "x"},
    {"text": 'drei\n"vier"', "kind": "b", "book": "y"},
    {"text": "", "kind": "b", "book": "y"},
    {"text": "été", "kind": "a", "book": "x"},
]


def test_every_row_format_has_a_writer_here() -> None:
    assert set(documents._ROWS) - {".ndjson"} == set(ROW_WRITERS)


@pytest.mark.parametrize("suffix", ROW_WRITERS)
def test_rows_become_documents(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"corpus{suffix}"
    ROW_WRITERS[suffix](path, ROWS)
    plain = read_documents(path)
    assert [d.text for d in plain] == ["one, two", 'drei\n"vier"', "été"]
    assert {d.domain for d in plain} == {"corpus"}
    assert len({d.name for d in plain}) == 3
    columns = read_documents(str(path), domain_column="kind", document_column="book")
    assert columns == [Document("one, two\nété", "a", "x"), Document('drei\n"vier"', "b", "y")]
    assert [d.domain for d in read_documents(path, domain="mine")] == ["mine"] * 3
    dealt = read_documents(path, domain_column="kind", max_documents=2)
    assert [d.domain for d in dealt] == ["a", "b"]
    for option in ("text_column", "domain_column", "document_column"):
        with pytest.raises(TextError, match=r"no column 'body'.*text, kind, book"):
            read_documents(path, **{option: "body"})  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ROW_WRITERS)
def test_rows_without_text_are_an_error(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"corpus{suffix}"
    ROW_WRITERS[suffix](path, [{"text": ""}, {"text": " "}])
    with pytest.raises(TextError, match="no text in"):
        read_documents(path)


@pytest.mark.parametrize(("line", "why"), [("{oops", "not JSON"), ("[1]", "no JSON object")])
def test_malformed_jsonl_names_the_line(line: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(f'{{"text": "fine"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(TextError, match=f"Line 3 of .*{why}"):
        read_documents(path)


def test_a_column_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    write_jsonl(path, [{"text": "fine"}, {"text": ["list"]}])
    with pytest.raises(TextError, match=r"Row 2 of .* has a list"):
        read_documents(path)


def test_damaged_tables_are_an_error(tmp_path: Path) -> None:
    parquet, csv = tmp_path / "a.parquet", tmp_path / "a.csv"
    parquet.write_bytes(b"PAR1 not really")
    csv.write_text('text\n"never closed', encoding="utf-8")
    for path in (parquet, csv):
        with pytest.raises(TextError, match="is not a"):
            read_documents(path)


def test_a_file_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "essay.md"
    path.write_bytes(b"\xef\xbb\xbfOne.\r\nTwo.\r\n")
    assert read_documents(path) == [Document("One.\nTwo.", "essay", "essay.md")]


def test_a_folder_gives_a_domain_per_subfolder(tmp_path: Path) -> None:
    for name in (
        "fr/b.txt",
        "fr/deep/a.txt",
        "top.txt",
        "py/x.py",
        ".git/config",
        "py/__pycache__/x",
    ):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    (tmp_path / "set/fr/photo.png").write_bytes(b"\x89PNG\0\xff")
    write_jsonl(tmp_path / "set/py/rows.jsonl", [{"text": "1"}, {"text": "2"}])
    found = read_documents(tmp_path / "set")
    assert [(d.domain, d.name.partition(",")[0]) for d in found] == [
        ("fr", "fr/b.txt"),
        ("fr", "fr/deep/a.txt"),
        ("py", "py/rows.jsonl"),
        ("py", "py/rows.jsonl"),
        ("py", "py/x.py"),
        ("set", "top.txt"),
    ]
    dealt = read_documents(tmp_path / "set", max_documents=4)
    assert [d.domain for d in dealt] == ["fr", "py", "set", "fr"]


@pytest.mark.parametrize("content", [b"abc\0def", b"caf\xe9"])
def test_what_is_not_text_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    for source in (path, tmp_path):
        with pytest.raises(TextError, match=r"x\.txt is not text in UTF-8"):
            read_documents(source)


def test_missing_and_empty_sources_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="no file or folder"):
        read_documents(tmp_path / "nothing")
    with pytest.raises(TextError, match="no file or folder"):
        read_documents("./nothing")
    with pytest.raises(TextError, match="holds no texts"):
        read_documents(tmp_path)
    (tmp_path / "x.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(TextError, match="no text in"):
        read_documents(tmp_path / "x.txt")


class FakeDatasets:
    """Stands for the `datasets` module: keeps what it is asked for, returns or raises."""

    def __init__(self, rows: list[dict[str, object]] | None) -> None:
        self.rows = rows
        self.asked: tuple[object, ...] = ()

    def load_dataset(self, name: str, config: str | None, *, split: str, streaming: bool) -> object:
        self.asked = (name, config, split, streaming)
        if self.rows is None:
            raise ConnectionError("no route to host")
        return self.rows


def test_a_data_set_is_named_with_config_and_split(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDatasets([{"text": "one"}, {"text": "two"}, {"text": "three"}])
    monkeypatch.setitem(sys.modules, "datasets", fake)
    found = read_documents("someone/texts:small:test", max_documents=2)
    assert fake.asked == ("someone/texts", "small", "test", True)
    assert [(d.text, d.domain) for d in found] == [("one", "texts"), ("two", "texts")]
    read_documents("texts")
    assert fake.asked == ("texts", None, "train", False)


@pytest.mark.parametrize(
    ("module", "hint"), [(None, "pip install"), (FakeDatasets(None), "network")]
)
def test_a_data_set_out_of_reach_says_what_to_do(
    module: object, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", module)
    with pytest.raises(FnpruneError, match=f"someone/texts is no file or folder here.*{hint}"):
        read_documents("someone/texts")


# Built-in texts --------------------------------------------------------------------------------


def test_builtin_domains_have_enough_of_both_splits() -> None:
    for split, least in (("calibration", 6), ("held-out", 4)):
        found = builtin_documents(split=split)
        by_domain = pd.Series([d.domain for d in found]).value_counts()
        assert set(by_domain.index) == set(builtin.DOMAINS)
        assert by_domain.min() >= least
        # At about four characters a token: over eight windows of 512 tokens in each domain.
        sizes = pd.Series([len(d.text) for d in found]).groupby([d.domain for d in found]).sum()
        assert sizes.min() > 4 * 4_096


def test_builtin_splits_share_no_run_of_50_tokens() -> None:
    # Stands for any tokenizer: words in bits of at most four letters, all else by character.
    calibration, held_out = (
        " ".join(d.text for d in builtin_documents(split=split)) for split in builtin.SPLITS
    )
    numbers: dict[str, int] = {}

    def ids(text: str) -> np.ndarray:
        pieces = re.findall(r" ?[^\W\d_]{1,4}|\s|\S", text)
        return np.array([numbers.setdefault(piece, len(numbers)) for piece in pieces])

    assert first_shared_run(ids(calibration), ids(held_out), length=70) is None


def test_builtin_splits_share_no_run_of_50_tokens_of_the_embedded_model(
    need_embedded_model: Path,
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(need_embedded_model)
    a, b = (
        cut_windows(builtin_documents(split=s), tokenizer, allow_short=True) for s in builtin.SPLITS
    )
    assert shared_run(a, b, length=50) is None
    assert shared_run(b, b, length=50) == 0
    whole = cut_windows(builtin_documents(split="held-out"), tokenizer, window=512)
    for domain in whole.domain_names:
        assert whole.in_domain(domain).n_tokens > 6_000


def test_shared_passages_are_cut_out_of_held_out_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlike(seed: int) -> str:
        words = np.random.default_rng(seed).integers(0, 10**6, (400, 2))
        return "\n".join(f"word{a} line{b}" for a, b in words)

    common = unlike(99)[:1000]
    texts = {f"{i:02}": unlike(i) for i in range(9)}
    texts["01"] = texts["01"][:3000] + "\n" + common + "\n" + unlike(50)
    texts["02"] += "\n" + common
    texts["copy"] = texts["00"][:5000]
    table = {"made": builtin._Domain(texts=lambda: iter(texts.items()))}
    monkeypatch.setattr(builtin, "DOMAINS", table)
    made = builtin.builtin_texts.__wrapped__()
    calibration, held_out = made["calibration"]["made"], made["held-out"]["made"]
    assert not set(calibration) & set(held_out)
    assert "02" in calibration
    assert "01" in held_out
    assert "copy" not in {**calibration, **held_out}
    assert held_out["01"] in texts["01"]
    assert common[100:900] not in held_out["01"]
    assert len(held_out["01"]) >= 2500


def test_builtin_source_and_unknown_choices() -> None:
    assert read_documents("builtin") == builtin_documents()
    assert read_documents("builtin:held-out") == builtin_documents(split="held-out")
    assert {d.domain for d in builtin_documents(domains=["french"])} == {"french"}
    dealt = read_documents("builtin", max_documents=10)
    assert pd.Series([d.domain for d in dealt]).value_counts().max() == 2
    with pytest.raises(TextError, match=r"no split 'test'.*calibration, held-out"):
        builtin_documents(split="test")
    with pytest.raises(TextError, match=r"no domain 'klingon'.*french"):
        builtin_documents(domains=["klingon"])
