"""Files of stimuli, read or refused with what would do."""

import pytest
from toy_localizer import toy

from fnprune_core.errors import SettingsError, TextError
from fnprune_core.localizers import ready_made
from fnprune_core.localizers.stimuli import read_localizer

# Stimuli ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_file_of_ones_own_is_read(delimiter, tmp_path) -> None:
    rows = [(c, f'"x one{delimiter} two {i}"') for c in "ab" for i in range(24)]
    path = tmp_path / "mine.tsv"
    path.write_text("\n".join(delimiter.join(row) for row in rows))
    found = read_localizer(path)
    assert found.name == "mine"
    assert found.conditions == ("a", "b")
    assert (found.unit, found.is_paired) == ("blocks", False)
    assert len(found.templates("a")) == 4
    assert found.texts("b")[3] == f"x one{delimiter} two 3"
    titled = "text,condition,template\n" + "\n".join(
        f"go {i},{c},{i % 6}" for c in "ab" for i in range(12)
    )
    with_templates = read_localizer(titled.encode(), negative=("a",))
    assert (with_templates.unit, with_templates.is_paired) == ("templates", True)
    assert with_templates.conditions == ("b", "a")


LINES = [f"{c},some words {i}" for c in "ab" for i in range(12)]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "empty", "condition and text"),
        ("\n".join(line for line in LINES if line[0] == "a"), "two conditions", "second condition"),
        ("\n".join([*LINES, "a,b,c"]), "Line 25 has a number of columns other than 2", "quotes"),
        (
            "\n".join([*LINES[:4], "a,", *LINES[4:], ",x y"]),
            "Line 26 has an empty condition",
            "Fill",
        ),
        ("\n".join([*LINES, "a,"]), "Line 25 has an empty text", "Fill it in"),
        ("\n".join(line[2:] for line in LINES), "one column only", "two columns"),
        ("\n".join(LINES[:14]), "Condition 'b' has 1 blocks; 4 are the least", "Give 8 items"),
        (
            "condition,template,text\n"
            + "\n".join(f"{c},{i % 3},x y" for c in "ab" for i in range(9)),
            "has 3 templates",
            "more frames",
        ),
        ('a,"never closed', "no table", "condition and text"),
    ],
)
def test_a_wrong_file_says_what_is_missing_and_what_would_do(text, message, hint) -> None:
    with pytest.raises(TextError) as caught:
        read_localizer(text.encode())
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_wrong_contrasts_and_names_are_told() -> None:
    with pytest.raises(TextError, match="no condition 'z'"):
        toy(positive=("z",))
    with pytest.raises(TextError, match="both sides"):
        toy(positive=("up",), negative=("up", "down"))
    with pytest.raises(SettingsError, match="no ready localizer 'nope'"):
        ready_made.load("nope")
    with pytest.raises(TextError, match="UTF-8"):
        read_localizer(b"\xff\xfe\x00a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n" * 20_001, "over 20,000 items"),
        ("a," * 80, "has 81 columns, at most 64"),
        ("condition,text,text\na,b,c", "'text' twice"),
        ("\n".join(f"c{i},some words" for i in range(80)), "80 conditions, at most 64"),
        ("\n".join([*LINES, "x" * 300 + ",words"]), "Line 25 has a condition of over 200"),
        ("\n".join([*LINES, "a\u202eb,words"]), "Line 25 has a condition of over 200"),
        ("a,b\na,\0", "line 2 holds a zero byte"),
        (" " * 17_000_000, "17.0 MB; at most 16 MB"),
    ],
    ids=lambda value: value[:20],
)
def test_a_file_over_a_bound_is_told_it(text, message, tmp_path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")
    for source in (path, text.encode()):
        with pytest.raises(TextError, match=message) as caught:
            read_localizer(source)
        assert caught.value.hint
        assert str(path) in str(caught.value) or source is not path or message[:4] == "Line"
