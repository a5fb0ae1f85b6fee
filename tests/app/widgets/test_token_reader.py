import numpy as np

from app.widgets.token_reader import _strongest


def test_tokens_of_one_character_are_drawn_as_one() -> None:
    values = np.array([1.0, np.nan, -3.0, 2.0])
    assert _strongest(values, [(0, 0), (1, 3)]).tolist() == [1.0, -3.0]
    assert np.isnan(_strongest(np.array([np.nan, np.nan]), [(0, 1)])).all()
