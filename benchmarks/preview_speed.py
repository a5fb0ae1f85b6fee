"""How long the prune lab takes to follow a key, at a real browser.

Run: ``python benchmarks/preview_speed.py [--workspace FOLDER]`` with Chromium and its driver
installed; the example must have been built (``make example``). Works on a copy of the workspace.
Prepares the preview, takes the protection of networks away by key, one after the other, and takes
the decisions back. One time runs from the key press until the table shows it, another one until the
page has counted the networks anew and tells their sizes. At last the same keys are pressed at once:
all must have been taken. The goals are under 0.5 s, and none lost.
"""

import argparse
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from atlas_speed import browser, idle, server, summary
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from fnprune_core import workflows
from fnprune_core.models.loading import load_model
from fnprune_core.pruning.preview_files import prepare_preview
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace

N_KEYS = 8
_CLOCK = """
const [key, wanted, done] = arguments
const seek = (root) => {
  for (const each of root.querySelectorAll('*')) {
    if (each.matches('.lab')) return each
    const found = each.shadowRoot && seek(each.shadowRoot)
    if (found) return found
  }
  return null
}
const table = seek(document)
const state = () => [...table.querySelectorAll('.row')].map((row) => row.className).join()
const before = state(), start = performance.now()
let shown = null
const look = () => {
  const now = performance.now() - start
  if (shown === null && state() !== before) shown = now
  if (document.querySelector('[data-testid=stMain]').innerText.includes(wanted)) done([shown, now])
  else setTimeout(look, 2)
}
document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, composed: true }))
look()
"""


def measure(workspace: Path, recording: str, atlas: str) -> dict[str, object]:
    """Return times of taking protection away and of undoing that, and how many keys were taken."""
    times: dict[str, list[float]] = {"shown_s": [], "counted_s": [], "undo_counted_s": []}
    with server(workspace) as address, browser() as driver:
        driver.set_script_timeout(120)
        driver.get(f"{address}/prune?recording={recording}&atlas={atlas}")
        idle(driver)

        def press(key: str, wanted: str) -> tuple[float | None, float]:
            shown, counted = driver.execute_async_script(_CLOCK, key, wanted)
            idle(driver)
            return shown, counted / 1000

        for n in range(1, N_KEYS + 1):
            shown, counted = press("p", f"{64 - n} of 64 networks protected")
            times["shown_s"].append((shown or 0) / 1000)
            times["counted_s"].append(counted)
            ActionChains(driver).send_keys(Keys.ARROW_RIGHT).perform()
            idle(driver)
        for n in reversed(range(N_KEYS)):
            times["undo_counted_s"].append(press("u", f"{64 - n} of 64 networks protected")[1])
        rush = ActionChains(driver)
        for _ in range(N_KEYS):
            rush = rush.send_keys("p", Keys.ARROW_RIGHT)
        rush.perform()
        idle(driver)
        main_area = driver.find_element("css selector", "[data-testid=stMain]").text
        taken = re.search(r"(\d+) of 64 networks protected", main_area)
    return {
        **{name: summary(values) for name, values in times.items()},
        "rushed": N_KEYS,
        "rushed_taken": 64 - int(taken[1]) if taken else None,
    }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
    found = workflows.find_example(workspace)
    if found is None:
        raise SystemExit("There is no example in this workspace: run `make example` first.")
    with tempfile.TemporaryDirectory(dir=workspace.root.parent) as folder:
        copy = Path(folder) / "workspace"
        shutil.copytree(workspace.root, copy, copy_function=os.link)
        prepare_preview(Workspace(copy), load_model("embedded"), found.decomposition_id)
        times = measure(copy, found.recording_id, found.decomposition_id)
    print(json.dumps({**times, "cpus": os.cpu_count(), "versions": package_versions()}, indent=1))


if __name__ == "__main__":
    main()
