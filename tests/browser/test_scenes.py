"""The viewer's other scenes in a real browser: regions, several networks, graph, brain, lesion."""

import io
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from browsing import Browser, wait_for
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

pytestmark = pytest.mark.browser


def open_scene(browser: Browser, page: str, key: str, materials, **parameters: str) -> Any:
    """Open a page and return the root of its viewer, drawn."""
    browser.open(f"/{page}?{urlencode({**materials.view(), **parameters})}")
    wait_until_drawn(browser, key)
    root = browser.inside(key, ".viewer")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", root)
    return root


def wait_until_drawn(browser: Browser, key: str) -> None:
    def is_drawn() -> bool:
        state = browser.inside(key, ".viewer").get_attribute("data-state")
        assert state != "failed", browser.inside(key, ".status").text
        return state == "drawn"

    wait_for(is_drawn, f"{key} drawn")


def pixels(browser: Browser, key: str) -> tuple[int, int]:
    """Return how many pixels of a viewer's canvas are grey, and how many coloured."""
    shot = Image.open(io.BytesIO(browser.inside(key, ".stage").screenshot_as_png)).convert("RGB")
    part = np.asarray(shot).astype(int)
    part = part[: int(0.8 * len(part))]  # below is the colour bar
    spread = np.ptp(part, axis=-1)
    return int(((spread <= 25) & (part.max(axis=-1) > 60)).sum()), int((spread > 60).sum())


def test_a_region_has_a_name_at_the_pointer_and_opens_its_network(browser, placed) -> None:
    key = "parcels-viewer"
    open_scene(browser, "parcellation", key, placed, z="1", network="0")
    canvas, tip = browser.inside(key, "canvas"), browser.inside(key, ".tip")
    width, height = canvas.size["width"], canvas.size["height"]

    def is_named() -> bool:
        for x in range(-45, -25, 3):  # through the first of the tiles
            for y in range(-20, 21, 8):
                pointer = ActionChains(browser.driver, duration=0)
                pointer.move_to_element_with_offset(
                    canvas, int(0.01 * x * width), int(0.01 * y * height)
                ).pause(0.1).perform()
                if tip.is_displayed() and " · " in tip.text:
                    return True
        return False

    wait_for(is_named, "a name at the pointer", seconds=120)
    network = tip.text.partition(", ")[2].partition(" · ")[0]
    ActionChains(browser.driver).click().perform()
    wait_for(lambda: "unit=" in browser.parameters(), "the unit in the address")
    if network != "0":
        assert f"network={network}" in browser.parameters()
    assert pixels(browser, key)[1] > 1_000
    assert browser.errors() == []


def test_names_of_networks_beside_open_them(browser, placed) -> None:
    key = "map-viewer"
    open_scene(browser, "atlas", key, placed, network="2", beside="0.4", z="1")
    names = browser.inside(key, ".legend").find_elements(By.TAG_NAME, "button")
    assert [name.text.partition(" ")[0] for name in names] == ["2", "0", "4"]
    browser.pick(key, ".legend button", 2)
    wait_for(lambda: "network=4" in browser.parameters(), "the network in the address")
    assert "beside=0.2" in browser.parameters()
    assert browser.errors() == []


def test_spheres_and_edges_stand_in_the_glass_body(browser, placed) -> None:
    key = "connectome-viewer"
    open_scene(browser, "connectome", key, placed, show="body-e20", network="2")
    assert browser.inside(key, ".viewer").find_element(By.CSS_SELECTOR, ".solid").is_displayed()
    assert pixels(browser, key)[1] > 100
    # The cross-hair stands in the selected network's sphere: its press changes nothing.
    browser.pick(key, "button[data-view=cuts]")
    assert "2 ·" in browser.inside(key, ".status").text
    assert browser.errors() == []


def test_model_and_brain_follow_one_another(browser, placed) -> None:
    open_scene(browser, "scanner", "scanner-model", placed, network="2", z="2")
    wait_until_drawn(browser, "scanner-brain")
    assert pixels(browser, "scanner-brain")[0] > 3_000
    browser.pick("scanner-model", "button[data-view=mosaic]")
    other = browser.inside("scanner-brain", "button[data-view=mosaic]")
    wait_for(lambda: other.get_attribute("aria-pressed") == "true", "the other one's view")
    sizes = [browser.inside(key, ".stage").size for key in ("scanner-model", "scanner-brain")]
    assert sizes[0] == sizes[1]
    assert browser.errors() == []
