"""How long the network's page takes: opened from the gallery, and after a move of the z slider.

Run: ``python benchmarks/atlas_speed.py [--workspace FOLDER] [--large]`` with Chromium and its
driver installed; the example must have been built (``make example``). Starts the server, clicks
thumbnails and moves the slider by its arrow keys in headless Chromium. A time runs from the event
in the browser until the map's caption is new and plotly has drawn again. Bytes are those of the
web socket. ``--large`` does the same on a stand-in of 32 layers × 11,008 units with 64 networks.
"""

import argparse
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.cortex import build_cortex, cortex_id
from fnprune_core.atlas.topography.exchange import NO_REFINEMENT
from fnprune_core.decomposition.group_ica import Decomposition
from fnprune_core.models.layout import UnitLayout
from fnprune_core.storage.manifests import artifact_id, package_versions
from fnprune_core.storage.workspace import Workspace
from fnprune_core.workflows import find_example

FLAGS = (
    "--headless=new --no-sandbox --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-quic --use-angle=swiftshader "
    "--enable-unsafe-swiftshader --disable-dev-shm-usage --window-size=1280,1000"
)
LARGE = UnitLayout((11_008,) * 32)
NETWORKS = (5, 12, 20, 33)
N_STEPS = 6
# The clock starts with the event itself, and stops with the first frame that shows the result.
CLOCK = """
const [chart, started, wanted] = arguments
window.fnClock = { start: null, drawn: 0, end: null }
const clock = window.fnClock
const begin = () => { clock.start = performance.now() }
document.addEventListener(started, begin, { capture: true, once: true })
let seen = null
const caption = () => {
  const plot = document.querySelector(`.st-key-${chart}`)
  const text = plot && plot.parentElement ? plot.closest('[data-testid="stMain"]').innerText : ""
  return text.includes(wanted)
}
const look = () => {
  const plot = document.querySelector(`.st-key-${chart} .js-plotly-plot`)
  if (plot && plot.on && plot !== seen) {
    seen = plot
    plot.on("plotly_afterplot", () => { clock.drawn = performance.now() })
    if (clock.start) clock.drawn = performance.now()
  }
  if (clock.start && clock.drawn > clock.start && caption()) clock.end = performance.now()
  else requestAnimationFrame(look)
}
look()
"""
_FOCUS = "document.querySelector('.st-key-atlas-z input[type=range]').focus()"
_TILE = """
for (const host of document.querySelectorAll("*")) {
  const root = host.shadowRoot || host
  const tile = [...root.querySelectorAll(".tile")].find(
    (each) => each.querySelector(".number").textContent === arguments[0])
  if (tile) return tile
}
"""


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(workspace: Path) -> Iterator[str]:
    """Run the app over a workspace; yield its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "FNPRUNE_WORKSPACE": str(workspace)},
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                    break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Run headless Chromium that logs what comes over web sockets."""
    options = Options()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or "chromium"
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=Service(shutil.which("chromedriver") or "chromedriver")
    )
    try:
        yield driver
    finally:
        driver.quit()


def received(driver: webdriver.Chrome) -> list[int]:
    """Return the sizes in bytes of the messages that came since the last call."""
    sizes = []
    for entry in driver.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        if event["method"] == "Network.webSocketFrameReceived":
            payload = event["params"]["response"]["payloadData"]
            sizes.append(len(base64.b64decode(payload + "===")))
    return sizes


def idle(driver: webdriver.Chrome) -> None:
    """Wait until the script has run and nothing is drawn any more."""
    ready = (
        "const app = document.querySelector('[data-testid=\"stApp\"]');"
        "return app && app.getAttribute('data-test-script-state') === 'notRunning'"
        " && document.querySelectorAll('.js-plotly-plot .main-svg').length > 0;"
    )
    WebDriverWait(driver, 120, poll_frequency=0.1).until(lambda d: d.execute_script(ready))
    time.sleep(1.0)


def stop_clock(driver: webdriver.Chrome) -> float:
    """Return the seconds from the event until its result was drawn."""
    WebDriverWait(driver, 60, poll_frequency=0.05).until(
        lambda d: d.execute_script("return window.fnClock.end !== null")
    )
    took = driver.execute_script("return window.fnClock.end - window.fnClock.start")
    return float(took) / 1000


