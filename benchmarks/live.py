"""How fast the live scanner is: first frame after Read, and frames a second by view.

Run: ``PYTHONPATH=tests python benchmarks/live.py [--workspace FOLDER] [--rounds 3]``, on the
example (``make example``), in headless Chromium that draws in software, at 1280 pixels. A frame
is one that the browser has taken up. While a text is asked for, the one before stands. Prints JSON.
"""

import argparse
import json
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from browsing import Browser, opened, served, wait_for

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.example.ids import find_example
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace

KEY = "live-scanner"
_CHOOSE = """
    const [select, value] = arguments
    select.value = value
    select.dispatchEvent(new Event('change'))
"""
_TYPE = """
    const [field, text] = arguments
    field.focus()
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(field, text)
    field.dispatchEvent(new Event('input', {bubbles: true}))
"""
_PLAY_S, _PATIENCE_S = 5, 60.0


def told(browser: Browser, name: str) -> str:
    """Return what the scanner says of itself."""
    if not browser.driver.find_elements("css selector", f".st-key-{KEY}"):
        return ""
    return browser.inside(KEY, ".live").get_attribute(f"data-{name}") or ""


def is_ready(browser: Browser) -> bool:
    """Whether a text is there and stands or plays."""
    return told(browser, "state") in ("paused", "playing")


def first_frames(browser: Browser, view: dict[str, str], text: str, n_rounds: int) -> list[float]:
    """Return the seconds from a press of Read until a frame, each time with another text."""
    browser.open(f"/live?{urlencode({**view, 'show': 'read'})}")
    if "Load the model" in browser.text():
        browser.press("Load the model")
        wait_for(lambda: "Load the model" not in browser.text(), "the model")
        browser.settle()
    found = []
    for number in range(n_rounds + 1):  # the first prepares the atlas, and is left out
        field = browser.field("live-text", "textarea")
        browser.driver.execute_script(_TYPE, field, f"{number}. {text}")
        if told(browser, "state") == "playing":  # it would take the processor from the model
            browser.driver.execute_script("arguments[0].click()", browser.inside(KEY, ".play"))
            browser.settle()
        before = told(browser, "first-frame") if number else ""
        button = browser.button("Read")
        began = time.time()
        # The box gives its text away when it is left, as it is by a press of the button.
        leave = "arguments[0].dispatchEvent(new FocusEvent('focusout', {bubbles: true}))"
        browser.driver.execute_script(f"{leave}; arguments[1].click()", field, button)

        def has_frame(before: str = before) -> bool:
            return told(browser, "first-frame") not in ("", before) and is_ready(browser)

        wait_for(has_frame, "the first frame", seconds=_PATIENCE_S)
        found.append(int(told(browser, "first-frame")) / 1000 - began)
        browser.settle()
    return found[1:]


def frames_per_second(browser: Browser, view: dict[str, str]) -> dict[str, float]:
    """Return frames a second of the longest recorded text, by view."""
    browser.open(f"/live?{urlencode({**view, 'session': '0', 'token': '5', 'show': 'recorded'})}")
    wait_for(lambda: is_ready(browser), "the recorded text")
    found = {}
    for name in ("cuts", "render", "all"):
        select = browser.inside(KEY, "select[aria-label=View]")
        browser.driver.execute_script(_CHOOSE, select, name)
        play = browser.inside(KEY, ".play")
        browser.driver.execute_script("arguments[0].click()", play)
        time.sleep(_PLAY_S)
        found[name] = float(told(browser, "fps"))
        browser.driver.execute_script("arguments[0].click()", play)
        wait_for(lambda: told(browser, "state") == "paused", "a pause")
    return found


def text_of(workspace: Workspace, atlas: str, n_tokens: int = 200) -> str:
    """Return a recorded text of about so many tokens."""
    tokens = open_atlas(workspace, atlas).tokens
    session = tokens[tokens["domain"] == tokens["domain"].iloc[-1]]["session"].iloc[0]
    return "".join(tokens[tokens["session"] == session]["text"].iloc[4 : 4 + n_tokens - 4])


def main() -> None:
    """Measure on the workspace, which is only read, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Workspace.default().root)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    programs = [shutil.which("chromium") or shutil.which("chromium-browser")]
    programs.append(shutil.which("chromedriver"))
    if None in programs:
        parser.error("chromium and chromedriver are not both installed")
    workspace = Workspace(arguments.workspace)
    example = find_example(workspace)
    if example is None:
        raise SystemExit("There is no example in this workspace: run `make example` first.")
    view = {"recording": example.recording_id, "atlas": example.decomposition_id}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        browser_and_driver = Path(str(programs[0])), Path(str(programs[1]))
        with (
            served(arguments.workspace, log=log) as url,
            opened(browser_and_driver, url) as browser,
        ):
            found: dict[str, Any] = {"frames_per_second": frames_per_second(browser, view)}
            text = text_of(workspace, example.decomposition_id)
            found["first_frame_after_read_s"] = first_frames(browser, view, text, arguments.rounds)
            scrub = browser.inside(KEY, "input[type=range]")
            found["n_tokens"] = int(scrub.get_property("max")) + 1
            address = f"{url}/_fnprune/atlases/{example.decomposition_id}/live.bin"
            found["body_bytes"] = len(urllib.request.urlopen(address).read())
            found["console_errors"] = browser.errors()
    print(json.dumps({"versions": package_versions(), **found}, indent=2))


if __name__ == "__main__":
    main()
