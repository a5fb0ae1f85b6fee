import pytest
from named_networks import AWKWARD, SPOKEN

from fnprune_core.atlas import annotation_files
from fnprune_core.atlas.annotation_files import MAX_FILE_BYTES, Annotation
from fnprune_core.errors import TextError


@pytest.mark.parametrize("write", [annotation_files.to_json, annotation_files.to_csv])
def test_a_file_brings_everything_back(write) -> None:
    found = annotation_files.parse(write(SPOKEN).encode())
    assert dict(found.networks) == AWKWARD
    assert (found.atlas_id, found.fingerprint, found.n_networks) == ("a1", "model-1", 6)


def test_no_cell_of_the_table_begins_like_a_formula() -> None:
    cells = [
        cell for line in annotation_files.to_csv(SPOKEN).splitlines() for cell in line.split(",")
    ]
    assert not any(cell.lstrip('"')[:1] in tuple("=+-@") for cell in cells if cell.strip('"'))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "x" * 81}, "at most 80 characters, got 81"),
        ({"note": "x" * 4001}, "at most 4,000"),
        ({"name": "two\nlines"}, r"U\+000A at place 4"),
        ({"name": "bell\a"}, r"U\+0007"),
        ({"note": "turned \u202e round"}, r"U\+202E"),
        ({"note": "\ud800"}, r"U\+D800"),
        ({"tags": ("a,b",)}, "without comma"),
        ({"tags": tuple(map(str, range(13)))}, "at most 12 tags"),
    ],
)
def test_text_out_of_bounds_is_refused_with_the_reason(fields, message) -> None:
    with pytest.raises(TextError, match=message):
        Annotation(**fields)


CSV = annotation_files.to_csv(SPOKEN)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00", "UTF-8: byte 0"),
        (annotation_files.to_json(SPOKEN).encode()[:-40], "not whole JSON"),
        (b"[" * 100_000, "not whole JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not whole JSON"),
        (b'{"kind": "something else"}', "does not hold names"),
        (b'{"kind": "fnprune annotations", "schema_version": 99}', "schema version 99"),
        (b'{"kind": "fnprune annotations", "schema_version": 1}', "no `networks`"),
        (
            annotation_files.to_json(SPOKEN).replace('"0"', '"-1"').encode(),
            "Network '-1': '-1' is no number",
        ),
        (annotation_files.to_json(SPOKEN).replace('"+1"', "7").encode(), "Network '5'"),
        (annotation_files.to_json(SPOKEN).replace("+1", "\\u0000").encode(), r"U\+0000"),
        (b"layer,index\n1,2\n", "neither JSON nor a table"),
        (CSV.encode()[:-40], "cut short|cannot be read|as many cells"),
        (CSV[: CSV.index("quoted")].encode(), "cannot be read"),
        (b"network,name\n1,French\nx,French\n", "line 3: 'x' is no number"),
        (b"network,name\n1," + b"x" * 200_000, "field larger than field limit"),
        (b" " * (MAX_FILE_BYTES + 1), "16.0 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_and_foreign_files_are_told(content, message) -> None:
    with pytest.raises(TextError, match=message):
        annotation_files.parse(content)
