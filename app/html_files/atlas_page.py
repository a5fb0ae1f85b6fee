"""The whole atlas as one HTML file that opens anywhere, without a network.

Everything is inside: pictures as PNG, two charts with plotly.js, type. A content security policy
forbids any request, and lets only this file's own two scripts run, by their hash: a token or a
name that is markup is escaped, and could not run if it were not.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from app.figures.base import Picture, safe, style
from app.figures.cortex import cortex_surfaces
from app.figures.theme import PALETTES, Palette
from app.html_files.atlas_facts import AtlasFacts, NetworkFacts
from app.html_files.base import check_file, colours, environment, fonts, write_page
from app.html_files.images import LayerLabels, Maps, Palettes, both
from fnprune_core import __version__
from fnprune_core.assets import asset
from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.cortex import open_cortex, smoothed
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.storage.workspace import Workspace

MOST_SURFACES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chart:
    """A chart for the page's script: its name, and JSON that is safe inside a script element."""

    name: str
    json: Markup


def write_atlas_page(
    workspace: Workspace,
    atlas_id: str,
    target: Path,
    *,
    z: float = 3.0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Path:
    """Write an atlas as one HTML file, at once; return its path.

    Parameters
    ----------
    target : Path
        A file; its folder is made if it is not there.
    z : float
        Threshold on |z| of maps, depth profiles and parcellation.
    """
    target = check_file(target, "atlas.html")
    page = atlas_page(workspace, atlas_id, z=z, progress=progress, cancel=cancel)
    return write_page(target, page)


def atlas_page(
    workspace: Workspace,
    atlas_id: str,
    *,
    z: float = 3.0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Return an atlas as one self-contained HTML page: about 5 MB, and 50 kB a network."""
    if not z > 0:
        raise SettingsError(f"The threshold must be above 0, got {z}.")
    atlas = network_atlas.open_atlas(workspace, atlas_id)
    cortex = open_cortex(workspace, atlas.id)
    facts = AtlasFacts(workspace, atlas, threshold=z)
    maps = Maps(atlas, cortex, threshold=z)
    networks = []
    for network in range(atlas.n_networks):
        cancel.raise_if_cancelled()
        networks.append(_network(facts.network(network), maps, atlas))
        progress(
            ProgressEvent(
                stage="drawing", done=network + 1, total=atlas.n_networks, unit="networks"
            )
        )
    typical_networks = atlas.most_typical(MOST_SURFACES)
    charts = {"connectome": both_pictures(lambda p: _connectome(facts, p))}
    if cortex is not None:
        smoothed_volumes = [smoothed(cortex.volume(atlas.maps[k])) for k in typical_networks]
        charts["surfaces"] = both_pictures(
            lambda p: cortex_surfaces(
                smoothed_volumes,
                networks=typical_networks,
                n_networks=atlas.n_networks,
                palette=p,
                names=[_with_curly_quotes(f"{k} · {facts.names[k]}") for k in typical_networks],
                profile=False,
            ),
            maps.palettes,
        )
    return _rendered(facts, maps, networks, charts)


def both_pictures(make: Any, palettes: Palettes = PALETTES) -> dict[str, Picture]:
    """Return the picture that `make` draws in each mode."""
    return {mode: make(palette) for mode, palette in palettes.items()}


def _with_curly_quotes(text: str) -> str:
    """Return text with curly quotes: charts show an escaped straight one as its entity."""
    return text.replace('"', "”").replace("'", "’")


def _network(facts: NetworkFacts, maps: Maps, atlas: NetworkAtlas) -> dict[str, Any]:
    """Return the facts on a network for the template."""
    network = facts.number
    return {
        **facts.shown(),
        "colour": both(lambda p: p.networks[network], maps.palettes),
        "thumbnail": maps.small(network),
        "map": maps.whole(network),
        "map_note": (
            f"{facts.units:,} units beyond the threshold; "
            + (
                "one sheet a layer, the first at the bottom left."
                if maps.is_on_cortex
                else "layers (last on top) × units, grouped by network."
            )
        ),
    }


def _connectome(facts: AtlasFacts, palette: Palette) -> Picture:
    """Draw the correlation of time courses between networks, ordered by domain."""
    import plotly.graph_objects as go

    order = facts.by_domain
    values = facts.connectivity[np.ix_(order, order)]
    names = [safe(f"{k} · {facts.names[k]}") for k in order]
    off_diagonal = np.abs(values - np.eye(len(values)))
    limit = float(max(np.ceil(off_diagonal.max() * 10) / 10, 0.1)) if len(values) > 1 else 1.0
    cold = [(0.5 - 0.5 * i / 4, c) for i, c in enumerate(palette.cold, start=1)]
    hot = [(0.5 + 0.5 * i / 4, c) for i, c in enumerate(palette.hot, start=1)]
    figure = go.Figure(
        go.Heatmap(
            z=values.astype(np.float32),
            x=names,
            y=names,
            zmin=-limit,
            zmax=limit,
            colorscale=[*reversed(cold), (0.5, palette.silhouette), *hot],
            colorbar={"thickness": 8, "outlinewidth": 0, "title": {"text": "r"}},
            hovertemplate="%{y}<br>%{x}<br>r %{z:.2f}<extra></extra>",
        )
    )
    style(figure, palette, height=640, left=8, bottom=8)
    figure.update_xaxes(showticklabels=False, ticks="")
    figure.update_yaxes(showticklabels=False, ticks="", autorange="reversed", showgrid=False)
    return Picture(figure=figure, alternative=facts.connectome_note(), table=pd.DataFrame())


def _rendered(
    facts: AtlasFacts,
    maps: Maps,
    networks: Sequence[dict[str, Any]],
    charts: dict[str, dict[str, Picture]],
) -> str:
    """Return the page."""
    plotly_js, own_js = get_plotlyjs(), asset("templates/atlas.js").read_text(encoding="utf-8")
    labels: LayerLabels | None = maps.labels()
    surfaces = charts["surfaces"]["dark"].alternative if "surfaces" in charts else ""
    return (
        environment()
        .get_template("atlas.html.j2")
        .render(
            **facts.page(),
            version=__version__,
            fonts=fonts(),
            dark=colours(PALETTES["dark"]),
            light=colours(PALETTES["light"]),
            networks=networks,
            layer_labels=labels,
            parcellation={"image": maps.parcellation(), "note": facts.parcellation_note()},
            surfaces_note=surfaces,
            connectome_note=facts.connectome_note(),
            figures=[_Chart(name=name, json=_chart(modes)) for name, modes in charts.items()],
            plotly_js=Markup(plotly_js),
            own_js=Markup(own_js),
            script_hashes=Markup(" ".join(_hash(script) for script in (plotly_js, own_js))),
        )
    )


def _hash(script: str) -> str:
    """Return the hash by which the content security policy knows a script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _chart(modes: dict[str, Picture]) -> Markup:
    """Return figures as JSON by mode; no text in it can end the script element it stands in."""
    figures = {mode: json.loads(picture.figure.to_json()) for mode, picture in modes.items()}
    text = json.dumps(figures, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
