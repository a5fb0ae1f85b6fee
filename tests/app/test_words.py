"""What people read on pages: no riddles, one word for one thing, numbers in one style.

The style is in docs/words.md; here are the forms that it rules out.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.figures.markup import signed

ROOT = Path(__file__).parents[2]
#: Forms that once stood on a page, and what to write instead.
BANNED = {
    r"\bput (it|them) away\b": "say what the button does",
    r"\btake (it|them|these pins) away\b": "download, remove",
    r"\bbring (it )?back\b": "upload",
    r"\bset (it|them) aside\b": "name what is set aside",
    r"\b(data|tokens) bear\b": "support",
    r"\bthe signs turn\b": "say which sides change places",
    r"\basks? nothing of the network\b": "needs no internet connection",
    r"\bplaces are ours\b": "the layout is computed",
    r"\b(windows?|units?|nats|items?|sheet|value|colour|mm|operations) a "
    r"(token|layer|domain|condition|unit|line)\b": "per",
    r"\bas is said\b|\bis said once\b": "is shown after that",
    r"\b(in|to) the lab\b": "Prune",
    r"\b(drives?|driven) (it|them|by|the network|each|most)\b": "goes with, is strongest in",
    r"\bwhat drives\b": "what a network goes with: it is no cause",
    r"\blot of\b|\betc\b|\be\.g\.|\bi\.e\.": "write it out",
    r"(?<![\w.:(,])\d+%(?![;\w])": "a space before %",
    r"(?<=[ (])-\d+(\.\d+)?(?=[ ,.;)])": "a true minus, −",
}


def _texts_of_code(path: Path) -> Iterator[str]:
    """Yield the strings of a module, without docstrings; {} stands for what is filled in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed_over = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed_over.add(node.value)  # a docstring
        if isinstance(node, ast.JoinedStr):
            passed_over |= {each for each in ast.walk(node) if each is not node}
            yield "".join(
                str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values
            )
        elif isinstance(node, ast.Constant) and node not in passed_over:
            yield node.value if isinstance(node.value, str) else ""


def _texts_of_data(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts_of_data(each)


def _texts() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "app").rglob("*.py")):
        yield from ((str(path.relative_to(ROOT)), text) for text in _texts_of_code(path))
    for name in ("glossary.toml", "lesson/*.toml"):
        for path in sorted((ROOT / "assets").glob(name)):
            data = tomllib.loads(path.read_text(encoding="utf-8"))
            yield from ((path.name, text) for text in _texts_of_data(data))


def _findings(texts: Iterator[tuple[str, str]]) -> list[str]:
    return [
        f"{place}: {found.group(0)!r} in {text[:80]!r}; {instead}"
        for place, text in texts
        for form, instead in BANNED.items()
        if (found := re.search(form, text, re.I)) and " " in text
    ]


def test_no_page_has_a_form_that_puzzles() -> None:
    assert _findings(_texts()) == []


@pytest.mark.parametrize(
    "text",
    [
        "Put it away", "How many networks do these data bear?", "Windows a domain",
        "There the signs turn.", "Open in the lab", "It explains 88% of it", "z is -1.3 there",
        "Take it away",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_is_for(text) -> None:
    """Else the test above could not fail."""
    assert _findings(iter([("page", text)])), text


def test_percentages_are_written_with_a_space() -> None:
    """A percentage by `:.0%` has none: 88 % is made from 100 times the share."""
    squeezed = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "app").rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"(?<!%)\{[^{}%]+:[+.,\d]*%\}", line)
    ]
    assert squeezed == []


def test_a_number_in_a_sentence_has_a_true_minus() -> None:
    assert signed(-1.34, ".1f") == "−1.3"
    assert signed(0.5, "+.2f") == "+0.50"
