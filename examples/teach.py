# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---
# %% [markdown]
# # Teach: a lesion study on a language model
#
# A network is strong where something is read. Does the model *need* it there? Only a lesion can
# say: silence the network, and see what is lost, beside random lesions of the same size.
#
# Predict before you run each cell. Settings come from the environment: `MODEL`, `TOKENS`,
# `NETWORKS`, `WINDOW`, `RANDOM`.

# %%
import os
import tempfile
from pathlib import Path

import numpy as np

from fnprune_core.atlas import network_atlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.evaluation import compare
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import Lesion, LesionSettings, domain_stimuli
from fnprune_core.lesions.stored import open_lesions
from fnprune_core.models.loading import load_model
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents, read_documents

MODEL = os.environ.get("MODEL", "embedded")
TOKENS = int(os.environ.get("TOKENS", "4096"))
NETWORKS = int(os.environ.get("NETWORKS", "16"))
WINDOW = int(os.environ.get("WINDOW", "256"))
RANDOM = int(os.environ.get("RANDOM_LESIONS", "3"))
Z = float(os.environ.get("Z", "3"))
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
# ## Selectivity
# The network that stands most for each domain. **Predict:** will silencing it hurt that domain,
# and only that one?

# %%
share = atlas.domain_share()
chosen = sorted({int(share[:, d].argmax()) for d in range(len(atlas.domain_names))})
for k in chosen:
    d = int(share[k].argmax())
    print(f"network {k}: {share[k, d]:.0%} of its energy in {atlas.domain_names[d]}")

# %% [markdown]
# ## Necessity
# Each lesion beside random ones that match it in size and magnitude. An effect counts if it stands
# out from random lesions and holds over the texts; q is corrected over all effects.

# %%
windows = compare.evaluation_windows(
    model,
    texts(HELD_OUT, "held-out"),
    window=max(WINDOW // 4, 8),
    max_windows=4 * len(atlas.domain_names),
)
study = open_lesions(
    workspace,
    lesion_study(
        workspace,
        model,
        domain_stimuli(windows),
        order=LesionOrder(
            decomposition_id=decomposition,
            lesions=tuple(Lesion(networks=(k,)) for k in chosen),
            settings=LesionSettings(z=Z, n_random=RANDOM),
        ),
    ),
)
table = study.table()
print(table[["networks", "column", "change", "random", "excess", "q"]].round(3).to_string())

# %% [markdown]
# ## Check
# Was the most selective domain the one that was hurt most? Where not, selectivity and necessity
# are two things: that is what lesion studies are for.

# %%
hits = 0
for row, k in enumerate(chosen):
    hurt = study.columns[int(np.argmax(study.effects.excess[row]))]
    strong = atlas.domain_names[int(share[k].argmax())]
    hits += hurt == strong
    print(f"network {k}: strong in {strong}, most needed in {hurt}")
print(f"{hits} of {len(chosen)} agree; {len(study.dissociations)} double dissociations")
