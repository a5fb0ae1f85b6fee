"""Record, decompose and look in a real browser, on the embedded model, from an empty workspace.

How the path goes on, to a pruned model, is walked on a tiny model in `test_lab`.
Screenshots of two pages stay in ``screenshots/``; with a folder in the environment variable
``FNPRUNE_SCREENSHOTS`` they go there, of every page in both modes and widths.
"""

import os
from collections.abc import Iterator
from itertools import product

import pytest
from browsing import Browser, opened, served, wait_for
from selenium.webdriver.common.keys import Keys

from app import pages

pytestmark = pytest.mark.browser


@pytest.fixture
def browser(need_chromium, need_embedded_model, tmp_path) -> Iterator[Browser]:
    """A browser on the app over an empty workspace."""
    with (
        served(tmp_path / "workspace", log=tmp_path / "server.log") as url,
        opened(need_chromium, url) as person,
    ):
        yield person


def record(browser: Browser) -> None:
    browser.open("/record")
    browser.slide_to_start("record-tokens")
    browser.press("Load the model and estimate")
    browser.read("Sessions")
    assert "≈" in browser.text()
    browser.press("Record")
    browser.read("Stop")
    browser.read("The recording")
    browser.read("Carpet plot of")


def decompose(browser: Browser) -> None:
    browser.press("Find its networks")
    browser.type("ica-k", "12")
    browser.type("ica-runs", "1")
    browser.press("Decompose")
    browser.read("12 networks")
    browser.read("Variance explained")


def look_at_networks(browser: Browser) -> None:
    browser.press("Look at the networks")
    browser.read("Network 0")
    browser.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, "p", Keys.ARROW_LEFT, "p")
    browser.read("Network 1")
    assert "drop=1-2" in browser.parameters()
    browser.keys("u")
    assert "drop=2" in browser.parameters()
    browser.keys("k" if "drop=1" in browser.parameters() else Keys.ARROW_RIGHT)
    browser.read("not protected")
    assert "Strongest words" in browser.text()


def explore(browser: Browser) -> None:
    """From the gallery to a network, a token and a neuron; a link opens each again."""
    stops = "return [...arguments[0].parentElement.children].map((each) => each.tabIndex)"
    first_tile = browser.inside("gallery", ".tile", 0)
    assert browser.driver.execute_script(stops, first_tile).count(0) == 1  # one stop of Tab
    browser.driver.execute_script("arguments[0].focus()", first_tile)
    browser.keys(Keys.END, Keys.ARROW_LEFT, Keys.ENTER)
    browser.read("Network 10")
    browser.pick("gallery", ".tile", 4)
    browser.read("Network 4")
    browser.pick("passage-top-0", ".token", 3)
    browser.read("Networks at")
    assert "session=" in browser.parameters()
    assert "token=" in browser.parameters()
    browser.pick("course-networks", "button", 1)
    assert "network=4" not in browser.parameters()
    link = browser.parameters()
    browser.follow("Unit")
    browser.read("Number 1 of 46,080 units")
    browser.pick("unit-start", "button", 2)
    browser.read("Number 3 of 46,080 units")
    assert "unit=" in browser.parameters()
    said, neuron = browser.text(), browser.parameters()
    browser.driver.delete_all_cookies()
    browser.open(f"/unit?{neuron}")
    browser.read("Number 3 of 46,080 units")
    assert browser.text() == said
    browser.open(f"/atlas?{link}")
    browser.read("Networks at")


def looks() -> list[tuple[str, int, str]]:
    """Return the pages to photograph, each with a mode and a width.

    Two show what a real model's many units do to a page; `test_doors` sees them all on a tiny one.
    """
    if "FNPRUNE_SCREENSHOTS" not in os.environ:
        return [("dark", 1280, "atlas"), ("light", 390, "prune")]
    urls = [view.url for view in pages.VIEWS]
    return [(*look, url) for look in product(("dark", "light"), (1280, 390)) for url in urls]


def test_from_start_to_networks(browser) -> None:
    browser.open("/")
    browser.read("Build the example")
    record(browser)
    decompose(browser)
    look_at_networks(browser)
    explore(browser)
    view = browser.parameters()
    browser.open(f"/prune?{view}")
    browser.read("11 of 12 networks protected")
    for mode, width, page in looks():
        browser.look(width, mode)
        browser.open(f"/{page}?{view}")
        shot = browser.photograph(page, width, mode)
        assert shot.stat().st_size > 20_000
        assert browser.overflow() <= 0, (page, width)
        wait_for(lambda: not browser.faint_text(), f"readable words on {page} in {mode}")
    assert browser.errors() == []
