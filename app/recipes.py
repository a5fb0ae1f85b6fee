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
    "time-course": """in_session = (atlas.tokens["session"] == {session}).to_numpy()
strength = atlas.time_courses[{network}, in_session]""",
    "embedding": """id = workflows.embed(workspace, atlas.id)
embedding = workflows.open_embedding(workspace, id)
xy = dict(zip(embedding.units, embedding.places))  # flat unit → its place""",
    "carpet": """recording = workflows.open_recording(workspace, atlas.decomposition.recording_id)
z = (recording.session({session}) - recording.mean) / recording.std  # (tokens, units)""",
    "domains": """share = dict(zip(atlas.domain_names, atlas.domain_share()[{network}]))""",
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
