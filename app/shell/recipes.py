"""How a picture's numbers are made again: Python that a person can run, for each picture."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

_PREAMBLE = """from fnprune_core import workflows
from fnprune_core.storage import Workspace

workspace = Workspace.default()
atlas = workflows.open_atlas(workspace, "{atlas}")
"""

#: Name of a picture → the lines that follow the preamble; fields in braces come from the page.
RECIPES: Mapping[str, str] = {
    "cortex": """cortex = workflows.open_cortex(workspace, atlas.id)
z = cortex.volume(atlas.maps[{network}])  # (layers, rows, columns)
above = abs(z) > {z}""",
    "cortex-pole": """cortex = workflows.open_cortex(workspace, atlas.id)
z = cortex.volume(atlas.maps[{network}])  # (layers, rows, columns)
beyond = {pole} * z > {z}""",
    "surfaces": """import numpy as np
from fnprune_core import topography

cortex = workflows.open_cortex(workspace, atlas.id)
z, pole = cortex.volume(atlas.maps[{network}]), {pole}
part = np.maximum(pole * z, 0) if pole else abs(z)
smooth = topography.smoothed(part)  # for the eye alone
share = np.clip((part > {z}).mean(), 0.002, 0.15)  # of the cells, within what can be drawn
level = np.quantile(smooth, 1 - share)  # of the surface""",
    "preview": """from fnprune_core import network_costs, preview_files
from fnprune_core.loading import load_model
from fnprune_core.plans import PlanSettings

preview_files.prepare_preview(workspace, load_model({model}), atlas.id)  # found if it was made
preview = preview_files.open_preview(workspace, atlas.id)
settings = PlanSettings(**{settings})
plan = preview.plan(settings)  # plan.removed, plan.dense, plan.pruned
costs = network_costs.network_costs(preview, settings)""",
    "allocation": """from fnprune_core.allocation_search import AllocationOrder, search_allocation
from fnprune_core.corpora import builtin_documents
from fnprune_core.loading import load_model
from fnprune_core.plans import PlanSettings
from fnprune_core.trials import unread_windows

model = load_model({model})
recording = workflows.open_recording(workspace, atlas.decomposition.recording_id)
windows = unread_windows(model, builtin_documents(split="calibration"), recording)
order = AllocationOrder(
    recording_id=recording.id, decomposition_id=atlas.id, base=PlanSettings(**{settings})
)
found = search_allocation(workspace, model, windows, order=order)
shares = found.first_shares, found.best_shares  # (layers,) each""",
    "comparison": """from fnprune_core.plan_history import history

for plan in history(workspace).plans:
    if plan.id == {plan}:
        for measured in plan.measured:  # by text, newest first
            result = workflows.open_evaluation(workspace, measured.evaluation_id)
            by_domain = result.by_domain()  # perplexity and standard_error of each""",
    "trade": """from fnprune_core.plan_history import history

found = history(workspace, fingerprint=atlas.decomposition.fingerprint)
for text in found.texts():  # on which plans were measured
    dense = found.dense.get(text)
    rows = [(p.settings, p.share_of_parameters, p.on(text)) for p in found.plans if p.on(text)]
# more of them: fnprune sweep RECORDING --scores … --ratios …""",
    "overlap": """from fnprune_core.plan_history import overlap

first, second = {first}, {second}
if workspace.has("plans", first) and workspace.has("plans", second):
    plans = [workflows.open_plan(workspace, id) for id in (first, second)]
    table = overlap(*plans)""",
    "layers": """z = atlas.layer_map({network})  # (layers, units)
profile = atlas.depth_profile({network}, z={z})""",
    "layers-pole": """z = atlas.layer_map({network})  # (layers, units)
profile = ({pole} * z > {z}).sum(axis=1) / atlas.layout.widths""",
    "parcellation": """parcel = atlas.parcellation(z={z})  # each unit's strongest network, or -1
table = atlas.parcel_table(z={z})
by_layer = atlas.parcel_sizes(z={z})  # (networks, layers)""",
    "parcel-surfaces": """from fnprune_core import topography

cortex = workflows.open_cortex(workspace, atlas.id)
is_member = atlas.parcellation(z={z}) == {network}
share = topography.smoothed(cortex.volume(is_member, fill=0))  # of each neighbourhood""",
    "connectome-fnc": """from fnprune_core import connectome

r = connectome.connectivity(atlas)  # (networks, networks)
groups = connectome.group_networks(r)
# from 8 documents on, an interval: connectome.connectivity_interval(atlas)""",
    "connectome-within": """from fnprune_core import connectome

r = connectome.connectivity(atlas, within_sessions=True)
groups = connectome.group_networks(r)""",
    "connectome-partial": """from fnprune_core import connectome

partial = connectome.partial_correlation(atlas)
groups = connectome.group_networks(partial)""",
    "connectome-overlap": """from fnprune_core import connectome

r = connectome.strength_overlap(atlas)  # of |z|
groups = connectome.group_networks(r)""",
    "connectome-dice": """from fnprune_core import connectome

share = connectome.dice(atlas, z={z})
groups = connectome.group_networks(share)""",
    "connectome-jaccard": """from fnprune_core import connectome

share = connectome.jaccard(atlas, z={z})
groups = connectome.group_networks(share)""",
    "dynamic": """from fnprune_core import connectome, dynamics

windows = dynamics.SlidingWindows(width={width}, step=max(1, {width} // 16))
dynamic = dynamics.dynamic_connectivity(atlas, windows=windows, sessions=[{session}])
partners = connectome.partners(connectome.connectivity(atlas), {network}, n=5)
low, high = dynamics.stationary_band(
    atlas, {network}, partners, session={session}, windows=windows
)""",
    "states": """from fnprune_core import dynamics

windows = dynamics.SlidingWindows(width={width}, step={width} // 4)
dynamic = dynamics.dynamic_connectivity(atlas, windows=windows)
states = dynamics.connectivity_states(dynamic, n_states={n_states})""",
    "time-course": """in_session = (atlas.tokens["session"] == {session}).to_numpy()
strength = atlas.time_courses[{network}, in_session]""",
    "embedding": """id = workflows.embed(workspace, atlas.id)
embedding = workflows.open_embedding(workspace, id)
xy = dict(zip(embedding.units, embedding.places))  # flat unit → its place""",
    "carpet": """recording = workflows.open_recording(workspace, atlas.decomposition.recording_id)
z = (recording.session({session}) - recording.mean) / recording.std  # (tokens, units)""",
    "probe": """from fnprune_core.loading import load_model

probe = workflows.open_probe(workspace, atlas.id)
reading = probe.read(load_model({model}), {text})
relative = reading.relative()  # (networks, tokens), in multiples of the usual strength""",
    "histogram": """from fnprune_core import thresholds

z = atlas.maps[{network}, atlas.decomposition.alive]
fit = thresholds.fit_mixture(z)  # a Gaussian null and a Gamma on either side
suggested = thresholds.suggested_thresholds(z, fit=fit)""",
    "spectrum": """from fnprune_core import spectra

found = spectra.spectrum(atlas, {network})  # mean and standard error over documents
half = found.half_power_frequency  # cycles per token""",
    "classes": """from fnprune_core import decoding

effects = decoding.class_effects(atlas, {network})""",
    "logits": """from fnprune_core import decoding

recording = workflows.open_recording(workspace, atlas.decomposition.recording_id)
weights = decoding.network_weights(atlas, recording.std, {network}, z={z})
# model: the language model that was recorded, as fnprune_core.loading.load_model returns it
# promoted, suppressed = decoding.logit_effects(model, weights)""",
    "unit-loadings": """z = atlas.maps[:, {unit}]  # in each network""",
    "unit-domains": """from fnprune_core import units

recording = workflows.open_recording(workspace, atlas.decomposition.recording_id)
seen = units.as_network(atlas, recording, {unit})
activation = units.activation_by_domain(seen)
passages = seen.top_passages(0, pole=1)""",
    "unit-place": """cortex = workflows.open_cortex(workspace, atlas.id)
layer, row, column = (cortex.unit_volume() == {unit}).nonzero()
sheet = cortex.volume(atlas.maps[{network}])[layer[0]]  # z, (rows, columns)""",
    "match": """from fnprune_core import matching

other = workflows.open_atlas(workspace, {other})
match = matching.match(atlas, other)
r = match.similarity  # (networks, networks of the other), signed
print(match.table())""",
    "pair": """from fnprune_core import matching

other = workflows.open_atlas(workspace, {other})
match = matching.match(atlas, other)
found = match.partner({network})  # where there is none, the nearest is shown
partner = found[0] if found else int(abs(match.similarity[{network}]).argmax())
maps = atlas.maps[{network}], other.maps[partner]
shares = atlas.domain_share()[{network}], other.domain_share()[partner]""",
    "likeness": """from fnprune_core import matching

other = workflows.open_atlas(workspace, {other})
likeness = matching.likeness(atlas, other)
print(likeness.sentence())""",
    "domains": """share = dict(zip(atlas.domain_names, atlas.domain_share()[{network}]))""",
    "trust": """measured = workflows.open_assessment(workspace, atlas.id)
table = workflows.trust_table(atlas, measured)""",
    "trust-nulls": """measured = workflows.open_assessment(workspace, atlas.id)
limits = measured.limits()  # by null and figure: 95th percentile of data without networks""",
    "trust-sizes": """measured = workflows.open_assessment(workspace, atlas.id)
curve = None if measured.sizes is None else measured.sizes.table()""",
    "image": """from pathlib import Path
from tempfile import mkdtemp

from fnprune_core import volumes

folder = Path(mkdtemp()) / "volumes"
workflows.write_volumes(workspace, atlas.id, folder, z={z})
image = next(folder.glob("*_dseg.nii.gz")).read_bytes()  # or what another tool saved
found = volumes.read_image(image, next(folder.glob("*_volumes.json")).read_bytes())
table = volumes.overlap_table(atlas, found.chosen(found.choices[0]), z={z})""",
    "scanner": """from nilearn import plotting
from fnprune_core import volumes

image = volumes.image(workflows.open_grid(workspace, atlas), atlas.maps[{network}])
plotting.plot_stat_map(
    image, bg_img=None, annotate=False, draw_cross=False, threshold={z}, symmetric_cbar=True,
    resampling_interpolation="nearest",
)
peaks = volumes.peak_table(atlas, workflows.open_grid(workspace, atlas), {network})""",
    "scanner-motor": """from nilearn import datasets, plotting

plotting.plot_stat_map(
    datasets.load_sample_motor_activation_image(), annotate=False, draw_cross=False,
    threshold={z}, symmetric_cbar=True, resampling_interpolation="nearest",
)""",
    "scanner-turn": """from nilearn import plotting
from fnprune_core import volumes

image = volumes.image(workflows.open_grid(workspace, atlas), atlas.maps[{network}])
page = plotting.view_img(
    image, bg_img=None, annotate=False, draw_cross=False, threshold={z}, symmetric_cmap=True,
    resampling_interpolation="nearest",
).get_standalone()""",
    "scanner-several": """import nibabel as nib
import numpy as np
from nilearn import plotting
from fnprune_core import topography

grid = workflows.open_grid(workspace, atlas)
soft = [topography.smoothed(grid.volume(atlas.maps[k])) for k in {networks}]  # for the eye alone
plotting.plot_prob_atlas(
    nib.Nifti1Image(np.stack(soft, axis=-1), grid.affine), bg_img=None, display_mode="z",
    view_type="filled_contours", threshold=0.6 * {z}, annotate=False, draw_cross=False,
)""",
    "scanner-carpet": """import nibabel as nib
import numpy as np
from nilearn import plotting

recording = workflows.open_recording(workspace, atlas.decomposition.recording_id)
units = np.argsort(-abs(atlas.maps[{network}]))[:60]  # the strongest
signals = np.asarray(recording.session({session}), dtype=np.float32)[:, units].T
row = nib.Nifti1Image(signals[:, None, None, :], np.eye(4))  # a carpet looks at no places
mask = nib.Nifti1Image(np.ones((len(units), 1, 1), dtype=np.int8), np.eye(4))
plotting.plot_carpet(row, mask_img=mask, t_r=1, detrend=False, standardize="zscore_sample")""",
    "scanner-matrix": """from nilearn import plotting

names = [str(k) for k in range(atlas.n_networks)]
r = atlas.functional_connectivity()
plotting.plot_matrix(r, labels=names, vmin=-1, vmax=1, reorder="average")""",
    "generation": """if workspace.has("generations", {generation}):  # else: fnprune generate
    found = workflows.open_generation(workspace, {generation})
    expected = found.expected[{whose}]  # at each token of this text, by both models
    divergence = expected.divergence  # nats
    ids, log_probability = expected.candidates({token})""",
    "lesions": """from fnprune_core.lesioning import open_lesions

study = open_lesions(workspace, {study})  # made by: fnprune lesion
table = study.table()  # loss change, random lesions, excess, p and q of each cell
double = study.dissociations""",
    "lesion-cell": """from fnprune_core.lesioning import open_lesions

study = open_lesions(workspace, {study})
own = study.change[{row}, 0, {column}]  # nats per token from the healthy model
random = study.change[{row}, 1:, {column}]  # of its matched random lesions
p, q = study.effects.p[{row}, {column}], study.effects.q[{row}, {column}]""",
    "lesion-curve": """from fnprune_core.lesioning import open_lesions

study = open_lesions(workspace, {study})
strength = [lesion.strength for lesion in study.lesions]
change, error = study.change[:, 0], study.change_error[:, 0]  # (strengths, domains)""",
    "lesion-text": """from fnprune_core.lesion_texts import open_lesion_text

if workspace.has("lesion_texts", {text}):  # else: fnprune lesion --prompt
    lesion, found = open_lesion_text(workspace, {text})
    expected = found.expected[{whose}]  # at each token of this text, by both models
    ids, log_probability = expected.candidates({token})""",
    "localizer": """if workspace.has("localizers", {result}):  # else: fnprune localize {which}
    found = workflows.open_localizer(workspace, {result})
    table = found.network_table()  # differences with intervals, t and q; responding ones first
    units = found.units  # effect, standard_error, t, p and q of every unit
    decoding = found.decoding  # accuracy on held-out templates, p and null of permutations
    templates = found.template_table({network})""",
    "speed": """measured = workspace.entries("speeds")  # newest first; made by: fnprune speed PLAN
for id in [each.id for each in measured if each.manifest["plan_id"] == {plan}][:1]:
    speed = workflows.open_speed(workspace, id)
    print(speed.sentence())
    rows = speed.rows()  # tokens per second, ratios paired with dense by round, peak memory""",
}


def code(name: str, *, atlas: str, **values: object) -> str:
    """Return the Python that makes a picture's numbers again.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    values : object
        What its fields in braces stand for; shown as Python writes them.
    """
    shown = {key: repr(value) for key, value in values.items()}
    return (_PREAMBLE.format(atlas=atlas) + RECIPES[name].format(**shown)).strip()


def asked(settings: Any) -> dict[str, object]:
    """Return what of some settings, a dataclass, differs from its defaults."""
    plain = asdict(type(settings)())
    return {k: v for k, v in asdict(settings).items() if v != plain[k]}
