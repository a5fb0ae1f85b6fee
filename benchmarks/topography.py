"""Ways to lay units out as sheets, compared: how alike neighbours are, how long it takes.

Run: ``python benchmarks/topography.py [--workspace FOLDER] [--large]``. Uses the newest
decomposition of the workspace (``make example`` builds one). Quality, averaged over networks, is
the correlation of |z| and of z between neighbouring cells, in the sheet and across layers, and
the share of a strong unit's neighbours that go with it; ``--large`` also times a synthetic atlas
of 32 layers × 11,008 units and 64 networks, and says the most memory of the process.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, generate_binary_structure

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.cortex import Cortex, build_cortex
from fnprune_core.atlas.embedding import EmbeddingSettings, place_units, unit_features
from fnprune_core.atlas.topography.laid_out import NO_REFINEMENT, Refinement
from fnprune_core.atlas.topography.likeness import (
    STRONG,
    depth_autocorrelation,
    sheet_autocorrelation,
    strong_agreement,
)
from fnprune_core.atlas.topography.places import fill_sheet
from fnprune_core.atlas.topography.sheet import sheet_cells, sheet_shape
from fnprune_core.models.layout import UnitLayout
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace

Maps = NDArray[np.float32]
_APART = ("construction", "seconds")


def at_random(maps: Maps, layout: UnitLayout) -> Cortex:
    """Give every unit a place of its layer by chance."""
    chance = np.random.default_rng(0).random((layout.n_units, 2))
    return _filled(len(maps), layout, chance)


def by_index(maps: Maps, layout: UnitLayout) -> Cortex:
    """Leave the units in the order of their index."""
    _, index = layout.locate(np.arange(layout.n_units))
    return _filled(len(maps), layout, np.stack([index, index], axis=1).astype(np.float64))


def by_network(maps: Maps, layout: UnitLayout) -> Cortex:
    """Sort the units of a layer by their strongest network."""
    strongest = np.abs(maps).argmax(axis=0).astype(np.float64)
    return _filled(len(maps), layout, np.stack([strongest, strongest], axis=1))


def by_tsne(maps: Maps, layout: UnitLayout) -> Cortex:
    """Fill the sheets from a t-SNE of all units' maps, as the embedding page makes it of some."""
    units = np.arange(layout.n_units)
    places = place_units(unit_features(maps, units), settings=EmbeddingSettings())
    return _filled(len(maps), layout, places.astype(np.float64))


def _filled(n_networks: int, layout: UnitLayout, targets: NDArray[np.float64]) -> Cortex:
    """Return sheets that are filled by sorting alone."""
    shape = sheet_shape(max(layout.widths))
    cells = [
        fill_sheet(targets[layout.layer_slice(i)], sheet_cells(width, shape), shape.n_columns)
        for i, width in enumerate(layout.widths)
    ]
    places = np.zeros((n_networks, 2))
    return Cortex(layout=layout, shape=shape, cell=np.concatenate(cells), places=places)


def constructions() -> dict[str, Callable[[Maps, UnitLayout], Cortex]]:
    """Return the rivals by name."""
    rivals: dict[str, Callable[[Maps, UnitLayout], Cortex]] = {
        "random": at_random,
        "index": by_index,
        "strongest network": by_network,
    }
    refinements = {
        "places alone": NO_REFINEMENT,
        "exchanged": Refinement(),
        "exchanged, blurred alone": Refinement(n_exact=0),
        "exchanged, sign-blind": Refinement(signed=0.0, strong=0.0),
        "exchanged, no strong term": Refinement(strong=0.0),
        "exchanged, soft thresholds": Refinement(softness=0.3),
        "exchanged, 64 at once": Refinement(n_together=64),
    }
    for name, refinement in refinements.items():
        rivals[name] = lambda m, u, r=refinement: build_cortex(m, u, refinement=r)
    rivals["exchanged, another seed"] = lambda m, u: build_cortex(m, u, seed=1)
    rivals["t-SNE of units"] = by_tsne
    return rivals


def quality(cortex: Cortex, maps: Maps) -> dict[str, float]:
    """Return the likeness of neighbours by all measures, each a mean over networks.

    Correlation of |z| and of z in the sheet and across layers; the share of a strong unit's
    neighbours that go with it; and the share of the strong units in the outer two rings of
    cells, over these rings' share of all cells (1 where nothing crowds there).
    """
    volumes = [cortex.volume(each) for each in maps]
    outer = rim(cortex)
    strong = [np.abs(np.nan_to_num(v)) > STRONG for v in volumes]
    share = outer.sum() / np.isfinite(volumes[0]).sum()
    measures: dict[str, list[float]] = {
        "|z| sheet": [sheet_autocorrelation(np.abs(v)) for v in volumes],
        "|z| depth": [depth_autocorrelation(np.abs(v)) for v in volumes],
        "z sheet": [sheet_autocorrelation(v) for v in volumes],
        "z depth": [depth_autocorrelation(v) for v in volumes],
        "strong": [strong_agreement(v) for v in volumes],
        "rim": [(s & outer).sum() / max(s.sum(), 1) / share for s in strong],
    }
    return {name: float(np.nanmean(values)) for name, values in measures.items()}


def rim(cortex: Cortex) -> NDArray[np.bool_]:
    """Return which cells lie in the outer two rings of their sheets: (layers, rows, columns)."""
    has_unit = cortex.unit_volume() >= 0
    cross = generate_binary_structure(2, 1)[None]
    return has_unit & ~binary_erosion(has_unit, structure=cross, iterations=2)


def synthetic(layout: UnitLayout, n_networks: int) -> Maps:
    """Return maps in which each network is strong in its own few units of every layer."""
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((n_networks, layout.n_units), dtype=np.float32)
    owner = rng.integers(4 * n_networks, size=layout.n_units)
    owned = owner < n_networks
    maps[owner[owned], np.flatnonzero(owned)] += 5.0
    return maps


def compare(maps: Maps, layout: UnitLayout) -> list[dict[str, Any]]:
    """Return one row a construction."""
    rows = []
    for name, build in constructions().items():
        start = time.perf_counter()
        cortex = build(maps, layout)
        seconds = time.perf_counter() - start
        rows.append({"construction": name, **quality(cortex, maps), "seconds": seconds})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
    result: dict[str, Any] = {"versions": package_versions()}
    if options.large:  # first, so that the most memory is its own
        layout = UnitLayout((11008,) * 32)
        maps = synthetic(layout, 64)
        start = time.perf_counter()
        build_cortex(maps, layout)
        result["large_seconds"] = time.perf_counter() - start
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result["large_bytes"] = most * 1024  # Linux counts in KiB
    atlas = network_atlas.open_atlas(workspace, "latest")
    planted_layout = UnitLayout((1536,) * 12)
    result["atlas"] = compare(np.array(atlas.maps), atlas.layout)
    result["planted"] = compare(synthetic(planted_layout, 32), planted_layout)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for title in ("atlas", "planted"):
        print(title)
        for row in result[title]:
            words = [f"{n} {v:6.3f}" for n, v in row.items() if n not in _APART]
            print(f"  {row['construction']:28s} {'  '.join(words)}  {row['seconds']:6.1f} s")
    if options.large:
        print(
            f"352,256 units, 64 networks: {result['large_seconds']:.0f} s, "
            f"{result['large_bytes'] / 1e9:.2f} GB"
        )


if __name__ == "__main__":
    main()
