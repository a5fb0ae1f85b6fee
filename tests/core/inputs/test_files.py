import os
from pathlib import Path

import pytest

from fnprune_core.errors import SettingsError, TextError
from fnprune_core.inputs import files


@pytest.mark.parametrize("text", ["a" * 5000, "~no-such-user/x", "b" * 300])
def test_a_path_that_no_file_can_have_is_refused(text) -> None:
    with pytest.raises(SettingsError, match="is no path") as caught:
        files.path_of(text)
    assert len(caught.value.message) < 400
    assert files.path_of("~/x") == Path.home() / "x"


def test_a_file_over_its_bound_is_refused_before_it_is_read(tmp_path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(10**12)  # takes no room on the disk
    with pytest.raises(TextError, match=r"sparse has 1,000,000\.0 MB; at most 1 MB"):
        files.read_bytes(path, most=10**6, error=TextError)
    path.write_bytes(b"abc")
    assert files.read_bytes(path, most=3, error=TextError) == b"abc"


@pytest.mark.parametrize("kind", ["folder", "pipe", "nothing", "device"])
def test_what_is_no_plain_file_is_not_waited_for(kind, tmp_path) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    with pytest.raises(TextError, match=r"no plain file|cannot be read"):
        files.read_bytes(path, most=10, error=TextError)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"caf\xc3\xa9", ""),
        (b"a" * (1 << 20) + b"\xff", f"byte {1 << 20} is not UTF-8"),
        (b"a" * ((1 << 20) - 1) + "é".encode(), ""),
        (b"a" * ((1 << 20) - 1) + b"\xc3x", f"byte {(1 << 20) - 1} is not UTF-8"),
        (b"ab\0", "byte 2 is zero"),
        (b"ab\xc3", "byte 2 is not UTF-8"),
    ],
)
def test_the_first_fault_of_a_text_is_told_by_its_byte(content, fault, tmp_path) -> None:
    """Blocks of 1 MB must not part a character."""
    path = tmp_path / "x"
    path.write_bytes(content)
    assert files.text_fault(path) == fault


def test_decoding_names_the_line() -> None:
    assert files.decoded(b"\xef\xbb\xbfa", what="x", error=TextError) == "a"
    for content in (b"a\nb\xff", b"a\n\0"):
        with pytest.raises(TextError, match=r"x is not text in UTF-8.*line 2"):
            files.decoded(content, what="x", error=TextError)


def test_names_of_files_that_are_not_utf_8_can_be_printed() -> None:
    name = os.fsdecode(b"caf\xe9")
    assert files.printable(name) == "caf�"
    assert files.printable("café") == "café"
    files.shortened(name).encode()
