"""Choices of texts as plain values."""

import pandas as pd
import pytest
from open_reach import open_reach

from app.shell.text_choice import TextChoice, columns_of
from fnprune_core.errors import TextError
from fnprune_core.storage.workspace import Workspace


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
