"""The whole atlas as one HTML file that opens anywhere, without a network.

Everything is inside: maps as NIfTI for the app's own viewer, still pictures, type. A content
security policy forbids any request, and lets only this file's own scripts run, by their hash: a
token or a name that is markup is escaped, and could not run if it were not.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from app.figures.markup import visible
from app.html_files import scene
from app.html_files.atlas_facts import AtlasFacts
from app.html_files.base import check_file, json_of, page_of, write_page
from app.html_files.images import Maps, both, matrix_png
from app.html_files.network_facts import NetworkFacts
from fnprune_core.assets import asset
from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.cortex import open_cortex
from fnprune_core.errors import SettingsError
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.storage.workspace import Workspace


def write_atlas_page(
    workspace: Workspace,
    atlas_id: str,
    target: Path,
    *,
    z: float | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Path:
    """Write an atlas as one HTML file, at once; return its path.

    Parameters
    ----------
    target : Path
        A file; its folder is made if it is not there.
    z : float or None
        Threshold on |z| of maps, depth profiles and parcellation; None takes members of networks,
        and draws maps from 3.
    """
    target = check_file(target, "atlas.html")
    page = atlas_page(workspace, atlas_id, z=z, progress=progress, cancel=cancel)
    return write_page(target, page)


def atlas_page(
    workspace: Workspace,
    atlas_id: str,
    *,
    z: float | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Return an atlas as one self-contained HTML page: about 3 MB, and 65 kB a network."""
    if z is not None and not z > 0:
        raise SettingsError(f"The threshold must be above 0, got {z}.")
    atlas = network_atlas.open_atlas(workspace, atlas_id)
    facts = AtlasFacts(workspace, atlas, threshold=z)
    maps = Maps(atlas, open_cortex(workspace, atlas.id), z=z)
    networks, scenes = [], []
    for network in range(atlas.n_networks):
        cancel.raise_if_cancelled()
        found = facts.network(network)
        networks.append(_network(found, maps))
        if maps.is_on_cortex:
            scenes.append(scene.network_scene(facts, maps, network, n_units=found.units))
        progress(
            ProgressEvent(
                stage="drawing", done=network + 1, total=atlas.n_networks, unit="networks"
            )
        )
    held: dict[str, Any] = {"connectome": _connectome(facts)}
    if maps.is_on_cortex:
        first = atlas.most_typical(1, first=facts.recurs)[0]
        shared, own = scene.parted(scenes)
        shared |= scene.shared_scene(facts, maps)
        held["body"] = {"shared": shared, "networks": own, "first": first}
    return _rendered(facts, maps, networks, held)


def _network(facts: NetworkFacts, maps: Maps) -> dict[str, Any]:
    """Return the facts on a network for the template."""
    network = facts.number
    return {
        **facts.shown(),
        "colour": maps.colour(network),
        "thumbnail": maps.small(network),
        "map": maps.whole(network),
        "map_note": (
            f"{facts.units:,} units ({maps.rule}); "
            + (
                "cut through its strongest place, in layer "
                f"{maps.peak(network)[2]}: from the side, the front and above."
                if maps.is_on_cortex
                else "layers (last on top) × units, grouped by network."
            )
        ),
    }


def _connectome(facts: AtlasFacts) -> dict[str, Any]:
    """Return the correlation of time courses between networks, ordered by domain."""
    order = facts.by_domain
    values = facts.connectivity[np.ix_(order, order)]
    return {
        "networks": order,
        "names": [visible(f"{k} · {facts.names[k]}") for k in order],
        "hundredths": np.rint(100 * values).astype(int).tolist(),
    }


def _rendered(
    facts: AtlasFacts, maps: Maps, networks: Sequence[dict[str, Any]], held: Mapping[str, Any]
) -> str:
    """Return the page."""
    own_js = asset("templates/atlas.js").read_text(encoding="utf-8")
    scripts = [own_js]
    if maps.is_on_cortex:
        scripts = [scene.niivue_script(), f"{scene.viewer_script()}\n{own_js}"]
    order = facts.by_domain
    values = facts.connectivity[np.ix_(order, order)]
    return page_of(
        "atlas.html.j2",
        scripts=scripts,
        **facts.page(is_in_body=maps.is_on_cortex),
        networks=networks,
        body={"note": scene.NOTE, "style": Markup(scene.viewer_style())}
        if maps.is_on_cortex
        else None,
        parcellation={
            "image": maps.parcellation(),
            "note": facts.parcellation_note(is_in_body=maps.is_on_cortex),
        },
        connectome={
            "image": both(lambda p: matrix_png(values, limit=_limit(values), palette=p)),
            "note": facts.connectome_note(),
            "limit": f"{_limit(values):g}",
        },
        held=[{"name": name, "json": json_of(each)} for name, each in held.items()],
    )


def _limit(values: np.ndarray[Any, Any]) -> float:
    """Return the |r| of the strongest colour: that of two networks, rounded up."""
    off_diagonal = np.abs(values - np.eye(len(values)))
    return float(max(np.ceil(off_diagonal.max() * 10) / 10, 0.1)) if len(values) > 1 else 1.0
