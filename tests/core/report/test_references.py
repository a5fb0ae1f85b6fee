import re
from dataclasses import replace

from written_report import Page

from app.report.html_page import report_page
from fnprune_core.foreign_text import visible
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
    assert not re.search(r"\{[a-z]+\d{4}\}", "".join(made.page.text).partition("@")[0])


def test_a_name_in_braces_is_no_citation(made) -> None:
    material = replace(made.m)
    name = "{nobody1999} {sun2024} \\input{x} \u202e"
    vars(material)["recording"] = {**made.m.recording, "model_name": name}
    page = Page(report_page(material, ["methods"]))
    shown = "".join(page.text).replace("\u200c", "")
    assert f"The model is {visible(name)} (fingerprint" in shown
    assert "sun2024" not in shown.partition("@")[2]
