"""How the server bears many visits at once: their waiting times, errors, crossings, its memory.

Run: ``python benchmarks/load.py --visits 20 --minutes 10 [--workspace FOLDER] [--url URL]``. The
example must have been built (``make example``). Starts the server on a copy of the workspace
(hard links) whose preview is prepared, opens tabs over the real web socket and lets each act and
think by turns: one evaluates a plan, one third reads pages, the others keep and prune networks.
A time runs from the message that asks for a run until the server says that the run has ended.
A crossing is whatever a visit sees of another's choices: networks dropped, plan, job, a button
that stops another's job, or Apply gone. Prints JSON. With ``--url``, a server that runs already
is asked (``--pid`` tells whose memory is measured, ``--token`` lets in).
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from visits import Visit, component_data, cookies_of, visiting

from app.shell import view_fields
from fnprune_core.example.ids import find_example
from fnprune_core.models.loading import load_model
from fnprune_core.pruning import preview_files
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace

ROOT = Path(__file__).parents[1]
READ = ("", "atlas", "carpet", "connectome", "parcellation", "plans", "learn", "glossary", "report")
EVALUATE, READS, TOGGLES = "evaluates", "reads", "toggles"


@dataclass(slots=True)
class Tally:
    """What was seen so far."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    crossings: list[str] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    n_bytes: int = 0
    n_plans: int = 0
    progress: str = ""

    def add(self, act: str, seconds: float) -> None:
        """Count an act and how long it took."""
        self.seconds[act].append(seconds)
        self.acts[act] += 1


@dataclass(slots=True)
class Person:
    """Who acts at a tab, and what the tab must show for that."""

    name: str
    role: str
    visit: Visit
    draw: np.random.Generator
    tally: Tally
    query: str
    dropped: set[int] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    plans: set[str] = field(default_factory=set)

    async def act(self) -> None:
        """Do one thing, and look at what the page shows of it."""
        if self.role == READS:
            await self._read()
        elif self.visit.page != "prune":
            await self._open("prune")
        elif self.role == EVALUATE and self.visit.button("-prune-apply") and not self._waits():
            await self._apply()
        elif self.role == EVALUATE and self._waits():
            await self.visit.wait(0)  # the page follows the job by itself
        else:
            await self._toggle()
        self.check()

    def _waits(self) -> bool:
        return bool(self.visit.stops())

    async def _open(self, page: str) -> None:
        # A link within the app brings no parameters along: the session's view stays.
        query = self.query if self.visit.n_runs == 0 else ""
        self.tally.add(f"open {page or 'start'}", await self.visit.open(page, query))

    async def _read(self) -> None:
        key = "-atlas-Next"
        following = self.visit.button(key) if self.visit.page == "atlas" else None
        if following is not None and self.draw.random() < 0.6:
            self.tally.add("next network", await self.visit.press(following))
        else:
            await self._open(str(self.draw.choice(READ)))

    async def _toggle(self) -> None:
        keys = ("-lab-Next", "-lab-Unprotect", "-lab-Protect")
        key = keys[int(self.draw.choice(3, p=(0.4, 0.4, 0.2)))]
        button = self.visit.button(key) or self.visit.button("-lab-Next")
        if button is None:
            self.tally.errors.append(f"{self.name}: no button on Prune")
            await self.visit.wait(1)
            return
        act = button.id.rpartition("-lab-")[2].lower()
        if act == "unprotect":
            self.dropped.add(self._selected())
        elif act == "protect":
            self.dropped.discard(self._selected())
        self.tally.add(act, await self.visit.press(button))

    def _selected(self) -> int:
        """Return the network that the buttons are of; *Next* follows the table, not the numbers."""
        tables = [s for s in self.visit.elements("bidi_component") if s.id.endswith("-lab-table")]
        return int(component_data(tables[0])["selected"])

    async def _apply(self) -> None:
        if not self.dropped or self.draw.random() < 0.5:
            await self._toggle()
        button = self.visit.button("-prune-apply")
        if button is None:
            return
        self.tally.add("apply", await self.visit.press(button))
        job = self.visit.parameters().get("job")
        if job:
            self.jobs.add(job)

    def check(self) -> None:
        """Compare what the tab shows with what was done at it."""
        shown = view_fields.decode(self.visit.parameters())
        wrong = []
        if set(shown.dropped) != self.dropped:
            wrong.append(f"dropped {sorted(shown.dropped)} and not {sorted(self.dropped)}")
        if self.role != EVALUATE:
            wrong += [f"the plan {shown.plan}"] * bool(shown.plan)
            wrong += [f"the job {shown.job}"] * bool(shown.job)
            if self.visit.page == "prune" and not any(
                s.id.endswith("-prune-apply") for s in self.visit.elements("button")
            ):
                wrong.append("Apply gone")
        elif shown.plan and shown.plan not in self.plans:
            self.plans.add(shown.plan)
            self.tally.n_plans += 1
        if self.role == EVALUATE:
            told = [s.element.markdown.body for s in self.visit.elements("markdown")]
            self.tally.progress = next((text for text in told if " so far" in text), "")
        wrong += [f"Stop for {job}" for job in self.visit.stops() if job not in self.jobs]
        self.tally.crossings += [f"{self.name} ({self.role}): {text}" for text in wrong]
        self.tally.errors += [f"{self.name}: {text}" for text in self.visit.errors()]


