import pytest

from fnprune_core.report import references
from fnprune_core.report.references import split_citations


def test_references_are_whole_and_only_those_named_are_listed(made) -> None:
    for key, each in references.REFERENCES.items():
        assert each.line()
        entry = each.entry(key)
        assert entry.count("{") == entry.count("}")
        assert each.short[-4:].isdecimal()
    assert split_citations("as {himberg2004} say {not a key}") == [
        ("as ", ""), ("Himberg et al. 2004", "himberg2004"), (" say {not a key}", ""),
    ]  # fmt: skip
    listed = [li["id"] for li in made.page.all("li") if li.get("id", "").startswith("ref-")]
    named = {a["href"][1:] for a in made.page.all("a") if a["href"].startswith("#ref-")}
    assert set(listed) == named
    with pytest.raises(KeyError):
        references.cited(["{nobody1999}"])
