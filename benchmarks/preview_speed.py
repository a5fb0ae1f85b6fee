"""How long the preview of the prune lab takes to follow a decision, at a real browser.

Run: ``python benchmarks/preview_speed.py [--workspace FOLDER]`` with Chromium and its driver
installed; the example must have been built (``make example``). Works on a copy of the workspace.
Prepares the preview, prunes networks by key one after the other and takes the decisions back. A
time runs from the key press in the browser until the page counts the networks anew and plotly has
drawn the map of what goes anew. The goal is under a second.
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

from atlas_speed import CLOCK, browser, idle, server, stop_clock, summary
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from fnprune_core import workflows
from fnprune_core.models.loading import load_model
from fnprune_core.pruning.preview_files import prepare_preview
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace

N_PRUNED = 8


def measure(workspace: Path, recording: str, atlas: str) -> dict[str, dict[str, object]]:
    """Return times of pruning networks and of taking that back."""
    pruned, undone = [], []
    with server(workspace) as address, browser() as driver:
        driver.get(f"{address}/prune?recording={recording}&atlas={atlas}")
        idle(driver)

        def press(key: str, wanted: str) -> float:
            driver.execute_script(CLOCK, "preview-map", "keydown", wanted)
            ActionChains(driver).send_keys(key).perform()
            took = stop_clock(driver)
            idle(driver)
            return took

        for n in range(1, N_PRUNED + 1):
            pruned.append(press("p", f"{64 - n} of 64 networks preserved"))
            ActionChains(driver).send_keys(Keys.ARROW_RIGHT).perform()
            idle(driver)
        undone.extend(
            press("u", f"{64 - n} of 64 networks preserved") for n in reversed(range(N_PRUNED))
        )
    return {"prune_s": summary(pruned), "undo_s": summary(undone)}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
    found = workflows.find_example(workspace)
    if found is None:
        raise SystemExit("There is no example in this workspace: run `make example` first.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "workspace"
        shutil.copytree(workspace.root, copy)
        prepare_preview(Workspace(copy), load_model("embedded"), found.decomposition_id)
        times = measure(copy, found.recording_id, found.decomposition_id)
    print(json.dumps({**times, "cpus": os.cpu_count(), "versions": package_versions()}, indent=1))


if __name__ == "__main__":
    main()
