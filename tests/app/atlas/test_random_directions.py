"""Networks beside random directions, on each page that shows their statistics."""

from driving import captions, finish, press, said

from app.learn import data as learned
from app.shell.caches import directions as cache
from fnprune_core.atlas.chance.directions import KINDS


def test_directions_are_made_once_and_stand_beside_each_statistic(open_page, example) -> None:
    link = {**example.view(), "network": "1"}
    lesson = {**link, "chapter": "localizers", "step": "do", "show": "open"}
    assert "was not measured" in captions(open_page("learn", **lesson))
    at = open_page("atlas", **link, show="decoding")
    assert "random directions (95th percentile" not in said(at)
    press(at, "Compare with random directions")
    assert finish(at).state == "done"
    at = open_page("atlas", **link, show="decoding")
    assert not at.exception
    assert not any(button.label.startswith("Compare with") for button in at.button)
    told = " ".join([said(at), *(c.value for c in at.caption), *(w.value for w in at.warning)])
    for name, says in (("domains", "Domains explain"), ("classes", "Token classes explain")):
        found = cache.beside(example.atlas, name)
        own, usual = found.networks[1], found.control_median()
        assert f"{says} {own:.2f} of its variance; {usual:.2f} for random directions" in told
    is_above = [
        cache.beside(example.atlas, n).is_above()[1] for n in ("domains", "classes", "tokens")
    ]
    marked = [w.value for w in at.warning if w.value.startswith("**Not above random directions")]
    assert len(marked) == is_above.count(False)

    at = open_page("trust", **link, show="directions")
    assert not at.exception
    shown, totals = (table.value for table in at.dataframe)
    assert totals["of"].tolist() == ["networks", *KINDS]
    row = shown.iloc[0]
    assert row["difference"] == row["networks"] - row["directions"]

    assert shown["statistic"].iloc[-1].startswith("Variance of the signals, alone")
    at = open_page("trust", **link, show="variance")
    variance = cache.beside(example.atlas, "variance")
    explains = f"By itself it explains {variance.networks[1]:.2f} % of it; "
    assert (
        f"{explains}{variance.control_median():.2f} for random directions"
        in f"{said(at)} {captions(at)}"
    )
    for page in ("trust", "decompose"):
        at = open_page(page, **link, show="variance")
        assert not at.exception
        assert "of the variance, as many random directions" in captions(at), page

    at = open_page("connectome", **link, show="groups")
    assert not at.exception
    told = [c.value for c in at.caption] + [w.value for w in at.warning]
    assert any("as many random directions" in text and "(shifted)" in text for text in told)

    contrast = learned.direction_contrast(example.atlas, "prose", "code", None)
    n = contrast.n_significant(by="documents")
    told = captions(open_page("learn", **lesson))
    assert f"Of as many random directions in the same units {n} have p < 0.05" in told
