"""Names and texts of people, checkpoints and files are text, on every page.

All of them are planted with scripts, pictures and links; whatever a page sends to the browser is
read as the browser would, and only fields that are known to be shown as they are are left out.
"""

import re
import shutil
import warnings

import planted_texts
import pytest
from driving import said
from planted_texts import ALL, SERVER, Planted, read_as_markdown, read_of, strings_of, tags

from app import pages
from app.html_files.atlas_page import write_atlas_page
from app.report.html_page import write_report
from app.shell import resources
from app.shell.wording import plain, sentence
from fnprune_core.assets import asset
from fnprune_core.errors import NotConvergedWarning


@pytest.fixture(scope="session")
def planted_once(tmp_path_factory) -> Planted:
    return planted_texts.plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture
def planted(planted_once, fresh) -> Planted:
    shutil.copytree(planted_once.root / "workspace", fresh)
    resources.shelf().get(planted_once.model, progress=lambda event: None)
    return planted_once


def sent(at) -> list[tuple[str, str, str]]:
    """Return every string that the page sent, with its message and field."""
    protos = [getattr(node, "proto", None) for node in at._tree]
    return [each for proto in protos if proto is not None for each in strings_of(proto)]


def read(at) -> set[tuple[str, str, str]]:
    return {
        (name, field, found)
        for name, field, text in sent(at)
        for found in read_of(name, field, text)
    }


@pytest.mark.parametrize("url", [view.url for view in pages.VIEWS])
def test_no_page_reads_a_planted_text(planted, open_page, url) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        at = open_page(url, **planted.view)
    assert not at.exception
    assert "inside fnprune" not in said(at)
    assert read(at) == set()


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("atlas", {"map": "layers"}),
        ("atlas", {"beside": "0.1"}),
        ("connectome", {"show": "body"}),
        ("connectome", {"network": "0", "beside": "1"}),
        ("scanner", {"show": "several", "beside": "1"}),
        ("parcellation", {"map": "layers"}),
        *(("parcellation", {"show": name}) for name in ("depth", "share")),
        ("lesions", {"part": "patients"}),
        ("lesions", {"column": "1"}),
        ("generations", {"show": "pruned"}),
        ("export", {"show": "per-layer"}),
        ("compare", {"other": ""}),
        ("plans", {"plan": ""}),
    ],
)
def test_no_other_view_of_a_page_does(planted, open_page, url, options) -> None:
    at = open_page(url, **(planted.view | options))
    assert not at.exception
    assert read(at) == set()


def test_no_chooser_of_files_does(planted, open_page, monkeypatch) -> None:
    """Names and columns of planted files, and the refusal of a planted path."""
    at = open_page("prune", **planted.view)
    at.segmented_control(key="evaluate-kind").set_value("Path or data set").run()
    at.text_input(key="evaluate-source").set_value(f"./{ALL}.txt").run()
    assert "planted" in said(at)
    assert read(at) == set()
    at.text_input(key="evaluate-source").set_value(str(planted.texts)).run()
    at.selectbox(key="evaluate-domain-column").set_value("topic").run()
    assert "planted" in " ".join(caption.value for caption in at.caption)
    assert read(at) == set()
    at = open_page("start", model=planted.model + "-missing")
    assert "planted" in said(at)
    assert read(at) == set()


@pytest.mark.parametrize("kind", ["atlas", "report"])
def test_no_exported_page_reads_a_planted_text(planted, tmp_path, kind) -> None:
    target = tmp_path / "page.html"
    write = write_atlas_page if kind == "atlas" else write_report
    text = write(resources.workspace(), planted.view["atlas"], target).read_text()
    assert SERVER in text
    assert "default-src 'none'" in text
    leading = [tag for tag in tags(text) if SERVER in tag or re.search(r"\\bon\\w+'", tag)]
    assert leading == []
    # In a script it may stand only as data, which cannot end the script.
    bundle = asset("static/niivue/niivue.umd.js").read_text(encoding="utf-8")  # unchanged, ours
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", text.replace(bundle, ""), re.S)
    assert not any("<script" in script or "<img" in script for script in scripts)


def test_the_attack_is_on_the_pages(planted, open_page) -> None:
    """Else the test above could not fail."""
    for url in ("atlas", "prune", "plans", "lesions", "localizers"):
        texts = [text for _, _, text in sent(open_page(url, **planted.view))]
        assert any("planted" in text for text in texts), url


def test_plain_is_read_as_nothing() -> None:
    assert read_as_markdown(ALL)
    assert read_as_markdown(plain(ALL)) == []
    assert read_as_markdown(sentence(ALL)) == []
    assert read_as_markdown(plain(f"{ALL}\n# {ALL}\n===\n\n    {ALL}")) == []


def test_plain_loses_nothing_that_can_be_seen() -> None:
    assert plain(ALL).replace("\\", "").replace("\u2060", "") == ALL
    assert plain("Network 3") == "Network 3"
    assert plain("12:30") == "12\\:30"
