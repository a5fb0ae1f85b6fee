"""The live scanner in a real browser: read, play, pause, scrub, step, press, silence, take away."""

import time
from typing import Any
from urllib.parse import urlencode

import pytest
import tiny
from browsing import Browser, wait_for
from selenium.webdriver.common.keys import Keys

from fnprune_core.atlas.live import recorded_run
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.storage.workspace import Workspace

pytestmark = pytest.mark.browser
KEY = "live-scanner"
#: Frames a second that any machine reaches which draws in software and has other things to do.
LEAST_FRAMES = 2.0
TEXT = " ".join(tiny.WORDS[5:35])
#: How many pixels of the body are coloured, read from the canvas as it was drawn.
_COLOURED = """
    const gl = arguments[0].getContext('webgl2')
    const {drawingBufferWidth: width, drawingBufferHeight: height} = gl
    const pixels = new Uint8Array(4 * width * height)
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels)
    let n = 0
    for (let at = 0; at < pixels.length; at += 4) {
      const [red, green, blue] = [pixels[at], pixels[at + 1], pixels[at + 2]]
      if (Math.max(red, green, blue) - Math.min(red, green, blue) > 20) n++
    }
    return n
"""


def inside(browser: Browser, selector: str, index: int = 0) -> Any:
    return browser.inside(KEY, selector, index)


def told(browser: Browser, name: str) -> str:
    if not browser.driver.find_elements("css selector", f".st-key-{KEY}"):
        return ""
    return inside(browser, ".live").get_attribute(f"data-{name}") or ""


def wait_until(browser: Browser, *states: str) -> None:
    def is_there() -> bool:
        state = told(browser, "state")
        assert state != "failed", inside(browser, ".status").text
        return state in states

    wait_for(is_there, " or ".join(states))


def click(browser: Browser, selector: str, index: int = 0) -> None:
    browser.driver.execute_script("arguments[0].click()", inside(browser, selector, index))


def choose(browser: Browser, label: str, value: str) -> None:
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))"
    browser.driver.execute_script(script, inside(browser, f"select[aria-label={label}]"), value)


def coloured(browser: Browser, body: int = 0) -> int:
    return int(browser.driver.execute_script(_COLOURED, inside(browser, ".body canvas", body)))


def token(browser: Browser) -> int:
    return int(told(browser, "token"))


def test_a_text_is_read_played_stopped_silenced_and_taken_away(browser, placed) -> None:
    browser.open(f"/live?{urlencode({**placed.view(), 'show': 'read', 'z': '1.5'})}")
    if "Load the model" in browser.text():  # another test may have
        browser.press("Load the model")
        wait_for(lambda: "Load the model" not in browser.text(), "the model")
    browser.settle()
    field = browser.field("live-text", "textarea")
    field.click()
    field.send_keys(TEXT)
    browser.press("Read")
    wait_until(browser, "playing", "paused")
    plays_in_the_browser_alone(browser)
    stops_where_it_is_told(browser)
    pressing_a_token_or_a_network_stops_there(browser)
    looks_change_without_a_run(browser)
    a_lesion_runs_in_step(browser)
    is_taken_away(browser)
    assert browser.errors() == []


def plays_in_the_browser_alone(browser: Browser) -> None:
    choose(browser, "View", "cuts")
    choose(browser, "Speed", "2")
    if told(browser, "state") != "playing":
        click(browser, ".play")
    browser.settle()
    browser.requests()
    before = int(told(browser, "frames") or 0)
    wait_for(lambda: int(told(browser, "frames")) > before + 10, "frames", seconds=60)
    assert float(told(browser, "fps")) >= LEAST_FRAMES
    assert browser.requests() == []
    if told(browser, "state") == "playing":  # a slow machine may have come to the end meanwhile
        click(browser, ".play")
    assert told(browser, "state") == "paused"
    browser.settle()
    assert f"token={token(browser)}" in browser.parameters()
    frames = told(browser, "frames")
    time.sleep(0.5)
    assert told(browser, "frames") == frames


def stops_where_it_is_told(browser: Browser) -> None:
    scrub = inside(browser, "input[type=range]")
    script = """
        arguments[0].value = 12
        arguments[0].dispatchEvent(new Event('input'))
        arguments[0].dispatchEvent(new Event('change'))
    """
    browser.driver.execute_script(script, scrub)
    assert token(browser) == 12
    browser.settle()
    assert "token=12" in browser.parameters()
    browser.driver.execute_script("arguments[0].focus()", inside(browser, ".live"))
    browser.keys(Keys.ARROW_RIGHT)
    assert token(browser) == 13
    browser.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert token(browser) == 11
    assert "token=11" in browser.parameters()
    assert "network=" not in browser.parameters()  # whose arrows the page's own are
    browser.driver.execute_script("arguments[0].focus()", inside(browser, ".live"))
    browser.keys(Keys.END)
    assert token(browser) == 29
    browser.driver.execute_script("arguments[0].focus()", inside(browser, ".live"))
    browser.keys(Keys.HOME)
    assert token(browser) == 0
    assert "left out" in inside(browser, ".status").text


