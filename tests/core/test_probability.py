"""How a p-value is shown."""

import pytest

from fnprune_core.probability import p_text


@pytest.mark.parametrize(
    ("p", "text"),
    [(8e-12, "< .001"), (0.0, "< .001"), (0.001, "0.001"), (1 / 462, "0.0022"), (0.5, "0.5")],
)
def test_no_p_is_shown_more_exactly_than_a_test_can_tell(p, text):
    assert p_text(p) == text


def test_what_was_not_tested_has_no_p():
    assert p_text(float("nan")) == ""
