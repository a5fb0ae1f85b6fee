"""How fast the viewer is: first picture, another network, a slider, a press; sizes of its files.

Run: ``PYTHONPATH=tests python benchmarks/viewer.py [--workspace FOLDER] [--rounds 5]``, on the
example (``make example``), in headless Chromium that draws in software. A slider's frame runs from
its move until the pixels can be read, a mean over 20. Prints JSON.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from browsing import Browser, opened, served, wait_for
from selenium.webdriver.common.action_chains import ActionChains

from fnprune_core.example.ids import find_example
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace

KEY, FIRST = "map-viewer", 15
_FRAMES = """
    const [input, canvas, first, done] = arguments
    const gl = canvas.getContext('webgl2'), began = performance.now()
    let moves = 0
    const move = () => {
      input.value = first + 0.5 * (moves % 10)
      input.dispatchEvent(new Event('input'))
      if (++moves < 20) return requestAnimationFrame(move)
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4))
      done((performance.now() - began) / moves)
    }
    move()
"""


def is_drawn(browser: Browser, network: int) -> bool:
    """Whether the viewer has drawn a network."""
    if not browser.driver.find_elements("css selector", f".st-key-{KEY}"):
        return False
    root = browser.inside(KEY, ".viewer")
    address = root.get_attribute("data-map") or ""
    return root.get_attribute("data-state") == "drawn" and f"/{network}.nii" in address


def seconds_until_drawn(browser: Browser, network: int, began: float) -> float:
    """Return the seconds since `began` once a network is drawn."""
    wait_for(lambda: is_drawn(browser, network), f"network {network}")
    return time.perf_counter() - began


def measured(browser: Browser, atlas: str, n_rounds: int) -> dict[str, Any]:
    """Return the seconds of each act, in the order in which a person does them."""
    first: list[float] = []
    for _ in range(n_rounds + 1):  # the first of all also opens the atlas
        began = time.perf_counter()
        browser.driver.get(f"{browser.url}/atlas?atlas={atlas}&network={FIRST}")
        first.append(seconds_until_drawn(browser, FIRST, began))
    browser.settle()
    following = []
    for network in range(FIRST + 1, FIRST + 1 + n_rounds):
        button = browser.button("Next")
        began = time.perf_counter()
        browser.driver.execute_script("arguments[0].click()", button)
        following.append(seconds_until_drawn(browser, network, began))
        browser.settle()
    frames: dict[str, dict[str, float]] = {}
    for view in ("mosaic", "render", "cuts"):
        browser.pick(KEY, f"button[data-view={view}]")
        canvas = browser.inside(KEY, "canvas")
        frames[view] = {}
        for name in ("threshold", "fwhm"):
            slider = browser.inside(KEY, f"input[name={name}]")
            found = browser.driver.execute_async_script(_FRAMES, slider, canvas, 2)
            frames[view][name] = found / 1000
    return {
        "first_picture_on_a_cold_server_s": first[0],
        "first_picture_s": first[1:],
        "next_network_s": following,
        "slider_frame_s": frames,
        "press_to_unit_s": pressed(browser),
        "console_errors": browser.errors(),
    }


def pressed(browser: Browser) -> float:
    """Return the seconds from a press in the first cut until the address names the unit."""
    canvas = browser.inside(KEY, "canvas")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    began = time.perf_counter()
    x, y = -int(0.36 * canvas.size["width"]), -int(0.06 * canvas.size["height"])
    ActionChains(browser.driver).move_to_element_with_offset(canvas, x, y).click().perform()
    wait_for(lambda: "unit=" in browser.parameters(), "the unit in the address")
    return time.perf_counter() - began


def main() -> None:
    """Measure on the workspace, which is only read, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Workspace.default().root)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    programs = [shutil.which("chromium") or shutil.which("chromium-browser")]
    programs.append(shutil.which("chromedriver"))
    if None in programs:
        parser.error("chromium and chromedriver are not both installed")
    example = find_example(Workspace(arguments.workspace))
    if example is None:
        raise SystemExit("There is no example in this workspace: run `make example` first.")
    atlas = example.decomposition_id
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        browser_and_driver = Path(str(programs[0])), Path(str(programs[1]))
        with (
            served(arguments.workspace, log=log) as url,
            opened(browser_and_driver, url) as browser,
        ):
            browser.driver.set_script_timeout(120)
            found = measured(browser, atlas, arguments.rounds)
            found["bytes"] = {
                name: len(urllib.request.urlopen(f"{url}/_fnprune/atlases/{atlas}/{name}").read())
                for name in ("anatomy.nii.gz", f"networks/{FIRST}.nii.gz")
            }
    found["median_s"] = {
        name: statistics.median(found[name]) for name in ("first_picture_s", "next_network_s")
    }
    print(json.dumps({"versions": package_versions(), **found}, indent=2))


if __name__ == "__main__":
    main()
