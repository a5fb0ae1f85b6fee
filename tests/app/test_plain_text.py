"""Names and texts of people, checkpoints and files are text, on every page.

All of them are planted with scripts, pictures and links; whatever a page sends to the browser is
read as the browser would, and only fields that are known to be shown as they are are left out.
"""

import shutil
import warnings

import planted_texts
import pytest
from driving import said
from planted_texts import ALL, Planted, read_as_markdown, read_of, strings_of

from app import pages
from app.shell import resources
from app.shell.wording import plain, sentence
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


@pytest.mark.parametrize("url", [page.url for page in pages.PAGES])
def test_no_page_reads_a_planted_text(planted, open_page, url) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        at = open_page(url, **planted.view)
    assert not at.exception
    assert "inside fnprune" not in said(at)
    assert read(at) == set()


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
