"""The atlas as one file in a real browser, from a disk and without a network."""

import re
import shutil

import pytest
from browsing import opened, wait_for
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from app.html_files.atlas_page import write_atlas_page
from fnprune_core.atlas import cortex
from fnprune_core.storage.workspace import Workspace

pytestmark = pytest.mark.browser
_SLIDE = """
    arguments[0].value = arguments[1]
    for (const kind of ['input', 'change']) arguments[0].dispatchEvent(new Event(kind))
"""


@pytest.fixture(scope="module")
def path(made, tmp_path_factory):
    """The example's file, with its cortex laid out."""
    folder = tmp_path_factory.mktemp("file")
    workspace = Workspace(shutil.copytree(made.root / "workspace", folder / "workspace"))
    cortex.lay_out(workspace, made.atlas)
    return write_atlas_page(workspace, made.atlas, folder / "atlas.html", z=2)


@pytest.fixture
def person(need_chromium):
    """A browser without a network."""
    with opened(need_chromium) as person:
        person.go_offline()
        yield person


@pytest.fixture
def driver(person):
    return person.driver


def one(driver: Chrome, selector: str):
    return driver.find_element(By.CSS_SELECTOR, selector)


def come_to_the_body(driver: Chrome, state: str) -> None:
    driver.execute_script("arguments[0].scrollIntoView()", one(driver, "#body"))

    def has_come() -> bool:
        found = driver.find_elements(By.CSS_SELECTOR, "#body-viewer .viewer")
        return bool(found) and found[0].get_attribute("data-state") == state

    wait_for(has_come, f"the viewer to be {state}")


def test_it_opens_from_a_disk_turns_and_asks_nothing(person, driver, path) -> None:
    driver.get(path.as_uri())
    come_to_the_body(driver, "drawn")
    viewer, canvas = one(driver, "#body-viewer .viewer"), one(driver, "#body-viewer canvas")
    first = canvas.get_attribute("aria-label")
    assert "in the body of" in first
    assert re.match(r"Layer \d+, z −?\d", one(driver, "#body-viewer .status").text)
    for view in ("mosaic", "render", "cuts"):
        button = one(driver, f"#body-viewer button[data-view={view}]")
        driver.execute_script("arguments[0].click()", button)
        assert button.get_attribute("aria-pressed") == "true"
        assert one(driver, "#body-viewer .stage").get_attribute("data-view") == view

    slider = one(driver, "#body-viewer input[name=threshold]")
    driver.execute_script(_SLIDE, slider, 4.5)
    shown = Select(one(driver, "#body-network"))
    other = next(i for i, each in enumerate(shown.options) if not each.is_selected())
    shown.select_by_index(other)
    wait_for(
        lambda: f"Network {other} in the body" in canvas.get_attribute("aria-label"), "the other"
    )
    wait_for(lambda: viewer.get_attribute("data-state") == "drawn", "the other network drawn")
    assert slider.get_attribute("value") == "4.5"  # what was set holds for all

    link = one(driver, "#network-0 .to-body")
    driver.execute_script("arguments[0].click()", link)
    wait_for(lambda: "Network 0 in" in canvas.get_attribute("aria-label"), "the article's network")
    for width in (1280, 390):
        person.look(width, "dark")
        assert person.overflow() <= 0, width
    assert person.errors() == []
    schemes = {address.partition(":")[0] for address in person.requests()}
    assert schemes <= {"file", "data", "about", "chrome", "blob"}


def test_under_the_pointer_the_connectome_says_its_pair(driver, path) -> None:
    driver.get(path.as_uri())
    driver.execute_script(
        "const at = arguments[0].getBoundingClientRect();"
        "arguments[0].dispatchEvent(new PointerEvent('pointermove',"
        " {clientX: at.left + at.width - 2, clientY: at.top + 2, bubbles: true}))",
        one(driver, "#matrix"),
    )
    assert re.search(r"\d+ · .+ with \d+ · .+: r −?0\.\d\d$", one(driver, "#matrix-said").text)


def test_without_webgl2_the_still_picture_stands_in(person, driver, path) -> None:
    person.lose_webgl2()
    driver.get(path.as_uri())
    come_to_the_body(driver, "still")
    picture = one(driver, "#body-viewer img")
    wait_for(lambda: int(picture.get_property("naturalWidth")) > 300, "a picture")
    assert "in the body of" in picture.get_attribute("alt")
    assert "WebGL2" in one(driver, "#body-viewer .status").text
