"""Tables that no honest tool writes: refused with file, place and way out."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fnprune_core.errors import TextError
from fnprune_core.texts import documents, rows
from fnprune_core.texts.documents import Document, read_documents


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "\\ud800"}', r"Line 2 of .*a\.jsonl is not JSON: half a character, \\ud800"),
        ('{"text": ' + "[" * 5000, "Line 2 of .*nested more than 100 deep"),
        ('{"text": ' + "[" * 5_000_000, "Line 2 of .*it holds 5,000,00. values"),
        ('{"text": "a", "text": "b"}', "Line 2 of .*'text' stands twice"),
        ('{"text": NaN}', "Line 2 of .*NaN is no number"),
        ('{"text": ' + "9" * 5000 + "}", "Line 2 of .*digits"),
        ('{"text": "a', r"Line 2 of .*line 1 column 10"),
        ('{"text": "a", "kind": ["x"]}', r"domain in row 2 of a\.jsonl is a list"),
        ('{"text": "a", "kind": "' + "x" * 600 + '"}', r"row 2 of a\.jsonl has 600 characters"),
    ],
    ids=lambda value: value[:30],
)
def test_a_line_that_makes_no_sense_is_named(line, message, tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine", "kind": "x"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(TextError, match=message) as caught:
        read_documents(path, domain_column="kind")
    assert caught.value.hint
    assert len(caught.value.message) < 700


def test_bytes_that_are_no_text_are_named_by_line(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    for content in (b'{"text": "a"}\n{"text": "caf\xe9"}', b'{"text": "a"}\n{"text": "\0"}'):
        path.write_bytes(content)
        with pytest.raises(TextError, match=r"a\.jsonl is not text in UTF-8.*line 2"):
            read_documents(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\nhello, world\n", "line 2"),
        ("text,kind\na,b\nc,d,e\n", "line 3"),
        ("text,text\na,b\n", "has the column 'text' 2 times"),
        ("," * 5000 + "\na\n", r"first line of .* names 5,001 columns"),
        ('"te\nxt",b\na,b\n', "quotation mark that is not closed"),
        ('text\n"open', "EOF inside string"),
    ],
)
def test_a_table_that_is_not_even_is_refused(content, message, tmp_path) -> None:
    """Of a row of two cells under one heading, the first was once taken for an index and lost."""
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(TextError, match=message):
        read_documents(path)


def test_numbers_that_name_domains_stay_as_they_are_written(tmp_path) -> None:
    """Where a row lacked one, 1 once became 1.0."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "n": 1}\n{"text": "b"}\n')
    assert [d.domain for d in read_documents(path, domain_column="n")] == ["1", "a"]


def test_many_rows_of_a_wide_table_are_read_in_chunks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(rows, "_CHUNK_CELLS", 6000)
    path = tmp_path / "a.csv"
    names = ",".join(["text", *(f"c{i}" for i in range(600))])
    lines = [f"row {i}{',x' * 600 if i % 2 else ''}" for i in range(95)]
    path.write_text("\n".join([names, *lines]))
    assert [d.text for d in read_documents(path)] == [f"row {i}" for i in range(95)]


@pytest.mark.parametrize(
    ("bound", "most", "suffix", "message"),
    [
        ("MOST_ROWS", 3, ".jsonl", "has 4 rows or more; at most 3"),
        ("MOST_ROWS", 3, ".csv", "has 4 rows or more; at most 3"),
        ("MOST_ROWS", 3, ".parquet", "has 5 rows or more; at most 3"),
        ("MOST_CSV_BYTES", 5, ".csv", "at most 0 MB are read"),
        ("MOST_JSONL_BYTES", 5, ".jsonl", "at most 0 MB are read"),
        ("MOST_LINE_BYTES", 5, ".jsonl", "Line 1 of .* has over"),
        ("MOST_PARQUET_BYTES", 5, ".parquet", "at most 0 MB are read"),
        ("MOST_UNPACKED_BYTES", 5, ".parquet", "unpacks to over 0 MB"),
        ("MOST_PAGE_BYTES", 5, ".parquet", "unpacks to over 0 MB"),
    ],
)
def test_what_is_over_a_bound_is_told_the_bound(
    bound, most, suffix, message, tmp_path, monkeypatch
) -> None:
    path = tmp_path / f"a{suffix}"
    texts = [f"text {i}" for i in range(5)]
    if suffix == ".parquet":
        pq.write_table(pa.table({"text": texts}), path)
    elif suffix == ".csv":
        path.write_text("\n".join(["text", *texts]))
    else:
        path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    assert len(read_documents(path)) == 5
    monkeypatch.setattr(rows, bound, most)
    with pytest.raises(TextError, match=message):
        read_documents(path)


