"""Is what the lab estimates of dropping a network borne out? Estimates against measured losses.

Run: ``python benchmarks/drop_costs.py [--workspace FOLDER] [--networks 10] [--ratio 0.4]``. Uses
the newest decomposition of the workspace (``make example`` builds one) and the embedded model. From
the plan that preserves all networks, each chosen one (evenly over the ranks of the estimate) is
dropped by itself; the exact plan is measured on held-out built-in texts. Reported are rank
correlations of each estimate with the rise of loss over the plan with all: on all of the text, and
where the network is active, by its share of energy in each domain.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.evaluation import results
from fnprune_core.evaluation.compare import compare, evaluation_windows
from fnprune_core.evaluation.results import Perplexity
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.pruning.preview_costs import network_costs
from fnprune_core.pruning.preview_files import open_preview, prepare_preview
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents

ESTIMATES = ("energy", "tokens", "units")


def chosen(costs: pd.DataFrame, n: int) -> list[int]:
    """Return networks at even steps through the ranks of the estimate shown first."""
    ranked = costs.sort_values("energy")["network"].to_numpy()
    return [int(k) for k in ranked[np.linspace(0, len(ranked) - 1, n).round().astype(int)]]


def losses(result: Perplexity, atlas: NetworkAtlas) -> dict[str, float]:
    """Return nats per token on all of the text, and in each domain of the atlas."""
    parts = result.by_domain()
    found = {name: float(np.log(parts[name].perplexity)) for name in atlas.domain_names}
    return {"": float(np.log(result.perplexity)), **found}


def correlate(arguments: argparse.Namespace) -> dict[str, Any]:
    """Make the plans, measure them, and correlate."""
    workspace = Workspace(arguments.workspace) if arguments.workspace else Workspace.default()
    model = load_model("embedded")
    atlas = network_atlas.open_atlas(workspace, workspace.entries("decompositions")[0].id)
    prepare_preview(workspace, model, atlas.id)
    preview = open_preview(workspace, atlas.id, atlas=atlas)
    base = PlanSettings(ratio=arguments.ratio, compensation=arguments.compensation)
    costs = network_costs(preview, base)
    networks = chosen(costs, arguments.networks)
    everything = set(range(atlas.n_networks))
    settings = [base, *(base.with_(preserved=tuple(everything - {k})) for k in networks)]
    plans = planner.plans(
        workspace, model, recording_id=atlas.decomposition.recording_id,
        decomposition_id=atlas.id, settings=settings,
    )  # fmt: skip
    windows = evaluation_windows(
        model, builtin_documents(split="held-out"), max_windows=arguments.windows
    )
    labels = {str(k): plan for k, plan in zip(("all", *networks), plans, strict=True)}
    measured = {
        label: losses(results.open_evaluation(workspace, id), atlas)
        for label, id in compare(workspace, model, windows, plan_ids=labels).items()
    }
    rows = []
    for k in networks:
        rise = {name: loss - measured["all"][name] for name, loss in measured[str(k)].items()}
        active = sum(atlas.domain_share()[k, d] * rise[n] for d, n in enumerate(atlas.domain_names))
        estimated = costs[costs["network"] == k].iloc[0]
        rows.append(
            {
                "network": k,
                **{name: float(estimated[name]) for name in ESTIMATES},
                "loss_of_all": rise[""],
                "loss_where_active": float(active),
            }
        )
    table = pd.DataFrame(rows)
    return {
        "rank_correlation": {
            f"{name} with {loss}": float(spearmanr(table[name], table[loss]).statistic)
            for name in ESTIMATES
            for loss in ("loss_of_all", "loss_where_active")
        },
        "networks": rows,
        "ratio": arguments.ratio,
        "compensation": arguments.compensation,
        "n_tokens": windows.n_tokens,
        "dtype": str(model.dtype),
        "versions": package_versions(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--networks", type=int, default=10)
    parser.add_argument("--ratio", type=float, default=0.4)
    parser.add_argument("--compensation", default="bias")
    parser.add_argument("--windows", type=int, default=20)
    print(json.dumps(correlate(parser.parse_args()), indent=1))
