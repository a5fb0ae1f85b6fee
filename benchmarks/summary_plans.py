"""Plans from a recording that keeps a summary beside those from all signals: what that costs.

Run: ``python benchmarks/summary_plans.py [--ratio 0.4] [--max-tokens 16384]``. The embedded model
reads the built-in texts twice, keeping all and keeping a summary; the networks of both are found,
and plans made of each, with all networks preserved and with those of a domain dropped. Then token
weights differ between passages, and a summary holds the weighted Gram matrices only approximately.
Prints perplexity on the built-in held-out texts and the paired difference, in Markdown and JSON.
"""

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.evaluation.compare import compare, evaluation_windows
from fnprune_core.evaluation.results import Perplexity, paired_difference
from fnprune_core.models.loading import load_model
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import KEPT, RecordingSettings
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents


def preserved_without(atlas: NetworkAtlas, domain: str) -> NDArray[np.int64]:
    """Return the networks that have at most half of their energy in a domain."""
    share = atlas.domain_share()[:, atlas.domain_names.index(domain)]
    return np.flatnonzero(share <= 0.5)


def measured(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    """Return what plans of both recordings cost, by plan."""
    language_model, documents = load_model(), builtin_documents()
    atlases: dict[str, NetworkAtlas] = {}
    for keep in KEPT:
        settings = RecordingSettings(
            max_tokens=options.max_tokens, keep=keep, most_networks=options.networks
        )
        recording = record_texts(workspace, language_model, documents, settings=settings)
        ica = GroupICA(n_components=options.networks, n_runs=1)
        id = group_ica.decompose(workspace, recording, settings=ica)
        atlases[keep] = open_atlas(workspace, id)
    partner, r = match_maps(atlases["all"].maps, atlases["summary"].maps)
    kept = preserved_without(atlases["all"], options.drop)
    rules: dict[str, dict[str, tuple[int, ...] | None]] = {
        "all networks": dict.fromkeys(KEPT),
        f"without {options.drop}": {
            "all": tuple(kept.tolist()),
            "summary": tuple(sorted(partner[kept].tolist())),
        },
    }
    held_out = evaluation_windows(
        language_model, builtin_documents(split="held-out"), window=512, max_windows=options.windows
    )
    found: dict[str, Any] = {"median_r_of_maps": float(np.median(r)), "plans": {}}
    for rule, preserved in rules.items():
        plans = {}
        for keep, atlas in atlases.items():
            score = "network-energy" if preserved[keep] is None else "network-context"
            settings_of_plan = PlanSettings(
                score=score, ratio=options.ratio, preserved=preserved[keep]
            )
            (plans[keep],) = planner.plans(
                workspace, language_model, recording_id=atlas.decomposition.recording_id,
                decomposition_id=atlas.id, settings=[settings_of_plan],
            )  # fmt: skip
        results: dict[str, Perplexity] = {}
        compare(
            workspace, language_model, held_out, plan_ids={"dense": None, **plans},
            on_partial=results.__setitem__,
        )  # fmt: skip
        found["plans"][rule] = compared(workspace, plans, results)
    return found


def compared(
    workspace: Workspace, plans: dict[str, str], results: dict[str, Perplexity]
) -> dict[str, float]:
    """Return perplexities, the paired difference, and the share of removed units that both have."""
    removed = [
        {(layer, int(unit)) for layer, units in enumerate(open_plan(workspace, id).removed)
         for unit in units}
        for id in plans.values()
    ]  # fmt: skip
    difference = paired_difference(results["summary"], results["all"])
    return {
        "dense": results["dense"].perplexity,
        **{keep: results[keep].perplexity for keep in plans},
        "nats_more": difference.difference,
        "standard_error": difference.standard_error,
        "removed_by_both": len(removed[0] & removed[1]) / max(len(removed[0]), 1),
    }


def main() -> int:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratio", type=float, default=0.4)
    parser.add_argument("--max-tokens", type=int, default=16384)
    parser.add_argument("--networks", type=int, default=64)
    parser.add_argument("--windows", type=int, default=40)
    domains = sorted({document.domain for document in builtin_documents()})
    parser.add_argument(
        "--drop", default="french", choices=domains, help="the domain whose networks are dropped"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        found = measured(Workspace(Path(folder)), options)
    print("| networks | dense | all signals | a summary | nats more | units removed by both |")
    print("|---|---|---|---|---|---|")
    for rule, row in found["plans"].items():
        print(
            f"| {rule} | {row['dense']:.2f} | {row['all']:.2f} | {row['summary']:.2f} | "
            f"{row['nats_more']:+.4f} ± {row['standard_error']:.4f} | "
            f"{100 * row['removed_by_both']:.1f} % |"
        )
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
