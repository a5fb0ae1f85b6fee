"""The changes that *Extend* shows, made in a tree by their content rather than by line numbers.

The tree may have changed around them, or hold them already because somebody followed the guide.
"""

import re
from collections.abc import Iterator
from pathlib import Path

Lines = list[str]


def follow(diff: Path, root: Path) -> None:
    """Make the additions of a diff in the files below `root`, but for those that are there."""
    for name, hunks in _files(diff.read_text(encoding="utf-8")):
        path = root / name
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for hunk in hunks:
            for before, added, after in _additions(hunk):
                if _place(lines, added) is None:
                    place = _between(lines, before, after)
                    assert place is not None, f"{diff.name}: no place for it in {name}:\n{added}"
                    lines[place:place] = added
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _files(text: str) -> Iterator[tuple[str, list[Lines]]]:
    for part in re.split(r"^diff --git .*\n", text, flags=re.M)[1:]:
        name = re.search(r"^\+\+\+ b/(.*)$", part, re.M)
        assert name is not None
        hunks = re.split(r"^@@ .*\n", part, flags=re.M)[1:]
        yield name[1], [hunk.splitlines() for hunk in hunks]


def _additions(hunk: Lines) -> Iterator[tuple[Lines, Lines, Lines]]:
    """Yield each stretch of added lines, with the lines that stand before and behind it."""
    assert not any(line.startswith("-") for line in hunk), "the guide adds, and takes nothing away"
    is_added = [line.startswith("+") for line in hunk]
    texts = [line[1:] for line in hunk]
    start = 0
    while start < len(hunk):
        if not is_added[start]:
            start += 1
            continue
        stop = next((i for i in range(start, len(hunk)) if not is_added[i]), len(hunk))
        yield texts[:start], texts[start:stop], texts[stop:]
        start = stop


def _place(lines: Lines, sought: Lines) -> int | None:
    """Return where lines stand one behind the other for the first time."""
    found = [i for i in range(len(lines)) if lines[i : i + len(sought)] == sought]
    return found[0] if found else None


def _between(lines: Lines, before: Lines, after: Lines) -> int | None:
    """Return the place behind or before the longest stretch of what stands around it."""
    for length in range(max(len(before), len(after)), 0, -1):
        above, below = before[-length:], after[:length]
        if any(above) and (place := _place(lines, above)) is not None:
            return place + len(above)
        if any(below) and (place := _place(lines, below)) is not None:
            return place
    return None if lines else 0
