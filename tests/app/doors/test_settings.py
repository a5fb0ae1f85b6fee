"""Settings of the doors: what counts as this machine, names, tokens, numbers."""

import socket

import pytest

from app.doors.settings import is_loopback, read
from fnprune_core.errors import SettingsError

TOKEN = "a-token-of-enough-letters"


@pytest.mark.parametrize(
    ("name", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("::ffff:192.168.1.2", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("2130706433", False),
        ("", False),
    ],
)
def test_what_is_this_machine(name, is_here) -> None:
    assert is_loopback(name) is is_here


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.2", "fnprune.lan"])
def test_any_other_address_is_shared(address) -> None:
    assert not read(address, {}).is_private


def test_a_name_that_was_told_makes_loopback_shared() -> None:
    """A proxy in front of loopback is how strangers get there."""
    assert read("127.0.0.1", {}).is_private
    for name in ("fnprune.example", "*", "localhost"):  # the last: a machine with other accounts
        assert not read("127.0.0.1", {"FNPRUNE_ALLOW_HOST": name}).is_private


def test_names_by_which_people_come() -> None:
    private = read("localhost", {})
    assert private.knows("localhost")
    assert not private.knows("192.168.1.2")
    assert not private.knows(socket.gethostname())
    told = "https://fnprune.example:8443/, *.lan [fd00::2]:8501"
    shared = read("0.0.0.0", {"FNPRUNE_ALLOW_HOST": told})
    known = ("localhost", "192.168.1.2", "fd00::2", "fnprune.example", "a.lan", "b.a.lan")
    assert [name for name in known if not shared.knows(name)] == []
    assert shared.knows(socket.gethostname().lower())
    unknown = ("evil.example", "xfnprune.example", "lan", "fnprune.example.evil.example", "")
    assert [name for name in unknown if shared.knows(name)] == []


def test_any_name_may_be_allowed() -> None:
    shared = read("0.0.0.0", {"FNPRUNE_ALLOW_HOST": "*"})
    assert shared.knows("evil.example")
    assert not shared.is_told_of("evil.example"), "a page elsewhere is no page of ours"


def test_a_token_is_made_where_none_is_set() -> None:
    first, second = read("0.0.0.0", {}).token, read("0.0.0.0", {}).token
    assert first != second
    assert min(len(first), len(second)) >= 32
    assert read("0.0.0.0", {"FNPRUNE_TOKEN": TOKEN}).token == TOKEN


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("FNPRUNE_TOKEN", "short", "5 characters"),
        ("FNPRUNE_TOKEN", "with a space in it", "white space"),
        ("FNPRUNE_TOKEN", "schlüssel-mit-umlaut", "ASCII"),
        ("FNPRUNE_ALLOW_ROOT", "/no/such/folder", "no folder"),
        ("FNPRUNE_TRUST_PROXY", "maybe", "1 or 0"),
        ("FNPRUNE_MAX_TEXT_CHARS", "many", "a number"),
        ("FNPRUNE_MAX_READ_MB", "-1", "a number"),
        ("FNPRUNE_MAX_UPLOADS_MB", "nan", "a number"),
    ],
)
def test_a_slip_is_told(name, text, said) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        read("0.0.0.0", {name: text})
    assert name in str(caught.value)
    assert caught.value.hint


def test_limits_have_settings() -> None:
    limits = read(
        "127.0.0.1",
        {
            "FNPRUNE_MAX_TEXT_CHARS": "10",
            "FNPRUNE_MAX_READ_MB": "2",
            "FNPRUNE_MAX_UPLOADS_MB": "0.5",
        },
    ).limits
    assert (limits.text_chars, limits.read_bytes, limits.upload_bytes) == (10, 2_000_000, 500_000)
