"""Choices of texts as plain values, and where uploads lie."""

import pandas as pd
import pytest
from open_reach import open_reach

from app.shell.text_choice import TextChoice, Uploads, columns_of
from fnprune_core.errors import SettingsError, StorageError, TextError
from fnprune_core.storage.workspace import Workspace


def test_upload_keeps_its_name_and_never_leaves_its_folder() -> None:
    uploads = Uploads(limit_bytes=1000)
    path = uploads.store("ein é 文 👩‍🔬.csv", b"text\nhello\n")
    assert path.name == "ein é 文 👩‍🔬.csv"
    assert uploads.folder in path.parents
    assert path.read_bytes() == b"text\nhello\n"
    assert uploads.store(path.name, b"text\nhello\n") == path
    assert uploads.store(path.name, b"text\nother\n") != path


@pytest.mark.parametrize(
    "name",
    ["../../evil.csv", "..\\evil.csv", "/etc/passwd", "..", ".", "", "a\0b.csv", "a\nb.csv",
     "\ud800.csv", "x" * 252 + ".csv", "é" * 126 + ".csv"],
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_refused_in_words(name) -> None:
    """A long one and a zero byte ended in tracebacks, and a path lost its folders."""
    uploads = Uploads(limit_bytes=1000)
    with pytest.raises(SettingsError, match=r"The file's name .*Rename the file"):
        uploads.store(name, b"text")
    assert list(uploads.folder.iterdir()) == []


def test_uploads_are_bounded_and_those_long_unused_make_room() -> None:
    seconds = [0.0]
    uploads = Uploads(limit_bytes=100, clock=lambda: seconds[0])
    first, second = uploads.store("a.txt", b"a" * 60), uploads.store("b.txt", b"b" * 40)
    with pytest.raises(StorageError, match="in use"):
        uploads.store("c.txt", b"c" * 50)
    assert first.is_file()
    seconds[0] = 3000.0
    uploads.store("b.txt", b"b" * 40)  # used again: it stays
    seconds[0] = 3700.0
    third = uploads.store("c.txt", b"c" * 50)
    assert (first.exists(), second.exists(), third.exists()) == (False, True, True)
    with pytest.raises(StorageError, match="in use"):
        uploads.store("d.txt", b"d" * 101)


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl", "parquet", "txt"])
def test_columns_of_files(tmp_path, ending) -> None:
    path = tmp_path / f"rows.{ending}"
    frame = pd.DataFrame({"text": ["a"], "topic": ["b"]})
    if ending == "csv":
        frame.to_csv(path, index=False)
    elif ending == "tsv":
        frame.to_csv(path, index=False, sep="\t")
    elif ending in ("json", "jsonl"):
        frame.to_json(path, orient="records", lines=ending == "jsonl")
    elif ending == "parquet":
        frame.to_parquet(path)
    else:
        path.write_text("text,topic")
    assert columns_of(path) == ([] if ending == "txt" else ["text", "topic"])


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_file_that_is_not_what_its_ending_says(tmp_path, ending) -> None:
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(TextError, match=r"rows\."):
        columns_of(path)


def test_a_row_of_nothing_but_brackets_is_told(tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("[" * 200_000)
    with pytest.raises(TextError, match=r"rows\.jsonl could not be read"):
        columns_of(path)


def test_choice_reads_the_columns_it_names(tmp_path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("body,topic\nhello,greeting\n")
    choice = TextChoice(sources=(str(path),), text_column="body", domain_column="topic")
    (document,) = choice.documents(open_reach(Workspace(tmp_path)))
    assert (document.text, document.domain) == ("hello", "greeting")


def test_only_a_data_set_needs_the_network(tmp_path) -> None:
    assert TextChoice(sources=("wikitext:wikitext-2-raw-v1",)).needs_network
    assert not TextChoice(sources=(str(tmp_path),)).needs_network
    assert not TextChoice(sources=("./missing.txt",)).needs_network
    assert not TextChoice().needs_network
