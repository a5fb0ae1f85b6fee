"""The viewer in a real browser: first picture, settings without a run, presses, keys, stills."""

import io
import json
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from browsing import Browser, wait_for
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from app.shell import resources
from app.shell.images import files as images

pytestmark = pytest.mark.browser
_SLIDE = """
    arguments[0].value = arguments[1]
    arguments[0].dispatchEvent(new Event('input'))
"""


def inside(browser: Browser, selector: str) -> Any:
    return browser.inside("map-viewer", selector)


def said(browser: Browser, name: str) -> str:
    return inside(browser, ".viewer").get_attribute(f"data-{name}") or ""


def wait_until_drawn(browser: Browser, network: int) -> None:
    def is_drawn() -> bool:
        assert said(browser, "state") != "failed", inside(browser, ".status").text
        return said(browser, "state") == "drawn" and f"/{network}." in said(browser, "map")

    wait_for(is_drawn, f"network {network} drawn")


def pixels(browser: Browser) -> tuple[int, int]:
    """Return how many pixels of the picture are coloured, and how many grey."""
    stage = inside(browser, ".stage")
    script = """
        arguments[0].scrollIntoView({block: 'center'})
        const box = arguments[0].getBoundingClientRect()
        return [box.left, box.top, box.width, 0.8 * box.height]  // below is the colour bar
    """
    x, y, width, height = (int(v) for v in browser.driver.execute_script(script, stage))
    shot = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")
    part = np.asarray(shot).astype(int)[y : y + height, x : x + width]
    spread = np.ptp(part, axis=-1)
    grey = (spread <= 25) & (part.max(axis=-1) > 60)
    return int((spread > 60).sum()), int(grey.sum())


def slide(browser: Browser, name: str, value: float) -> None:
    """Move a slider without letting go of it."""
    browser.driver.execute_script(_SLIDE, inside(browser, f"input[name={name}]"), value)


def open_map(browser: Browser, materials, **parameters: str) -> None:
    query = {**materials.view(), "network": "2", "z": "1.5", **parameters}
    browser.open(f"/atlas?{urlencode(query)}")


def test_a_map_is_seen_set_pressed_and_read(browser, placed) -> None:
    open_map(browser, placed)
    wait_until_drawn(browser, 2)
    coloured, grey = pixels(browser)
    assert grey > 5_000
    assert coloured > 50
    browser.requests()

    settings_need_no_run(browser, coloured)
    views_differ(browser)
    presses_and_keys_open_a_unit(browser, placed)
    another_network_needs_one_file(browser)
    assert browser.errors() == []


def told_server(browser: Browser) -> int:
    """Return how many messages the page sent since the last call: without one, nothing runs."""
    messages = (json.loads(row["message"]) for row in browser.driver.get_log("performance"))
    return sum(each["message"]["method"] == "Network.webSocketFrameSent" for each in messages)


def settings_need_no_run(browser: Browser, coloured: int) -> None:
    browser.read("Units beyond 1.5")
    told_server(browser)
    slide(browser, "fwhm", 0)
    slide(browser, "opacity", 0.8)
    slide(browser, "threshold", 7.9)
    few, _ = pixels(browser)
    assert few < coloured - 500  # the cross-hair is left
    slide(browser, "threshold", 1)
    many, _ = pixels(browser)
    assert many > few + 500
    assert not told_server(browser)
    assert "Units beyond 1.5" in browser.text()
    assert float(said(browser, "changed-ms")) < 1000
    other_greys_need_one_file(browser)
    slide(browser, "threshold", 2)
    browser.driver.execute_script(
        "arguments[0].dispatchEvent(new Event('change'))", inside(browser, "input[name=threshold]")
    )
    browser.read("Units beyond 2")  # let go of, it is counted
    assert told_server(browser)
    assert "z=2" in browser.parameters()
    assert inside(browser, "input[name=threshold]").get_attribute("value") == "2"


def other_greys_need_one_file(browser: Browser) -> None:
    """What lies below the map is chosen without a run, and fetched once."""
    browser.requests()
    for grey, files in (("sinks", 1), ("", 0), ("sinks", 0), ("", 0)):
        shown = pixels(browser)
        browser.driver.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))",
            inside(browser, "select[aria-label^=Grey]"),
            grey,
        )
        wait_for(lambda shown=shown: pixels(browser) != shown, f"the grey {grey!r}")
        assert sum("anatomy" in address for address in browser.requests()) == files
    assert not told_server(browser)


