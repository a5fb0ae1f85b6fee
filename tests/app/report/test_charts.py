import numpy as np
import pandas as pd
from written_report import EVIL, Page

from app.figures.theme import PALETTES
from app.report.charts import diverging, dots, intervals
from app.report.svg import nice_ticks


def test_charts_are_whole_and_safe_whatever_is_drawn() -> None:
    frame = pd.DataFrame(
        {"label": [EVIL, "b"], "value": [1.0, -2.0], "low": [0.5, -2.5], "high": [1.5, -1.5]}
    )
    drawn = intervals({EVIL: frame, "second": frame}, palette=PALETTES["light"], title="x")
    page = Page(str(drawn))
    assert page.open == []
    assert not page.all("img")
    assert len(page.all("svg")) == 2
    assert len(page.all("circle")) == 4
    named = frame.set_index("label").assign(error=[0.1, np.nan])
    dotted = Page(
        str(dots({"a": named}, list(named.index), value="value", error="error",
                 palette=PALETTES["light"], title="t"))
    )  # fmt: skip
    assert len(dotted.all("circle")) == 2
    for each in (page, dotted):
        written = [value for _, attrs in each.tags for value in attrs.values()]
        assert not [value for value in written if "nan" in value.split()]
    assert nice_ticks((0.0, 1.0)) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks((-0.31, 0.29)) == [-0.2, 0.0, 0.2]
    assert nice_ticks((3.0, 3.0)) == [3.0]
    assert {diverging(s, PALETTES["light"]) for s in (-9.0, 0.0, 9.0)} == {
        PALETTES["light"].cold[-1], PALETTES["light"].silhouette, PALETTES["light"].hot[-1],
    }  # fmt: skip
