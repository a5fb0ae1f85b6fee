"""How a picture's numbers are made again: Python that a person can run, for each picture."""

from collections.abc import Mapping

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
    "surfaces": """from fnprune_core import topography

cortex = workflows.open_cortex(workspace, atlas.id)
z = cortex.volume(atlas.maps[{network}])
smooth = topography.smoothed(z)  # for the eye alone""",
    "layers": """z = atlas.layer_map({network})  # (layers, units)
profile = atlas.depth_profile({network}, z={z})""",
    "parcellation": """parcel = atlas.parcellation(z={z})  # each unit's strongest network, or -1
table = atlas.parcel_table(z={z})
by_layer = atlas.parcel_sizes(z={z})  # (networks, layers)""",
    "parcel-surfaces": """from fnprune_core import topography

cortex = workflows.open_cortex(workspace, atlas.id)
is_member = atlas.parcellation(z={z}) == {network}
share = topography.smoothed(cortex.volume(is_member, fill=0))  # of each neighbourhood""",
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
    "domains": """share = dict(zip(atlas.domain_names, atlas.domain_share()[{network}]))""",
    "trust": """measured = workflows.open_assessment(workspace, atlas.id)
table = workflows.trust_table(atlas, measured)""",
    "trust-nulls": """measured = workflows.open_assessment(workspace, atlas.id)
limits = measured.limits()  # by null and figure: 95th percentile of data without networks""",
    "trust-sizes": """measured = workflows.open_assessment(workspace, atlas.id)
curve = None if measured.sizes is None else measured.sizes.table()""",
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
