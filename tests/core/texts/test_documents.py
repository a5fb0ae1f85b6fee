import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fnprune_core.errors import FnpruneError, TextError
from fnprune_core.texts import documents
from fnprune_core.texts.documents import Document, read_documents


def write_jsonl(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


ROW_WRITERS: dict[str, Callable[[Path, list[dict[str, object]]], None]] = {
    ".jsonl": write_jsonl,
    ".json": lambda path, rows: path.write_text(json.dumps(rows, indent=1)) and None,
    ".csv": lambda path, rows: pd.DataFrame(rows).to_csv(path, index=False),
    ".tsv": lambda path, rows: pd.DataFrame(rows).to_csv(path, index=False, sep="\t"),
    ".parquet": lambda path, rows: pd.DataFrame(rows).to_parquet(path),
}
ROWS: list[dict[str, object]] = [
    {"text": "one, two", "kind": "a", "book": "x"},
    {"text": 'drei\n"vier"', "kind": "b", "book": "y"},
    {"text": "", "kind": "b", "book": "y"},
    {"text": "été", "kind": "a", "book": "x"},
]


def test_every_row_format_has_a_writer_here() -> None:
    assert set(documents._ROWS) - {".ndjson"} == set(ROW_WRITERS) - {".json"}


def test_json_is_a_table_where_it_is_one_and_else_a_text(tmp_path: Path) -> None:
    """An array, and JSON lines under another ending, became one text with all brackets."""

    def read(content: str) -> list[str]:
        path = tmp_path / "corpus.json"
        path.write_text(content)
        return [document.text for document in read_documents(path)]

    assert read('["one", "two"]') == ["one", "two"]
    assert read('{"text": "one"}\n{"text": "two"}\n') == ["one", "two"]
    settings = '{\n "text": "one"\n}'
    assert read(settings) == [settings]
    for content, why in (
        ('[{"text": "one"}, 7]', r"Item 2 of .*corpus\.json is no object and no text"),
        ('[{"text": "one"}, {"body": "two"}]', r"Item 2 of corpus\.json has no column 'text'"),
        ('[{"text": "one"}', r"corpus\.json is not JSON"),
    ):
        with pytest.raises(TextError, match=why):
            read(content)


def test_a_row_with_another_key_is_told_and_not_dropped(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    write_jsonl(path, [{"text": "one"}, {"text": None}, {"content": "two", "id": 1}])
    with pytest.raises(
        TextError, match=r"Line 3 of corpus\.jsonl has no column 'text'.*content, id"
    ):
        read_documents(path)


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
def test_a_data_set_out_of_reach_says_what_to_do(module, hint, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", module)
    with pytest.raises(FnpruneError, match=f"someone/texts is no file or folder here.*{hint}"):
        read_documents("someone/texts")