def role_of(number: int) -> str:
    """Return what a visit does: the first evaluates, one third of the others reads."""
    if number == 0:
        return EVALUATE
    return READS if number % 3 == 1 else TOGGLES


async def _stay(person: Person, end: float, think: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        await person.visit.wait(think * float(person.draw.uniform(0.5, 1.5)))
        try:
            async with asyncio.timeout(120):
                await person.act()
        except TimeoutError:
            person.tally.errors.append(f"{person.name}: no answer in 120 s")


async def _one(
    number: int, setting: argparse.Namespace, url: str, query: str, tally: Tally
) -> None:
    """Be one visit; a person who closes the tab now and then is a new visit."""
    loop = asyncio.get_running_loop()
    draw = np.random.default_rng([setting.seed, number])
    await asyncio.sleep(setting.think * float(draw.random()))
    end = loop.time() + 60 * setting.minutes
    n_tabs = 0
    while loop.time() < end:
        cookies = await asyncio.to_thread(cookies_of, url, token=setting.token)
        leaves = end
        if setting.stay and number:
            leaves = min(end, loop.time() + 60 * setting.stay * float(draw.uniform(0.5, 1.5)))
        name = f"visit {number}" + (f", tab {n_tabs}" if n_tabs else "")
        try:
            async with visiting(url, cookies=cookies) as visit:
                person = Person(name, role_of(number), visit, draw, tally, query)
                await _stay(person, leaves, setting.think)
                tally.n_bytes += visit.n_bytes
        except (ConnectionError, OSError) as error:
            tally.errors.append(f"{name}: {error}")
            await asyncio.sleep(1)
        n_tabs += 1


async def _watch(pid: int, samples: list[tuple[float, int]], held: list[tuple[int, int]]) -> None:
    """Note memory each second, and how many threads and open files the server has."""
    began = time.monotonic()
    server = psutil.Process(pid)
    while True:
        samples.append((time.monotonic() - began, resident_bytes(pid)))
        held.append((server.num_threads(), server.num_fds()))
        await asyncio.sleep(1)


def resident_bytes(pid: int) -> int:
    """Return the memory of a process and its children."""
    parent = psutil.Process(pid)
    return sum(process.memory_info().rss for process in (parent, *parent.children(recursive=True)))


async def _load(setting: argparse.Namespace, url: str, pid: int, query: str) -> dict[str, Any]:
    cold = Tally()
    cookies = await asyncio.to_thread(cookies_of, url, token=setting.token)
    async with visiting(url, cookies=cookies) as visit:  # caches are filled by one who comes first
        for page in (*READ, "prune"):
            cold.add(page or "start", await visit.open(page, query))
            cold.errors += visit.errors()
    tally = Tally()
    samples: list[tuple[float, int]] = []
    held: list[tuple[int, int]] = []
    watch = asyncio.create_task(_watch(pid, samples, held))
    began = time.monotonic()
    busy = psutil.Process(pid).cpu_times()
    await asyncio.gather(*(_one(n, setting, url, query, tally) for n in range(setting.visits)))
    watch.cancel()
    took = time.monotonic() - began
    used = psutil.Process(pid).cpu_times()
    return {
        "cold_s": {page: round(times[0], 2) for page, times in cold.seconds.items()},
        "waiting_s": spread([s for times in tally.seconds.values() for s in times]),
        "by_act_s": {act: spread(times) for act, times in sorted(tally.seconds.items())},
        "errors": len(tally.errors) + len(cold.errors),
        "crossings": len(tally.crossings),
        "first_errors": [*cold.errors, *tally.errors][:8],
        "first_crossings": tally.crossings[:8],
        "plans_made": tally.n_plans,
        "evaluation": tally.progress,
        "megabytes_sent": round(tally.n_bytes / 1e6, 1),
        "server_cores": round((used.user + used.system - busy.user - busy.system) / took, 2),
        "memory_gb": memory(samples),
        "threads": course([threads for threads, _ in held]),
        "open_files": course([files for _, files in held]),
        "seconds": round(took),
    }


def spread(seconds: list[float]) -> dict[str, float]:
    """Return number, median, 95th percentile and largest of times."""
    if not seconds:
        return {"n": 0}
    p50, p95, most = np.quantile(seconds, [0.5, 0.95, 1.0])
    return {"n": len(seconds), "p50": round(float(p50), 2), "p95": round(float(p95), 2),
            "max": round(float(most), 2)}  # fmt: skip


def memory(samples: list[tuple[float, int]]) -> dict[str, Any]:
    """Return the first, largest and last resident memory, and the largest of each minute."""
    minutes: dict[int, int] = {}
    for seconds, n_bytes in samples:
        minutes[int(seconds // 60)] = max(minutes.get(int(seconds // 60), 0), n_bytes)
    return {
        "first": round(samples[0][1] / 1e9, 2),
        "largest": round(max(n for _, n in samples) / 1e9, 2),
        "last": round(samples[-1][1] / 1e9, 2),
        "by_minute": [round(n / 1e9, 2) for n in minutes.values()],
    }


def course(counts: list[int]) -> dict[str, int]:
    """Return the first, largest and last of counts."""
    return {"first": counts[0], "largest": max(counts), "last": counts[-1]}


@contextmanager
def served(workspace: Path, log: Path) -> Iterator[tuple[str, int]]:
    """Serve the app over a workspace; its address and process are given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fnprune_core", "app", "--port", str(port)]
    environment = {**os.environ, "FNPRUNE_WORKSPACE": str(workspace)}
    with log.open("w") as file:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                try:
                    with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                        break
                except OSError:
                    time.sleep(0.1)
            yield url, server.pid
        finally:
            server.terminate()
            server.wait(timeout=30)


@contextmanager
def prepared(workspace: Workspace) -> Iterator[tuple[Path, str]]:
    """Copy the workspace by hard links and prepare the preview; give it and the URL's view."""
    found = find_example(workspace)
    if found is None:
        raise SystemExit("There is no example in this workspace: run `make example` first.")
    with tempfile.TemporaryDirectory(dir=workspace.root.parent) as folder:
        copy = Path(folder) / "workspace"
        shutil.copytree(workspace.root, copy, copy_function=os.link)
        if not preview_files.has_preview(Workspace(copy), found.decomposition_id):
            preview_files.prepare_preview(
                Workspace(copy), load_model("embedded"), found.decomposition_id
            )
        yield copy, f"recording={found.recording_id}&atlas={found.decomposition_id}"


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--think", type=float, default=4, help="mean seconds between two acts")
    parser.add_argument("--stay", type=float, default=0, help="minutes until a tab is closed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--url", help="of a server that runs already")
    parser.add_argument("--pid", type=int, help="of that server")
    parser.add_argument("--token", default="", help="that lets in")
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="of the server")
    setting = parser.parse_args()
    workspace = Workspace(setting.workspace) if setting.workspace else Workspace.default()
    if setting.url:
        found = find_example(workspace)
        query = f"recording={found.recording_id}&atlas={found.decomposition_id}" if found else ""
        result = asyncio.run(_load(setting, setting.url.rstrip("/"), setting.pid, query))
    else:
        with prepared(workspace) as (copy, query), served(copy, setting.log) as (url, pid):
            result = asyncio.run(_load(setting, url, pid, query))
    setting_facts = {
        name: getattr(setting, name) for name in ("visits", "minutes", "think", "stay")
    }
    facts = {**setting_facts, "cpus": os.cpu_count(), "versions": package_versions()}
    print(json.dumps({**facts, **result}, indent=1))


if __name__ == "__main__":
    main()