def measure(workspace: Path, atlas: str) -> dict[str, Any]:
    """Return times and bytes of opening networks and of moving the slider, in slices."""
    opened, moved, bytes_opened, bytes_moved, largest = [], [], [], [], 0
    with server(workspace) as address, browser() as driver:
        driver.get(f"{address}/atlas?atlas={atlas}&network=1")
        idle(driver)
        received(driver)
        for network in NETWORKS:
            tile = driver.execute_script(_TILE, str(network))
            driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", tile)
            wanted = f"Network {network} on the cortex"
            driver.execute_script(CLOCK, "map-slices", "click", wanted)
            tile.click()
            opened.append(stop_clock(driver))
            idle(driver)
            sizes = received(driver)
            bytes_opened.append(sum(sizes))
            largest = max(largest, *sizes)
        for step in range(1, N_STEPS + 1):
            z = 3 + step / 10
            driver.execute_script(_FOCUS)
            driver.execute_script(CLOCK, "map-slices", "keydown", f"|z| above {z:g},")
            ActionChains(driver).send_keys(Keys.ARROW_RIGHT).perform()
            moved.append(stop_clock(driver))
            idle(driver)
            sizes = received(driver)
            bytes_moved.append(sum(sizes))
            largest = max(largest, *sizes)
    return {
        "open_from_gallery_s": summary(opened),
        "move_slider_s": summary(moved),
        "open_bytes": max(bytes_opened),
        "move_bytes": max(bytes_moved),
        "largest_message_bytes": largest,
    }


def summary(values: list[float]) -> dict[str, Any]:
    """Return median, largest and all values."""
    return {
        "median": round(float(np.median(values)), 3),
        "largest": round(max(values), 3),
        "all": [round(value, 3) for value in values],
    }


def stand_in(example: Workspace, target: Workspace) -> str:
    """Write a large atlas on the example's tokens; return its id.

    Maps are heavy-tailed noise with a band of strong units for each network; the signals are an
    empty file, for the page reads none.
    """
    found = find_example(example)
    if found is None:
        raise SystemExit("There is no example in this workspace: run `make example` first.")
    small = network_atlas.open_atlas(example, found.decomposition_id)
    rng = np.random.default_rng(0)
    n_networks = small.n_networks
    maps = rng.laplace(size=(n_networks, LARGE.n_units)).astype(np.float32)
    for network, row in enumerate(maps):
        centre = rng.integers(LARGE.n_layers)
        for layer in range(max(0, centre - 4), min(LARGE.n_layers, centre + 5)):
            units = LARGE.flat(layer, rng.choice(11_008, 150, replace=False))
            row[units] += rng.choice([-1, 1], 150) * rng.gamma(4.0, 2.0, 150)
        maps[network] = (row - row.mean()) / row.std()
    recording_id = _empty_recording(example, found.recording_id, target)
    d = small.decomposition
    large = Decomposition(
        spatial_maps=maps,
        time_courses=d.time_courses,
        run_agreement=d.run_agreement,
        variance_alone=d.variance_alone,
        variance_left_out=d.variance_left_out,
        variance_explained=d.variance_explained,
        layer_of_network=d.layer_of_network,
        alive=np.ones(LARGE.n_units, dtype=bool),
        n_iter=d.n_iter,
        converged=d.converged,
        layout=LARGE,
        recording_id=recording_id,
        fingerprint=d.fingerprint,
        settings=d.settings,
    )
    inputs = {"recording_id": recording_id, "stand_in": True}
    id = artifact_id("decompositions", inputs)
    large.save(target.folder("decompositions", id), inputs)
    cortex = build_cortex(maps, LARGE, refinement=NO_REFINEMENT)
    cortex.save(target.folder("layouts", cortex_id(id)), {"decomposition_id": id})
    return id


def _empty_recording(example: Workspace, recording_id: str, target: Workspace) -> str:
    """Write the example's tokens with arrays of the large layout that hold nothing."""
    source = example.existing("recordings", recording_id)
    widths = json.loads((source / "manifest.json").read_text())["widths"]
    id = artifact_id("recordings", {"stand_in": recording_id})
    folder = target.folder("recordings", id)
    folder.mkdir(parents=True)
    per_unit = LARGE.n_units / sum(widths)
    for path in source.iterdir():
        if path.suffix in (".parquet", ".json") or path.name.startswith("log_"):
            shutil.copy(path, folder / path.name)
        elif path.name != ".lock":
            with (folder / path.name).open("wb") as file:
                file.truncate(round(path.stat().st_size * per_unit))  # sparse: no disk is used
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["widths"] = list(LARGE.widths)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return id


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
    found = find_example(workspace)
    if found is None:
        raise SystemExit("There is no example in this workspace: run `make example` first.")
    result = {"versions": package_versions(), "cpus": os.cpu_count()}
    if options.large:
        with tempfile.TemporaryDirectory() as folder:
            atlas = stand_in(workspace, Workspace(Path(folder)))
            result["large: 32 × 11,008 units, 64 networks"] = measure(Path(folder), atlas)
    else:
        result["example: 30 × 1,536 units, 64 networks"] = measure(
            workspace.root, found.decomposition_id
        )
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
