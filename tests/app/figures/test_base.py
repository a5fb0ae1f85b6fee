"""Tables behind pictures are read by people: words for columns, no p that says too much."""

import pandas as pd

from app.figures.base import COLUMN_NAMES, in_words


def test_columns_have_names_in_words_and_p_is_as_people_read_it():
    table = pd.DataFrame(
        {"change_error": [0.1, 0.2], "p": [8e-12, float("nan")], "q": [3.2e-5, 0.04123]}
        | {"some_new_column": [1, 2]}
    )
    shown = in_words(table)
    assert not [name for name in shown if "_" in name]
    assert shown["p"].tolist() == ["< .001", ""]
    assert shown["q (corrected p)"].tolist() == ["< .001", "0.041"]
    assert table["p"][0] == 8e-12  # the file keeps the number


def test_no_two_columns_have_one_name():
    assert len(set(COLUMN_NAMES.values())) == len(COLUMN_NAMES)
