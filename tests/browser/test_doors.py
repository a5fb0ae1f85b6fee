"""Strangers and planted texts in a real browser."""

import re
import sys
from collections.abc import Iterator
from itertools import cycle
from urllib.parse import urlencode, urlsplit

import planted_texts
import pytest
from browsing import ROOT, Browser, opened, serving, wait_for
from planted_texts import SERVER
from selenium.webdriver.common.by import By

from app import pages

pytestmark = pytest.mark.browser
TOKEN = "a-token-of-enough-letters"
#: Widths and modes that pages are seen in, in turn.
LOOKS = ((1280, "dark"), (390, "light"), (1280, "light"))
#: What would load from, or lead to, the planted server, shadows of components included.
_PLANTED = """
    const found = []
    const seek = (root) => {
      for (const each of root.querySelectorAll('*')) {
        for (const name of ['src', 'href', 'xlink:href', 'srcset', 'style', 'action']) {
          const value = (each.getAttribute(name) || '').split('?')[0]
          if (value.includes(arguments[0])) found.push(`${each.tagName} ${name}=${value}`)
        }
        if (each.shadowRoot) seek(each.shadowRoot)
      }
    }
    seek(document)
    return found
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """A server that listens everywhere, over the planted workspace; and the view of it all."""
    folder = tmp_path_factory.mktemp("planted")
    planted = planted_texts.plant(folder)
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
    command += ["--server.address=0.0.0.0"]
    variables = {
        "FNPRUNE_TOKEN": TOKEN, "OMP_NUM_THREADS": "1",
        "FNPRUNE_WORKSPACE": str(folder / "workspace"), "FNPRUNE_ALLOW_ROOT": str(folder),
    }  # fmt: skip
    with serving(
        lambda port: [*command, f"--server.port={port}"],
        cwd=ROOT, log=folder / "log", **variables,
    ) as url:  # fmt: skip
        yield f"{url}?{urlencode(planted.view)}"


def parts_of(person: Browser) -> list[str]:
    return person.driver.execute_script(_PLANTED, SERVER)


def test_no_planted_text_makes_a_foreign_request(need_chromium, address) -> None:
    """Through the token's page and over every page: all requests go to the server itself.

    Names that long also show whether a page fits the screen, and whether all words stand out.
    """
    base, _, view = address.partition("?")
    own = urlsplit(base).netloc
    with opened(need_chromium, base) as person:
        person.driver.get(f"{base}/plans?{view}")
        person.read("asks who is there")
        box = person.driver.find_element(By.NAME, "fnprune_token")
        box.send_keys("not-the-right-token")
        box.submit()
        person.read("not this server")
        box = person.driver.find_element(By.NAME, "fnprune_token")
        box.send_keys(TOKEN)
        box.submit()
        person.settle()  # waits for the app, which the token's page is not
        assert "fnprune_token" not in person.driver.current_url
        assert TOKEN not in person.driver.current_url
        names = {cookie["name"]: cookie for cookie in person.driver.get_cookies()}
        visit, own_pass = (f"fnprune_{name}_{urlsplit(base).port}" for name in ("visit", "pass"))
        assert re.fullmatch(r"[0-9a-f]{32}\.[0-9a-f]{32}", names[visit]["value"])
        assert all(names[name]["httpOnly"] for name in (visit, own_pass))
        for each, look in zip(pages.VIEWS, cycle(LOOKS), strict=False):
            person.look(*look)
            person.open(f"/{each.url}?{view}")
            assert parts_of(person) == [], each.url
            assert person.driver.execute_script("return window.planted") is None
            assert person.overflow() <= 0, (each.url, look)
            # What a run of the page is about to replace is drawn faint until then.
            wait_for(lambda: not person.faint_text(), f"readable words: {each.url}, {look}")
        asked = person.requests()
        assert any("/_stcore/stream" in url for url in asked)
        foreign = [
            url for url in asked
            if urlsplit(url).scheme not in ("data", "blob", "chrome-extension", "about", "chrome")
            and urlsplit(url).netloc != own
        ]  # fmt: skip
        assert foreign == []
        assert [e for e in person.errors() if "Content Security Policy" in e] == []


def test_the_reader_would_have_seen_a_link(need_chromium, address) -> None:
    """Else the test above could not fail."""
    base, _, _ = address.partition("?")
    with opened(need_chromium, base) as person:
        person.driver.get(f"{base}/?fnprune_token={TOKEN}")
        person.settle()
        person.requests()
        person.driver.execute_script(
            f"document.body.insertAdjacentHTML('beforeend', '<img src=\"http://{SERVER}/t\">')"
        )
        assert parts_of(person) == [f"IMG src=http://{SERVER}/t"]
        assert [e for e in person.errors() if "Content Security Policy" in e]
