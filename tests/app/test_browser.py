"""The whole path in a real browser, on the embedded model: record, decompose, look, prune, export.

Screenshots of every page in both modes and widths stay in ``screenshots/`` (or the folder of the
environment variable ``FNPRUNE_SCREENSHOTS``).
"""

import base64
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
]
PATIENCE_S = 420.0
pytestmark = pytest.mark.browser


@pytest.fixture
def address(tmp_path, need_embedded_model) -> Iterator[str]:
    """Serve the app over an empty workspace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "FNPRUNE_WORKSPACE": str(tmp_path / "workspace")}
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", f"--server.port={port}"]
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_for(lambda: is_healthy(url), "a healthy server")
            yield url
        finally:
            server.terminate()
            server.wait(timeout=30)


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_for(condition: Callable[[], object], what: str, *, seconds: float = PATIENCE_S) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except StaleElementReferenceException:
            pass
        time.sleep(0.2)
    pytest.fail(f"waited {seconds:.0f} s for {what}")


class Browser:
    """A person at a screen: reads, presses, types, waits."""

    def __init__(self, programs: tuple[Path, Path], url: str) -> None:
        options = Options()
        options.binary_location = str(programs[0])
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options=options, service=Service(str(programs[1])))
        self.url = url
        self.look(1280, "dark")

    def look(self, width: int, mode: str, *, height: int = 900) -> None:
        """Set the width of the screen, and whether it is dark or light."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        feature = {"name": "prefers-color-scheme", "value": mode}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)
        self.settle()

    def settle(self) -> None:
        """Wait until the page has run, and has begun no other run."""

        def is_still() -> bool:
            app = self.driver.find_elements(By.CSS_SELECTOR, "[data-testid=stApp]")
            return bool(app) and app[0].get_attribute("data-test-script-state") == "notRunning"

        def is_quiet() -> bool:
            return all(is_still() and time.sleep(0.15) is None for _ in range(3))

        wait_for(is_quiet, "the page to settle")

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def read(self, text: str) -> None:
        wait_for(lambda: text in self.text(), f"{text!r} on the page")

    def button(self, label: str) -> WebElement:
        """Return a button or an expander's head; icons are words of their own lines."""
        script = """
            return [...document.querySelectorAll('button, summary')].find((e) =>
                e.innerText.split('\\n').includes(arguments[0]) && e.offsetParent && !e.disabled)
        """
        found: list[WebElement] = []

        def has_appeared() -> bool:
            element = self.driver.execute_script(script, label)
            found[:] = [element] if element else []
            return bool(found)

        wait_for(has_appeared, f"a button {label!r}")
        return found[0]

    def press(self, label: str) -> None:
        button = self.button(label)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        self.settle()

    def field(self, key: str, kind: str = "input") -> WebElement:
        """Return the input of the widget with this key, once it is there."""
        selector = f".st-key-{key} {kind}"
        found: list[WebElement] = []

        def has_appeared() -> bool:
            found[:] = self.driver.find_elements(By.CSS_SELECTOR, selector)
            return bool(found) and found[0].is_enabled()

        wait_for(has_appeared, selector)
        return found[0]

    def type(self, key: str, value: str) -> None:
        field = self.field(key)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
        field.click()
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(value, Keys.ENTER)
        self.settle()

    def slide_to_start(self, key: str) -> None:
        thumb = self.field(key, "input[type=range]")
        thumb.send_keys(Keys.HOME)
        self.settle()

    def keys(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()
            self.settle()

    def parameters(self) -> str:
        return str(self.driver.current_url).partition("?")[2]

    def errors(self) -> list[str]:
        """Return what the console complains of, without Streamlit's own probing for its root."""
        logged = [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [e["message"] for e in logged if "/_stcore/" not in e["message"]]

    def photograph(self, name: str, width: int, mode: str) -> Path:
        """Save the whole page as it looks at a width in a mode."""
        script = "return document.querySelector('[data-testid=stMain]').scrollHeight"
        self.look(width, mode)
        self.settle()
        self.look(width, mode, height=min(int(self.driver.execute_script(script)) + 20, 6000))
        time.sleep(1.0)  # charts fit themselves to the new size without telling anyone
        folder = Path(os.environ.get("FNPRUNE_SCREENSHOTS", ROOT / "screenshots"))
        folder.mkdir(parents=True, exist_ok=True)
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        path = folder / f"{name}-{width}-{mode}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        self.look(width, mode)
        return path

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        script = "return document.documentElement.scrollWidth - window.innerWidth"
        return int(self.driver.execute_script(script))


@pytest.fixture
def browser(need_chromium, address) -> Iterator[Browser]:
    """A browser on the running app."""
    person = Browser(need_chromium, address)
    try:
        yield person
    finally:
        person.driver.quit()


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
    browser.type("ica-runs", "2")
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
    browser.read("to be pruned")
    assert "Strongest passages" in browser.text()


def prune(browser: Browser, folder: Path) -> None:
    browser.open(f"/prune?{browser.parameters()}")
    browser.read("11 of 12 networks preserved")
    browser.press("None")
    browser.press("Random")  # one rival is enough
    browser.press("Text to measure on")
    browser.type("prune-windows", "8")
    browser.press("Apply")
    browser.read("of 8 windows of 512 tokens")  # the first points, while it runs
    assert "Stop" in browser.text()
    browser.read("What goes")
    assert "8 of 8 windows" in browser.text()
    assert "your plan" in browser.text()
    key = next(
        name
        for field in browser.driver.find_elements(By.CSS_SELECTOR, "[class*=st-key-export-folder]")
        for name in (field.get_attribute("class") or "").split()
        if name.startswith("st-key-export-folder")
    )
    browser.type(key.removeprefix("st-key-"), str(folder))
    browser.press("Export")
    browser.read("Written and checked")
    assert (folder / "model.safetensors").is_file()


def test_from_start_to_export(browser, tmp_path) -> None:
    browser.open("/")
    browser.read("Build the example")
    record(browser)
    decompose(browser)
    look_at_networks(browser)
    prune(browser, tmp_path / "exported")

    view = browser.parameters()
    assert "plan=" in view
    browser.driver.delete_all_cookies()
    browser.open(f"/prune?{view}")  # a reload, or another person's browser
    browser.read("What goes")
    assert "11 of 12 networks preserved" in browser.text()

    for mode in ("dark", "light"):
        browser.look(1280, mode)
        for page in ("", "record", "decompose", "atlas", "prune"):
            browser.open(f"/{page}?{view}")
            for width in (1280, 390):
                shot = browser.photograph(page or "start", width, mode)
                assert shot.stat().st_size > 20_000
                assert browser.overflow() <= 0, (page, width)
            browser.look(1280, mode)
    assert browser.errors() == []