def pressing_a_token_or_a_network_stops_there(browser: Browser) -> None:
    click(browser, ".token", 9)
    assert token(browser) == 9
    browser.settle()
    assert "token=9" in browser.parameters()
    status = inside(browser, ".status").text
    first = inside(browser, ".ticker button")
    share = first.find_element("css selector", ".share").text
    assert share in status
    assert "surprise" in status
    shares = [int(text.split(" ")[0]) for text in browser.driver.execute_script(
        "return [...arguments[0].querySelectorAll('.share')].map((each) => each.textContent)",
        inside(browser, ".ticker"),
    )]  # fmt: skip
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 3
    network = inside(browser, ".networks button", 0)
    number = network.get_attribute("data-network")
    browser.driver.execute_script("arguments[0].click()", network)
    browser.settle()
    assert f"network={number}" in browser.parameters() or number == "0"
    assert f"token={token(browser)}" in browser.parameters()
    ranked = inside(browser, ".ticker").text
    assert number in ranked.split()
    # Grey has no spread, the cross-hair less; a frame is drawn after the page was told of it.
    wait_for(lambda: coloured(browser) > 20, "the network in the body")


def looks_change_without_a_run(browser: Browser) -> None:
    browser.settle()
    browser.requests()
    seen = set()
    for view in ("render", "all", "cuts"):
        choose(browser, "View", view)
        seen.add(coloured(browser))
    choose(browser, "Colours", "warm")
    seen.add(coloured(browser))
    choose(browser, "Colours", "networks")
    assert len(seen) >= 3
    assert browser.requests() == []


def a_lesion_runs_in_step(browser: Browser) -> None:
    here = token(browser)
    address = f"/live?{browser.parameters().replace('show=read', 'show=read-cut1')}"
    browser.open(address)
    wait_until(browser, "paused")
    assert told(browser, "token") == str(here)
    labels = [inside(browser, ".body .label", body).text for body in (0, 1)]
    assert labels == ["Healthy", "Without network 1"]
    assert "lesioned" in inside(browser, ".status").text
    assert "lesioned (line)" in inside(browser, ".trace .note").text
    choose(browser, "Speed", "16")
    click(browser, ".play")
    wait_for(lambda: told(browser, "state") == "paused", "the end", seconds=60)
    assert token(browser) == 29
    browser.settle()


def is_taken_away(browser: Browser) -> None:
    assert browser.button("One page (HTML)").is_enabled()
    click(browser, "button[aria-label='Record a film']")
    first, last = (
        inside(browser, f".filming input[aria-label='{label} token']")
        for label in ("First", "Last")
    )
    script = "arguments[0].value = arguments[1]"
    browser.driver.execute_script(script, first, 9)
    browser.driver.execute_script(script, last, 3)
    click(browser, ".record")
    assert "after the first" in inside(browser, ".filming").text
    browser.driver.execute_script(script, last, 17)
    click(browser, ".record")
    wait_for(lambda: told(browser, "film-bytes"), "the film", seconds=60)
    assert int(told(browser, "film-bytes")) > 5_000
    assert "Save the film" in inside(browser, ".filming a").text
    assert token(browser) == 16


def test_light_and_narrow_it_fits_the_page(browser, placed, server) -> None:
    browser.look(390, "light")
    browser.open(f"/live?{urlencode({**placed.view(), 'session': '1', 'token': '9'})}")
    wait_until(browser, "paused")
    assert browser.overflow() <= 0
    run = recorded_run(open_atlas(Workspace(server[0]), placed.atlas), 1)
    assert inside(browser, ".clock").text == f"10 / {run.n_tokens}"
    assert "strongest is most often" in inside(browser, ".live").get_attribute("aria-label")
    assert browser.errors() == []


def test_without_webgl2_a_still_picture_stands_in_and_the_rest_runs(browser, placed) -> None:
    browser.lose_webgl2()
    browser.open(f"/live?{urlencode({**placed.view(), 'session': '1', 'token': '9'})}")
    wait_until(browser, "still")
    picture = inside(browser, ".still")
    wait_for(lambda: int(picture.get_property("naturalWidth")) > 600, "a picture", seconds=60)
    before = picture.get_attribute("src")
    assert "WebGL2" in inside(browser, ".status").text
    click(browser, ".token", 14)
    wait_for(lambda: picture.get_attribute("src") != before, "another picture", seconds=60)
    assert token(browser) == 14
    choose(browser, "Speed", "16")
    click(browser, ".play")
    wait_for(lambda: token(browser) > 14, "tokens that run", seconds=60)
    assert not [address for address in browser.requests() if "niivue" in address]
    assert browser.errors() == []
