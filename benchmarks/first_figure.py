"""How long after Apply the first perplexities come in: of the dense model, and of the plan.

Run: ``python benchmarks/first_figure.py [--workspace FOLDER] [--ratio 0.25] [--domain french]``;
the example must have been built (``make example``). Works on a copy of the workspace, in which
neither the plan nor its rivals were made; the dense model was measured if it was in the example.
The goal is 20 s for the plan, on two cores that nobody else uses; CPU time is told as well.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from shutil import copytree

from app.doors.reach import reach_of
from app.doors.settings import read
from app.pruning.prune_tasks import PLAN, Partial, PruneOrder, prune
from app.shell.jobs.tasks import ModelShelf
from app.shell.text_choice import TextChoice
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.evaluation.results import DENSE
from fnprune_core.example.ids import find_example
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, ignore
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace


def measure(workspace: Workspace, *, ratio: float, domain: str) -> dict[str, object]:
    """Return seconds after Apply of the first figures, of all domains, and of the end."""
    found = find_example(workspace)
    if found is None:
        raise SystemExit("There is no example in this workspace: run `make example` first.")
    atlas = open_atlas(workspace, found.decomposition_id)
    own = set(atlas.networks_of_domain(domain))
    settings = PlanSettings(
        ratio=ratio, preserved=tuple(k for k in range(atlas.n_networks) if k not in own)
    )
    order = PruneOrder(
        model="embedded", recording=found.recording_id, atlas=atlas.id, settings=settings,
        baselines=("flap", "random"), texts=TextChoice(split="held-out"),
    )  # fmt: skip
    reach = reach_of(read("127.0.0.1", {}), workspace, uploads=workspace.root / "uploads")
    shelf = ModelShelf(reach=reach)
    shelf.get("embedded", progress=ignore)
    start, cpu, told = time.perf_counter(), time.process_time(), {}

    def report(event: object) -> None:
        if not isinstance(event, Partial) or event.label not in (DENSE, PLAN):
            return
        now = {
            "s": round(time.perf_counter() - start, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
            "perplexity": round(event.result.perplexity, 2),
        }
        told.setdefault(f"first of {event.label}", now)
        if len(event.result.by_domain()) == len(event.result.domain_names):
            told.setdefault(f"all domains of {event.label}", now)

    prune(order).job(workspace, shelf)(report, NEVER)
    return {**told, "end_s": round(time.perf_counter() - start, 1)}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--ratio", type=float, default=0.25)
    parser.add_argument("--domain", default="french")
    options = parser.parse_args()
    workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
    with tempfile.TemporaryDirectory(dir=workspace.root.parent) as folder:
        copy = Path(folder) / "workspace"
        copytree(workspace.root, copy, copy_function=os.link)
        times = measure(Workspace(copy), ratio=options.ratio, domain=options.domain)
    print(json.dumps({**times, "cpus": os.cpu_count(), "versions": package_versions()}, indent=1))


if __name__ == "__main__":
    main()
