"""Words that are hidden at first, and what must not be."""

import pytest

from fnprune_core.texts.spared_words import is_spared


@pytest.mark.parametrize("text", [" murderers", "Rape", "…terrorism,", " SUICIDE", "shit"])
def test_insults_and_crimes_are_spared(text) -> None:
    assert is_spared(text)


@pytest.mark.parametrize(
    "text",
    ["rapeseed", " grape", " spice", "class", " assess", " Essex", "�", "", "raccoon"],
)
def test_words_that_hold_their_letters_are_not(text) -> None:
    assert not is_spared(text)
