# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---
# %% [markdown]
# # Prune: choose what to preserve, and see what that costs
#
# A plan says which neurons go. Here the networks of one domain are not preserved; the plan is
# measured on text that it was not made from, beside the dense model and a random plan.
#
# Settings come from the environment: `MODEL`, `TOKENS`, `NETWORKS`, `WINDOW`, `WINDOWS`, `RATIO`.

# %%
import os
import tempfile
from pathlib import Path

from fnprune_core.atlas import network_atlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.evaluation import compare
from fnprune_core.evaluation.results import open_evaluation, paired_by_domain, paired_difference
from fnprune_core.export import speed
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents, read_documents

MODEL = os.environ.get("MODEL", "embedded")
TOKENS = int(os.environ.get("TOKENS", "4096"))
NETWORKS = int(os.environ.get("NETWORKS", "16"))
WINDOW = int(os.environ.get("WINDOW", "256"))
WINDOWS = int(os.environ.get("WINDOWS", "10"))
RATIO = float(os.environ.get("RATIO", "0.3"))
TEXTS, HELD_OUT = os.environ.get("TEXTS", ""), os.environ.get("HELD_OUT", "")
workspace = Workspace(Path(os.environ.get("FNPRUNE_WORKSPACE") or tempfile.mkdtemp()))


def texts(path, split):
    """Read a file of documents, or take the built-in ones."""
    if not path:
        return builtin_documents(split=split)
    return read_documents(path, domain_column="domain", document_column="name")


# %%
model = load_model(MODEL)
recording = record.record_texts(
    workspace,
    model,
    texts(TEXTS, "calibration"),
    settings=RecordingSettings(window=WINDOW, max_tokens=TOKENS),
)
decomposition = group_ica.decompose(
    workspace, recording, settings=GroupICA(n_components=NETWORKS, n_runs=2)
)
atlas = network_atlas.open_atlas(workspace, decomposition)

# %% [markdown]
# ## Choose
# The networks that stand most for one domain, each with over half of its energy there.

# %%
counts = {name: len(atlas.networks_of_domain(name)) for name in atlas.domain_names}
domain = max(counts, key=counts.__getitem__)
dropped = atlas.networks_of_domain(domain)
print(f"not preserved: {len(dropped)} networks of {domain}")
preserved = tuple(k for k in range(atlas.n_networks) if k not in dropped) or None

# %% [markdown]
# ## Plan
# The score weighs each token by how much of its activity belongs to preserved networks.

# %%
base = PlanSettings(ratio=RATIO, preserved=preserved)
plans = planner.plans(
    workspace,
    model,
    recording_id=recording,
    decomposition_id=decomposition,
    settings=[base, base.with_(preserved=None), base.with_(score="random")],
)
labels = dict(zip((f"without {domain}", "all networks", "random"), plans, strict=True))

# %% [markdown]
# ## Measure
# Perplexity on held-out windows. Differences are paired, in nats per token; errors are over
# documents, and under 5 of equal length give none.

# %%
windows = compare.evaluation_windows(
    model, texts(HELD_OUT, "held-out"), window=WINDOW, max_windows=WINDOWS
)
measured = compare.compare(workspace, model, windows, plan_ids={"dense": None, **labels})
results = {name: open_evaluation(workspace, id) for name, id in measured.items()}
for name, result in results.items():
    pair = paired_difference(result, results["dense"])
    print(
        f"{name}: {result.text()}, {pair.text(digits=3)} nats above dense "
        f"(errors over {result.sample.note()})"
    )
chosen = paired_by_domain(results[f"without {domain}"], results["all networks"])
for name, pair in chosen.items():
    print(f"what the choice costs in {name}: {pair.difference:+.3f} nats per token")

# %% [markdown]
# ## Take it away
# `workflows.export` writes a folder that transformers loads, checked in a fresh process.

# %%
copy = speed.measure_pruned_copy(workspace, model, plans[0], n_repeats=1)
gone = copy.n_parameters_dense - copy.n_parameters_pruned
print(
    f"{gone:,} parameters go; the pruned copy differs "
    f"from the silenced model by {copy.logits_difference:.1e} of its logits"
)
