"""A person at a real browser: reads, presses, types, waits, photographs."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    JavascriptException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

ROOT = Path(__file__).parents[1]
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
    "--disable-gpu-compositing",  # without a graphics card it takes a fifth of the time
    "--disable-dev-shm-usage",
]
PATIENCE_S = 420.0
#: Looks at a page, in the page itself: a question from outside takes longer than what it asks
#: for. A page that is busy looks later, so that what waits for it comes in between.
_LOOKS_MS, _N_LOOKS = 20, 15
_QUIET = """
    const [pause, enough, done] = arguments
    let still = 0
    const look = () => {
        const app = document.querySelector('[data-testid=stApp]')
        still = app?.getAttribute('data-test-script-state') === 'notRunning' ? still + 1 : 0
        if (still > enough) done(true)
        else setTimeout(look, pause)
    }
    look()
"""
_NO_WEBGL2 = """
    const given = HTMLCanvasElement.prototype.getContext
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
      return kind === 'webgl2' ? null : given.call(this, kind, ...rest)
    }
"""
# What a click meets on a page that still grows: a chart slides under the pointer, an expander
# unfolds, a run replaces the element. A person would press again.
MOVING = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def served(workspace: Path, *, log: Path, **variables: str) -> Iterator[str]:
    """Serve the app over a workspace, with environment variables; its address is given."""
    start = (sys.executable, "-m", "streamlit", "run", "app/main.py")
    environment = {**variables, "FNPRUNE_WORKSPACE": str(workspace)}
    with serving(
        lambda port: [*start, f"--server.port={port}"], cwd=ROOT, log=log, **environment
    ) as url:
        yield url


@contextmanager
def serving(
    command: Callable[[int], list[str]], *, cwd: Path, log: Path, **variables: str
) -> Iterator[str]:
    """Run the command that serves the app at a port; its address is given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, **variables}
    with log.open("w") as file:
        server = subprocess.Popen(command(port), cwd=cwd, env=environment, stdout=file, stderr=file)
        try:
            wait_for(lambda: is_healthy(url), "a healthy server")
            yield url
        finally:
            server.terminate()
            server.wait(timeout=30)


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

    def __init__(self, programs: tuple[Path, Path], url: str = "") -> None:
        options = Options()
        options.binary_location = str(programs[0])
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = Chrome(options=options, service=Service(str(programs[1])))
        self.driver.set_script_timeout(PATIENCE_S)
        self.url = url
        self.look(1280, "dark")

    def go_offline(self) -> None:
        """Take the network away, as for a file that is opened from a disk."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)

    def lose_webgl2(self) -> None:
        """Let pages opened from now on find no WebGL2."""
        command = "Page.addScriptToEvaluateOnNewDocument"
        self.driver.execute_cdp_cmd(command, {"source": _NO_WEBGL2})

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
        """Wait until the page has run, and has begun no other run for 0.3 s."""

        def is_quiet() -> bool:
            try:
                return bool(self.driver.execute_async_script(_QUIET, _LOOKS_MS, _N_LOOKS))
            except JavascriptException:
                return False  # the page went away while it was looked at

        wait_for(is_quiet, "the page to settle")

    def hold_still(self) -> None:
        """Wait until all charts have the size that they had a moment before.

        They fit themselves to a new size without telling anyone.
        """
        script = """
            return [...document.querySelectorAll('.js-plotly-plot, img, canvas')]
                .map((e) => e.getBoundingClientRect()).map((r) => [r.width, r.height, r.top]).join()
        """

        def is_still() -> bool:
            before = self.driver.execute_script(script)
            time.sleep(0.3)
            return bool(self.driver.execute_script(script) == before)

        wait_for(is_still, "charts that hold still")

    def text(self) -> str:
        bodies = self.driver.find_elements(By.TAG_NAME, "body")
        return bodies[0].text if bodies else ""  # a page that is being loaded has none yet

    def read(self, text: str) -> None:
        wait_for(lambda: text in self.text(), f"{text!r} on the page")

    def button(self, label: str) -> WebElement:
        """Return a button or an expander's head; icons are words of their own lines."""
        script = """
            return [...document.querySelectorAll('button, summary')].find((e) =>
                e.innerText.split('\\n').includes(arguments[0]) && e.offsetParent && !e.disabled)
        """
        return self._once_there(
            lambda: self.driver.execute_script(script, label), f"button {label!r}"
        )

    @staticmethod
    def _once_there(find: Callable[[], WebElement | None], what: str) -> WebElement:
        found: list[WebElement] = []

        def has_appeared() -> bool:
            found[:] = [element] if (element := find()) else []
            return bool(found)

        wait_for(has_appeared, what)
        return found[0]

    def act(self, find: Callable[[], WebElement], does: Callable[[WebElement], None]) -> None:
        """Do something to what `find` gives, again until the page holds still for it."""

        def is_done() -> bool:
            try:
                element = find()
                self.driver.execute_script(
                    "arguments[0].scrollIntoView({block: 'center'})", element
                )
                does(element)
            except MOVING:
                return False
            return True

        wait_for(is_done, "an element that holds still")
        self.settle()

    def press(self, label: str) -> None:
        self.act(lambda: self.button(label), WebElement.click)

    def field(self, key: str, kind: str = "input") -> WebElement:
        """Return the input of the widget with this key, once it is there."""
        selector = f".st-key-{key} {kind}"

        def enabled() -> WebElement | None:
            found = self.driver.find_elements(By.CSS_SELECTOR, selector)
            return found[0] if found and found[0].is_enabled() else None

        return self._once_there(enabled, selector)

    def inside(self, key: str, selector: str, index: int = 0) -> WebElement:
        """Return an element of a component of its own, whose shadow hides it from the page."""
        script = """
            const found = []
            const seek = (root) => {
              for (const each of root.querySelectorAll('*')) {
                if (each.matches(arguments[1])) found.push(each)
                if (each.shadowRoot) seek(each.shadowRoot)
              }
            }
            const host = document.querySelector('.st-key-' + arguments[0])
            if (host) seek(host)
            return found[arguments[2]]
        """
        return self._once_there(
            lambda: self.driver.execute_script(script, key, selector, index),
            f"{selector} number {index} in {key}",
        )

    def pick(self, key: str, selector: str, index: int = 0) -> None:
        """Press an element of a component of its own."""
        self.act(lambda: self.inside(key, selector, index), WebElement.click)

    def link(self, label: str) -> WebElement:
        """Return a link; icons are words of their own lines."""
        script = """
            return [...document.querySelectorAll('a')].find((e) =>
                e.innerText.split('\\n').includes(arguments[0]) && e.offsetParent)
        """
        return self._once_there(
            lambda: self.driver.execute_script(script, label), f"link {label!r}"
        )

    def follow(self, label: str) -> None:
        """Press a link to another page."""
        self.act(lambda: self.link(label), WebElement.click)

    def type(self, key: str, value: str) -> None:
        def fill(field: WebElement) -> None:
            field.click()
            field.send_keys(Keys.CONTROL, "a")
            field.send_keys(value, Keys.ENTER)

        self.act(lambda: self.field(key), fill)

    def slide_to_start(self, key: str) -> None:
        # The thumb's input is hidden from the eye, and so from selenium: focus it, then type.
        thumb = self.field(key, "input[type=range]")
        self.driver.execute_script("arguments[0].focus()", thumb)
        self.keys(Keys.HOME)

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

    def requests(self) -> list[str]:
        """Return the addresses that the browser asked for since the last call, sent or blocked."""
        messages = [json.loads(row["message"]) for row in self.driver.get_log("performance")]
        sent = [m["message"] for m in messages]
        return [
            m["params"].get("request", m["params"])["url"]
            for m in sent
            if m["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated")
        ]

    def photograph(self, name: str, width: int, mode: str) -> Path:
        """Save the whole page as it looks at a width in a mode."""
        script = "return document.querySelector('[data-testid=stMain]').scrollHeight"
        self.look(width, mode)
        self.settle()
        self.look(width, mode, height=min(int(self.driver.execute_script(script)) + 20, 6000))
        self.hold_still()
        folder = Path(os.environ.get("FNPRUNE_SCREENSHOTS", ROOT / "screenshots"))
        folder.mkdir(parents=True, exist_ok=True)
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        path = folder / f"{name}-{width}-{mode}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        self.look(width, mode)
        return path

    def faint_text(self) -> list[str]:
        """Return the words that stand out too little from what lies behind them."""
        script = (ROOT / "tests/browser/faint_text.js").read_text(encoding="utf-8")
        found: list[str] = self.driver.execute_script(script)
        return found

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        script = "return document.documentElement.scrollWidth - window.innerWidth"
        return int(self.driver.execute_script(script))


@contextmanager
def opened(programs: tuple[Path, Path], url: str = "") -> Iterator[Browser]:
    """Open a browser on the app, and close it at the end."""
    person = Browser(programs, url)
    try:
        yield person
    finally:
        person.driver.quit()
