import numpy as np
import pytest

from fnprune_core.errors import SettingsError
from fnprune_core.lesions.on_localizers import ready_stimuli


def test_localizers_are_columns_by_condition_resampled_over_templates(llama) -> None:
    found = ready_stimuli(["negation", "questions"], llama.tokenizer)
    assert found.columns == (
        "Negation: negated", "Negation: affirmed", "Questions: questions", "Questions: statements",
    )  # fmt: skip
    assert found.pairs == ((0, 1), (2, 3))
    assert found.unit == "templates"
    assert found.windows.domain_names == found.columns
    np.testing.assert_array_equal(
        found.texts.column, found.windows.domain_index[found.windows.starts[:-1]]
    )
    alone = ready_stimuli(["questions"], llama.tokenizer)
    n = alone.windows.n_windows
    for i in range(n):
        np.testing.assert_array_equal(
            found.windows.window_ids(found.windows.n_windows - n + i), alone.windows.window_ids(i)
        )
    np.testing.assert_array_equal(found.texts.unit[-n:], alone.texts.unit)
    assert found.texts.columns_without_error() == ()
    with pytest.raises(SettingsError, match="No localizer"):
        ready_stimuli([], llama.tokenizer)