OPTIONS = [
    {},
    {"compression": "zstd", "data_page_version": "2.0", "row_group_size": 2},
    {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
    {"use_dictionary": False, "column_encoding": {"text": "DELTA_LENGTH_BYTE_ARRAY"}},
]


KINDS = [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_encoding_of_text_is_read(options, kind, tmp_path) -> None:
    texts = ["one", None, "été 🜁", "one", ""]
    table = pa.table({"text": pa.array(texts, pa.string()).cast(kind), "n": [1, 2, None, 4, 5]})
    if pa.types.is_dictionary(kind) and "column_encoding" in options:
        pytest.skip("pyarrow writes dictionaries so, and cannot read them")
    pq.write_table(table, tmp_path / "a.parquet", **options)
    found = read_documents(tmp_path / "a.parquet", domain_column="n")
    expected = [("one", "1"), ("été 🜁", "a"), ("one", "4")]
    assert [(d.text, d.domain) for d in found] == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2], "Column 'text' of a.parquet holds int64, not text"),
        ([["a"], ["b"]], "holds list<element: string>, not text"),
        ([b"\xff", b"a"], "holds binary, not text"),
    ],
    ids=str,
)
def test_a_column_of_another_type_is_told(values, message, tmp_path) -> None:
    pq.write_table(pa.table({"text": values}), tmp_path / "a.parquet")
    with pytest.raises(TextError, match=message):
        read_documents(tmp_path / "a.parquet")


def test_a_text_that_is_no_utf_8_is_refused(tmp_path) -> None:
    array = pa.array([b"\xff\xfe"]).view(pa.string())
    pq.write_table(pa.table({"text": array}), tmp_path / "a.parquet", use_dictionary=False)
    with pytest.raises(TextError, match=r"a\.parquet is not a Parquet file that can be read"):
        read_documents(tmp_path / "a.parquet")


def test_a_parquet_file_cut_anywhere_is_refused(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["some words"] * 5}), path)
    content = path.read_bytes()
    for end in range(0, len(content), 11):
        path.write_bytes(content[:end])
        with pytest.raises(TextError, match=r"a\.parquet is not a Parquet file"):
            read_documents(path)


def test_a_source_of_too_much_is_told_so(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "aaa", "k": "x"}\n{"text": "bbb", "k": "y"}')
    monkeypatch.setattr(documents, "MOST_DOMAINS", 1)
    with pytest.raises(TextError, match="of 2 domains, at most 1"):
        read_documents(path, domain_column="k")
    monkeypatch.setattr(documents, "MOST_CHARACTERS", 5)
    with pytest.raises(TextError, match=r"up to row 2 of a\.jsonl have over 5 characters"):
        read_documents(path)
    monkeypatch.setattr(documents, "MOST_FILES", 1)
    (tmp_path / "b.txt").write_text("b")
    with pytest.raises(TextError, match="over 1 files"):
        read_documents(tmp_path)
    monkeypatch.setattr(documents, "MOST_FILE_BYTES", 0)
    with pytest.raises(TextError, match=r"b\.txt has 0\.0 MB"):
        read_documents(tmp_path / "b.txt")


def test_names_of_files_that_are_not_utf_8_become_printable(tmp_path) -> None:
    """Such a name was once a traceback when its recording was written."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / os.fsdecode(b"\xff.txt")).write_text("words")
    assert read_documents(tmp_path) == [Document("words", "caf�", "caf�/�.txt")]
    assert read_documents(folder / os.fsdecode(b"\xff.txt")) == [Document("words", "�", "�.txt")]


@pytest.mark.parametrize("content", ["\x1c\x1e", "\n \t\n", "\u2003"])
def test_white_space_alone_is_no_text(content, tmp_path) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(TextError, match="no text in"):
        read_documents(tmp_path / "a.txt")
