"""Errors as they travel: from another process they come back whole."""

import copy

import pytest

from fnprune_core.errors import NetworksMovedError, NonFiniteError, SettingsError


@pytest.mark.parametrize(
    "error",
    [
        NonFiniteError("a", hint="b"),
        SettingsError("a"),
        NetworksMovedError("a", hint="b", can_match=True),
    ],
)
def test_an_error_is_made_again_with_all_that_it_says(error) -> None:
    again = copy.copy(error)  # as pickle does it
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