def views_differ(browser: Browser) -> None:
    shown = {pixels(browser)}
    for view in ("mosaic", "render", "cuts"):
        browser.pick("map-viewer", f"button[data-view={view}]")
        button = inside(browser, f"button[data-view={view}]")
        assert button.get_attribute("aria-pressed") == "true"
        assert inside(browser, ".cut").is_displayed() == (view == "render")
        picture = pixels(browser)
        assert picture[1] > 1_500  # of the rendering, little of the grey is seen
        shown.add(picture)
    assert len(shown) >= 3


def presses_and_keys_open_a_unit(browser: Browser, materials) -> None:
    atlas, grid = resources.atlas(materials.atlas), images.grid(materials.atlas)
    assert "Strongest in" not in browser.text()
    canvas = inside(browser, "canvas")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    width, height = canvas.size["width"], canvas.size["height"]

    def has_pressed() -> bool:
        """Press into the first of the four tiles, where a cut through the sheet is."""
        for x in (-0.36, -0.40, -0.32):
            for y in (-0.08, 0.0, 0.08, -0.16):
                ActionChains(browser.driver).move_to_element_with_offset(
                    canvas, int(x * width), int(y * height)
                ).click().perform()
                if inside(browser, ".status").text.startswith("Layer"):
                    return True
        return False

    wait_for(has_pressed, "a press into the body")
    browser.read("Strongest in")
    wait_for(lambda: "unit=" in browser.parameters(), "the unit in the address")
    first = unit_of(browser)
    layer, index = (int(i) for i in atlas.layout.locate(first))
    z = f"{atlas.maps[2, first]:.1f}".replace("-", "−")
    browser.read(f"Unit {index} of layer {layer}, z {z}")
    status = inside(browser, ".status").text.replace("−", "-")
    assert status.startswith(f"Layer {layer}, z {atlas.maps[2, first]:.1f}.")

    voxels = np.argwhere(grid.unit_of_voxel == first)  # a unit may fill a few
    right = {int(grid.unit_of_voxel[x + 1, y, z]) for x, y, z in voxels if x + 1 < grid.shape[0]}
    left = {int(grid.unit_of_voxel[x - 1, y, z]) for x, y, z in voxels if x}
    key, beside = (Keys.ARROW_RIGHT, right) if min(right) >= 0 else (Keys.ARROW_LEFT, left)
    browser.driver.execute_script("arguments[0].focus()", canvas)

    def has_moved_on() -> bool:
        browser.keys(key, Keys.ENTER)
        return unit_of(browser) != first

    wait_for(has_moved_on, "the next unit", seconds=60)
    assert unit_of(browser) in beside - {first}
    assert "network=2" in browser.parameters()  # whose arrows the page's own are


def unit_of(browser: Browser) -> int:
    parts = dict(part.split("=", 1) for part in browser.parameters().split("&"))
    return int(parts["unit"])


def another_network_needs_one_file(browser: Browser) -> None:
    browser.requests()
    browser.press("Next")
    wait_until_drawn(browser, 3)
    asked = [
        address for address in browser.requests() if "/_fnprune/" in address and ".nii" in address
    ]
    assert len(asked) == 1
    assert "/networks/3.nii.gz" in asked[0]
    browser.press("Previous")
    wait_until_drawn(browser, 2)
    assert not [
        address for address in browser.requests() if "/_fnprune/" in address and ".nii" in address
    ]


def test_light_and_narrow_it_fits_the_page(browser, placed) -> None:
    browser.look(390, "light")
    open_map(browser, placed)
    wait_until_drawn(browser, 2)
    assert browser.overflow() <= 0
    assert pixels(browser)[1] > 3_000
    stage = inside(browser, ".stage").rect
    assert stage["width"] <= 390
    assert inside(browser, "canvas").get_attribute("aria-label").startswith("Network 2 in the body")
    assert browser.errors() == []


def test_without_webgl2_a_still_picture_stands_in(browser, placed) -> None:
    browser.lose_webgl2()
    open_map(browser, placed)
    wait_for(lambda: said(browser, "state") == "still", "the still picture")
    picture = inside(browser, "img")
    wait_for(lambda: int(picture.get_property("naturalWidth")) > 600, "a picture")
    assert picture.get_attribute("alt").startswith("Network 2 in the body")
    assert "z=1.5" in picture.get_attribute("src")
    assert "WebGL2" in inside(browser, ".status").text
    slide(browser, "threshold", 2)
    assert "z=2.0" in picture.get_attribute("src")
    assert not inside(browser, "button[data-view=mosaic]").is_displayed()
    assert not [address for address in browser.requests() if "niivue" in address]
    assert browser.errors() == []
