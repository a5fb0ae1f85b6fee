"""The prune lab in a real browser, on a tiny model: keys and mouse, live numbers, undo, a link."""

import json
import re
from pathlib import Path

import pytest
import tiny
from browsing import Browser, wait_for
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser


@pytest.fixture
def long_text(tmp_path) -> Path:
    """Held-out text so long that a comparison on it can be watched."""
    documents = tiny.toy_documents(n_per_domain=2, n_words=36000)[1::2]
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join(json.dumps({"text": d.text, "topic": d.domain}) for d in documents))
    return path


def decisions(browser: Browser) -> list[str]:
    """Return what the switches of the table say, in its order."""
    return [browser.inside("lab-table", ".switch", k).text for k in range(6)]


def rush(browser: Browser, *keys: str) -> None:
    """Press keys one after the other, faster than the page runs; each is seen at once."""
    page = ActionChains(browser.driver)
    for key in keys:
        page = page.send_keys(key)
    page.perform()
    browser.settle()


def choose(browser: Browser) -> None:
    """Toggle networks by key and by mouse; the preview follows, undo takes back."""
    browser.read("6 of 6 networks protected")
    browser.press("Prepare the preview")
    browser.read("Operations per token")
    browser.read("The units that go are those of the plan")
    rush(browser, "p", Keys.ARROW_RIGHT, "p")
    browser.read("4 of 6 networks protected")
    browser.read("Approximate")  # the preview is of these networks now
    browser.pick("lab-table", ".switch", 3)
    browser.read("3 of 6 networks protected")
    assert "drop=0-1.3" in browser.parameters()
    assert [word.startswith("✕") for word in decisions(browser)] == [
        True, True, False, True, False, False,
    ]  # fmt: skip
    browser.keys("u")
    browser.read("4 of 6 networks protected")
    browser.press("Log of decisions (4)")
    assert "drop=0-1&" in f"{browser.parameters()}&"


def apply(browser: Browser, text: Path) -> None:
    """Measure against one baseline, and watch the numbers while they come in."""
    browser.press("Beside FLAP, Random")
    browser.press("Random")  # FLAP is enough of a rival
    browser.press("Path or data set")
    browser.type("evaluate-source", str(text))
    browser.type("prune-windows", "2000")
    browser.keys(Keys.ESCAPE)
    browser.press("Apply")
    seen: set[int] = set()
    reload_in_the_middle(browser)

    def is_done() -> bool:
        now = re.search(r"(\d+) of (\d+) windows of 32 tokens", said := browser.text())
        if now is not None:
            seen.add(int(now[1]))
        return "What goes" in said

    wait_for(is_done, "the comparison to end")
    assert len(seen) > 1, "no number came in before the last"
    browser.settle()
    for label in ("dense", "your plan", "FLAP"):
        assert label in browser.text()


def reload_in_the_middle(browser: Browser) -> None:
    """What was asked for is found again: the form, the networks, and the job."""
    browser.read("Stop")
    link = browser.parameters()
    assert "form=r20" in link
    browser.open(f"/prune?{link}")
    browser.read("Stop")
    browser.read("4 of 6 networks protected")
    assert "form=r20" in browser.parameters()


def export(browser: Browser, folder: Path) -> None:
    link = browser.parameters()
    browser.open(f"/export?{link}")
    [plan] = re.findall("plan=([0-9a-f]+)", link)
    browser.type(f"export-folder-{plan}-per-layer", str(folder))
    browser.press("Export")
    browser.read("loaded in a fresh process and compared")
    assert (folder / "model.safetensors").is_file()


def test_choose_apply_undo_reload_and_export(browser, placed, long_text, tmp_path) -> None:
    browser.open("/prune?" + "&".join(f"{k}={v}" for k, v in placed.view().items()))
    choose(browser)
    apply(browser, long_text)
    link = browser.parameters()
    browser.keys("p")
    browser.read("3 of 6 networks protected")
    browser.driver.delete_all_cookies()
    browser.open(f"/prune?{link}")  # a reload, or another person's browser
    browser.read("4 of 6 networks protected")
    browser.read("of the units that the applied plan removes, ")
    assert decisions(browser)[0].startswith("✕")
    assert browser.overflow() <= 0
    export(browser, tmp_path / "exported")
    assert browser.errors() == []
