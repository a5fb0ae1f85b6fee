"""Each promise of the documentation names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROMISES = ROOT / "docs" / "promises.md"
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_named_test_exists() -> None:
    named = _NAMED.findall(PROMISES.read_text(encoding="utf-8"))
    assert named
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file()
        or f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_nothing_is_promised_without_a_test() -> None:
    """But for what is said not to be promised."""
    for paragraph in PROMISES.read_text(encoding="utf-8").split("\n\n"):
        if paragraph.startswith("**") and not paragraph.startswith("**Not promised**"):
            assert _NAMED.search(paragraph), paragraph
