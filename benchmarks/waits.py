"""What a person waits for in the app: the cold start, and each interactive step, at a browser.

Run: ``PYTHONPATH=tests python benchmarks/waits.py [--workspace FOLDER] [--rounds 12]`` with
Chromium and its driver installed, on the example (``make example``), a copy of which is opened with
its preview prepared. Chromium draws in software. Prints JSON; exits 1 where a goal is missed.

The cold start runs from the start of the server, for a browser that is open: until a picture is
seen on the first page, until the first thumbnails are, and until the body can be turned. It is
measured twice: as set-up leaves it, which draws Start ahead, and without that. A step's time
runs, in the page's own clock, from the event until its result is there, which each step names
(`Step.until`), and again until the page runs no more; beside it stand the CPU time of the server
and the bytes that it sent, which are what the rerun of the page cost. Keys pressed faster than the
page follows must all be taken.
"""

import argparse
import base64
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from browsing import Browser, opened, served, wait_for
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from fnprune_core.example.ids import ExampleIds, find_example
from fnprune_core.models.loading import load_model
from fnprune_core.pruning.preview_files import prepare_preview
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import PICTURES, Workspace

ROOT = Path(__file__).parents[1]
COLD_GOAL_S, P50_GOAL_S, P95_GOAL_S = 5.0, 0.3, 1.0
N_RUSHED = 8
# What a page that loads is waited for, in the order of a visit, as JavaScript.
_COLD = {
    "heading_s": "all('h1').length > 0",
    "first_picture_s": "all('.stage .poster, .tile img').some(seen) || isDrawn()",
    "thumbnails_s": "all('.tile').length && all('.tile img').slice(0, 12).every(seen)",
    "body_s": "isDrawn()",
}
_COLD_CLOCK = """
    const seen = (image) => image.complete && image.naturalWidth > 0
    const isDrawn = () => all('.viewer').some((each) => each.dataset.state === 'drawn')
    const conditions = {%s}
    const found = {}
    const look = () => {
      for (const [name, holds] of Object.entries(conditions)) {
        if (!(name in found) && holds()) found[name] = performance.now() / 1000
      }
      if (Object.keys(found).length === Object.keys(conditions).length) done(found)
      else setTimeout(look, 20)
    }
    const done = arguments[arguments.length - 1]
    look()
"""

# All that steps find on a page, in the shadows of its components too.
_TOOLS = """
    const all = (selector, root = document) => {
      const found = []
      const seek = (each) => {
        for (const child of each.querySelectorAll('*')) {
          if (child.matches(selector)) found.push(child)
          if (child.shadowRoot) seek(child.shadowRoot)
        }
      }
      seek(root)
      return found
    }
    const says = (text) => document.querySelector('[data-testid=stMain]').innerText.includes(text)
    const labelled = (selector, label) => all(selector).find((each) =>
      each.innerText.split('\\n').includes(label) && each.offsetParent)
    const key = (name) => (document.activeElement || document.body).dispatchEvent(
      new KeyboardEvent('keydown', { key: name, bubbles: true, composed: true }))
    const app = document.querySelector('[data-testid=stApp]')
    const plotted = (head, title) => labelled(head, title)
      && document.querySelector('.js-plotly-plot .main-svg')
    const sizes = () => document.querySelector('.lab-sizes').innerText
    const rests = () => app.getAttribute('data-test-script-state') === 'notRunning'
    const drawn = (network) => all('.viewer').some((each) => each.dataset.state === 'drawn'
      && (each.dataset.map || '').includes(`/${network}.nii`))
"""
_CLOCK = """
    const done = arguments[arguments.length - 1]
    const began = performance.now()
    let shown = null, rested = null, still = 0
    const look = () => {
      const now = performance.now() - began
      if (shown === null && (%(until)s)) shown = now
      still = rests() ? still + 1 : 0
      if (still === 1) rested = now
      if (shown !== null && still > 30) done([shown, Math.max(shown, rested)])
      else setTimeout(look, 5)
    }
    %(act)s
    look()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One interactive step.

    Parameters
    ----------
    page : str
        Address that it starts from.
    leads_away : bool
        Whether it leaves the page, which is then opened again for each round.
    act, until : str
        JavaScript that does it, and that tells whether its result is there; ``{n}`` is the number
        of the round, from 1.
    """

    name: str
    page: str
    act: str
    until: str
    leads_away: bool = False

    def script(self, n: int) -> str:
        """Return the script of one round."""
        act, until = (text.replace("{n}", str(n)) for text in (self.act, self.until))
        return _TOOLS + _CLOCK % {"act": act, "until": until}


