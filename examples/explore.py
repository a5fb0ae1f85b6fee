# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---
# %% [markdown]
# # Explore: from texts to functional networks
#
# The model reads texts, every neuron is recorded, and group ICA finds which of them are active
# together. Then: what is each network, where is it, and can it be trusted?
#
# Run it as a script or, with jupytext, as a notebook. Settings come from the environment, so that
# it also runs small: `MODEL`, `TOKENS`, `NETWORKS`, `WINDOW`.

# %%
import os
import tempfile
from pathlib import Path

from app.report.html_page import write_report
from fnprune_core.atlas import connectome, cortex, decoding, network_atlas, thresholds
from fnprune_core.atlas.naming.suggestions import names_of
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.models.loading import load_model
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.report.sections import ReportSettings
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import builtin_documents, read_documents

MODEL = os.environ.get("MODEL", "embedded")
TOKENS = int(os.environ.get("TOKENS", "4096"))
NETWORKS = int(os.environ.get("NETWORKS", "16"))
WINDOW = int(os.environ.get("WINDOW", "256"))
TEXTS = os.environ.get("TEXTS", "")
folder = Path(os.environ.get("FNPRUNE_WORKSPACE") or tempfile.mkdtemp())
workspace = Workspace(folder)

# %% [markdown]
# ## Record
# Documents have a domain and a name. The same inputs are found again, not redone.

# %%
documents = (
    read_documents(TEXTS, domain_column="domain", document_column="name")
    if TEXTS
    else builtin_documents()
)
model = load_model(MODEL)
recording = record.record_texts(
    workspace, model, documents, settings=RecordingSettings(window=WINDOW, max_tokens=TOKENS)
)

# %% [markdown]
# ## Decompose
# Session PCA, group PCA, spatial ICA. `atlas.maps` is z over units, `atlas.time_courses` the
# strength of each network at each token.

# %%
decomposition = group_ica.decompose(
    workspace, recording, settings=GroupICA(n_components=NETWORKS, n_runs=2)
)
atlas = network_atlas.open_atlas(workspace, decomposition)
print(atlas.table()[["network", "top_domain", "top_domain_share", "variance_alone"]].head())

# %% [markdown]
# ## What is network 0?
# Its domain, its strongest passage, the units beyond a threshold that the map itself suggests.

# %%
print(names_of(workspace, atlas)[0].text)
passage = atlas.top_passages(0, n=1)[0]
print(repr("".join(passage.pieces)), f"strength {passage.values[passage.centre]:.2f}")
for rule in thresholds.suggested_thresholds(atlas.maps[0, atlas.decomposition.alive]):
    print(f"{rule.rule}: |z| > {rule.threshold:.2f}, {rule.n_units:,} units")

# %% [markdown]
# ## Do domains differ?
# Documents are the unit of resampling, and p is corrected for the number of networks.

# %%
test = decoding.domain_test(atlas, n_permutations=500)
print(
    f"{(test.p_corrected < 0.05).sum()} of {atlas.n_networks} networks differ between "
    f"{len(atlas.domain_names)} domains ({test.n_documents} documents)"
)
groups = connectome.group_networks(connectome.connectivity(atlas))
print(f"{groups.n_groups} groups of networks by their time courses")

# %% [markdown]
# ## Take it away
# The cortex gives every neuron a place; the report puts methods, results and commands in one file.

# %%
cortex.lay_out(workspace, atlas.id)
path = write_report(
    workspace, atlas.id, folder / "report.html", settings=ReportSettings(n_detailed=2)
)
print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
