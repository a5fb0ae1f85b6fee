from app.widgets import lasso


def test_rows_come_from_customdata_once_however_it_is_wrapped() -> None:
    event = {
        "selection": {
            "points": [{"customdata": 4}, {"customdata": [2]}, {"x": 1.0}, {"customdata": 4}]
        }
    }
    assert lasso.chosen_rows(event) == [2, 4]
    assert lasso.chosen_rows(None) == []