def steps(example: ExampleIds) -> list[Step]:
    """Return the steps: networks, thresholds, toggles, ratios, tabs and pages."""
    view = f"recording={example.recording_id}&atlas={example.decomposition_id}"

    def tab(name: str, page: str, label: str, until: str) -> Step:
        act = f"labelled('a', '{label}').click()"
        return Step(name=name, page=f"/{page}?{view}", act=act, until=until, leads_away=True)

    slide = "const thumb = document.querySelector('.st-key-prune-ratio input[type=range]');"
    return [
        Step(
            name="next network, drawn in the body", page=f"/atlas?{view}&network=1",
            act="labelled('button', 'Next').click()", until="drawn(1 + {n})",
        ),
        Step(
            name="network by its tile", page=f"/atlas?{view}&network=40",
            act="var tile = all('.tile')[{n}];"
            "var picked = Number(tile.querySelector('.number').textContent); tile.click()",
            until="drawn(picked)",
        ),
        Step(
            name="threshold, in the text below", page=f"/atlas?{view}&network=5",
            act="const input = all('.viewer input[name=threshold]')[0];"
            "input.value = 3 + 0.1 * {n}; input.dispatchEvent(new Event('input'));"
            "input.dispatchEvent(new Event('change'))",
            until="location.search.includes('z=' + (3 + 0.1 * {n}).toFixed(1).replace('.0', ''))",
        ),
        Step(
            name="toggle a network, shown in the table", page=f"/prune?{view}",
            act="var before = all('.row.pruned').length; key({n} % 2 ? 'p' : 'k')",
            until="all('.row.pruned').length !== before",
        ),
        Step(
            name="toggle a network, sizes counted anew", page=f"/prune?{view}",
            act="key({n} % 2 ? 'p' : 'k')",
            until="says((64 - {n} % 2) + ' of 64 networks protected')",
        ),
        Step(
            name="ratio, sizes counted anew", page=f"/prune?{view}",
            act="var before = sizes();" + slide
            + "thumb.focus(); thumb.dispatchEvent(new KeyboardEvent('keydown',"
            "{key: 'ArrowRight', code: 'ArrowRight', keyCode: 39, bubbles: true}))",
            until="location.search.includes('form=r' + (20 + {n})) && sizes() !== before",
        ),
        tab("tab: Units", "atlas", "Unit", "says('of 46,080 units')"),
        tab("tab: Embedding", "parcellation", "Embedding", "plotted('h1, h2', 'Embedding')"),
        tab("page: Connectome", "atlas", "Connectome", "plotted('h1, h2', 'Connectome')"),
        tab("page: Prune", "plans", "Prune", "says('networks protected')"),
    ]  # fmt: skip


