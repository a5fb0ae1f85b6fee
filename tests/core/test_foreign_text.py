"""Names and texts of others, as Markdown, tables and terminals would read them."""

import csv
import io
import re

import pandas as pd
import planted_texts
import pytest
from browsing import ROOT

from fnprune_core.commands.console import print_error, print_table
from fnprune_core.errors import FnpruneError
from fnprune_core.foreign_text import csv_of, markdown_line

STEERS = "a\x1b]0;title\x07\x9b31m\u202e"
RUN = ("=1+1", "+1", "-cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "'=1")


def test_no_heading_and_no_cell_of_a_table_is_a_formula() -> None:
    table = pd.DataFrame({f"{name}x": [name, "text", None] for name in RUN} | {"n": [-1.5, 2, 3]})
    rows = list(csv.reader(io.StringIO(csv_of(table))))
    cells = [cell for row in rows for cell in row[:-1]]
    assert [cell for cell in cells if re.match(r"[=+\-@\t\r]", cell)] == []
    assert [row[-1] for row in rows] == ["n", "-1.5", "2.0", "3.0"]


def test_a_category_is_a_text_too() -> None:
    assert csv_of(pd.DataFrame({"a": pd.Categorical(["=1", "b"])})) == "a\n'=1\nb\n"


def test_tables_are_written_in_one_place() -> None:
    """A table that a page or a command writes otherwise would bring its cells as they are."""
    files = [path for folder in ("app", "fnprune_core") for path in (ROOT / folder).rglob("*.py")]
    writing = [path.name for path in files if ".to_csv(" in path.read_text(encoding="utf-8")]
    assert writing == ["foreign_text.py"]


def test_nothing_of_a_name_is_read_as_markdown() -> None:
    line = markdown_line(f"{planted_texts.ALL}\n# title\n---\n| `x` | {STEERS}")
    assert planted_texts.read_as_markdown(line) == []
    assert "\n" not in line
    assert re.findall(r"(?<!\\)[|`]|[\x00-\x1f\x7f-\x9f\u202e]", line) == []


@pytest.mark.parametrize("name", [STEERS, r"\[red]", "[/red]", "[link=http://x]", ":smile:"])
def test_a_terminal_shows_a_name_and_is_not_steered(name, capsys) -> None:
    print_table(name, [name], [[name]])
    print_error(FnpruneError(name, hint=name), as_json=False)
    shown = "".join(capsys.readouterr())
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown) == []
    if name != STEERS:
        assert shown.count(name) == 5