def server_process(port: int) -> psutil.Process:
    """Return the process of the server that this one has started at a port."""
    return next(
        child
        for child in psutil.Process().children(recursive=True)
        if any(str(port) in word for word in child.cmdline()) and "streamlit" in child.cmdline()
    )


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def received(browser: Browser) -> int:
    """Return the bytes that came over web sockets since the last call."""
    total = 0
    for entry in browser.driver.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        if event["method"] == "Network.webSocketFrameReceived":
            total += len(base64.b64decode(event["params"]["response"]["payloadData"] + "==="))
    return total


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile and largest value."""
    return {
        "p50": round(statistics.median(values), 3),
        "p95": round(float(np.percentile(values, 95)), 3),
        "max": round(max(values), 3),
    }


def measured(browser: Browser, step: Step, *, n_rounds: int) -> dict[str, Any]:
    """Return what a step took over the rounds, after one that does not count."""
    process = server_process(int(browser.url.rpartition(":")[2]))
    shown, rested, cpu, n_bytes = [], [], [], []
    browser.open(step.page)
    browser.hold_still()
    for n in range(1, n_rounds + 2):
        if step.leads_away and n > 1:
            browser.open(step.page)
            browser.hold_still()
        received(browser)
        before = cpu_seconds(process)
        try:
            times = browser.driver.execute_async_script(step.script(n))
        except Exception as error:
            raise RuntimeError(f"{step.name}, round {n}") from error
        browser.settle()
        if n == 1:
            continue
        shown.append(times[0] / 1000)
        rested.append(times[1] / 1000)
        cpu.append(cpu_seconds(process) - before)
        n_bytes.append(received(browser))
    return {
        "until_shown_s": summary(shown),
        "until_at_rest_s": summary(rested),
        "server_cpu_s": round(statistics.median(cpu), 3),
        "kilobytes": round(statistics.median(n_bytes) / 1000, 1),
    }


def rushed(browser: Browser, example: ExampleIds) -> int:
    """Return how many of `N_RUSHED` keys, pressed one right after the other, were taken."""
    browser.open(f"/prune?recording={example.recording_id}&atlas={example.decomposition_id}")
    browser.read("64 of 64 networks protected")
    chain = ActionChains(browser.driver)
    for _ in range(N_RUSHED):
        chain = chain.send_keys("p", Keys.ARROW_RIGHT)
    chain.perform()
    browser.settle()
    text = browser.text()
    return next(n for n in range(65) if f"{64 - n} of 64 networks protected" in text)


def cold_start(workspace: Path, programs: tuple[Path, Path]) -> dict[str, float]:
    """Return seconds from the start of the server to what is seen, in an open browser."""
    with tempfile.TemporaryDirectory() as folder, opened(programs, "about:blank") as browser:
        began = time.perf_counter()
        with served(workspace, log=Path(folder) / "log") as url:
            answers = time.perf_counter() - began
            browser.driver.get(url)
            conditions = ", ".join(f"{name}: () => {holds}" for name, holds in _COLD.items())
            # In the page's own clock, which began when it was asked for.
            shown = browser.driver.execute_async_script(_TOOLS + _COLD_CLOCK % conditions)
            browser.settle()
            kept = workspace / PICTURES
            wait_for(lambda: any(kept.rglob("rendering-*.webp")), "the body's picture, kept")
            resident = server_process(int(url.rpartition(":")[2])).memory_info().rss
    return {
        "server_answers_s": round(answers, 2),
        **{name: round(answers + seconds, 2) for name, seconds in shown.items()},
        "resident_gb": round(resident / 1e9, 2),
    }


def missed(found: dict[str, Any]) -> list[str]:
    """Return the goals that were not reached, in words."""
    misses = []
    if found["cold"]["first_picture_s"] > COLD_GOAL_S:
        misses.append(f"first picture after {found['cold']['first_picture_s']} s")
    for name, step in found["steps"].items():
        times = step["until_shown_s"]
        if times["p50"] > P50_GOAL_S or times["p95"] > P95_GOAL_S:
            misses.append(f"{name}: p50 {times['p50']} s, p95 {times['p95']} s")
    if found["rushed_keys_taken"] != N_RUSHED:
        misses.append(f"{found['rushed_keys_taken']} of {N_RUSHED} keys were taken")
    return misses


@contextmanager
def copy_of(workspace: Workspace, example: ExampleIds) -> Iterator[Path]:
    """Yield a copy of a workspace with the preview of the example prepared."""
    with tempfile.TemporaryDirectory(dir=workspace.root.parent) as folder:
        copy = Path(folder) / "workspace"
        shutil.copytree(workspace.root, copy, copy_function=os.link)
        prepare_preview(Workspace(copy), load_model("embedded"), example.decomposition_id)
        yield copy


def main() -> None:
    """Measure, print JSON, and exit with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Workspace.default().root)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--only", default="", help="a word in the names of the steps to measure")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        parser.error("chromium and chromedriver are not both installed")
    programs = Path(chromium), Path(driver)
    example = find_example(Workspace(options.workspace))
    if example is None or not example.is_finished:
        raise SystemExit("No finished example is in this workspace: run `make example` first.")
    found: dict[str, Any] = {"versions": package_versions(), "cpus": os.cpu_count(), "steps": {}}
    with copy_of(Workspace(options.workspace), example) as copy:
        shutil.rmtree(copy / PICTURES, ignore_errors=True)
        found["cold, nothing drawn before"] = cold_start(copy, programs)
        shutil.rmtree(copy / PICTURES)
        command = [sys.executable, "-m", "app.start.ahead"]
        environment = {**os.environ, "FNPRUNE_WORKSPACE": str(copy)}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        found["cold"] = cold_start(copy, programs)
        with (
            served(copy, log=copy.parent / "log") as url,
            opened(programs, url) as browser,
        ):
            for step in steps(example):
                if options.only in step.name:
                    found["steps"][step.name] = measured(browser, step, n_rounds=options.rounds)
            found["rushed_keys_taken"] = rushed(browser, example)
            found["console_errors"] = browser.errors()
    found["missed"] = missed(found)
    print(json.dumps(found, indent=1, ensure_ascii=False))
    sys.exit(bool(found["missed"]))


if __name__ == "__main__":
    main()
