"""Ways to lay units out as sheets, compared: how alike neighbours are, how long it takes.

Run: ``python benchmarks/topography.py [--workspace FOLDER] [--large]``. Uses the newest
decomposition of the workspace (``make example`` builds one). Quality is the correlation of |z|
between neighbouring cells, in the sheet and across layers, averaged over networks; ``--large``
also times a synthetic atlas of 32 layers × 11,008 units and 64 networks.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.cortex import (
    NO_REFINEMENT,
    Cortex,
    Refinement,
    build_cortex,
    depth_autocorrelation,
    fill_sheet,
    sheet_autocorrelation,
    sheet_shape,
)
from fnprune_core.atlas.embedding import EmbeddingSettings, place_units, unit_features
from fnprune_core.models.layout import UnitLayout
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace

Maps = NDArray[np.float32]


def by_index(maps: Maps, layout: UnitLayout) -> Cortex:
    """Leave the units in the order of their index."""
    cell = np.concatenate([np.arange(width) for width in layout.widths])
    return Cortex(
        layout=layout,
        shape=sheet_shape(max(layout.widths)),
        cell=cell,
        places=np.zeros((len(maps), 2)),
    )


def by_network(maps: Maps, layout: UnitLayout) -> Cortex:
    """Sort the units of a layer by their strongest network."""
    strongest = np.abs(maps).argmax(axis=0)
    cell = np.concatenate(
        [np.argsort(np.argsort(part, kind="stable")) for part in layout.split(strongest)]
    )
    return Cortex(
        layout=layout,
        shape=sheet_shape(max(layout.widths)),
        cell=cell,
        places=np.zeros((len(maps), 2)),
    )


def by_umap(maps: Maps, layout: UnitLayout) -> Cortex:
    """Fill the sheets from a UMAP of all units' maps, as the embedding page makes it of some."""
    units = np.arange(layout.n_units)
    places = place_units(unit_features(maps, units), settings=EmbeddingSettings())
    low, high = places.min(axis=0), places.max(axis=0)
    targets = ((places - low) / np.where(high > low, high - low, 1.0)).astype(np.float64)
    shape = sheet_shape(max(layout.widths))
    cell = np.concatenate(
        [fill_sheet(targets[layout.layer_slice(i)], shape) for i in range(layout.n_layers)]
    )
    return Cortex(layout=layout, shape=shape, cell=cell, places=np.zeros((len(maps), 2)))


def constructions() -> dict[str, Callable[[Maps, UnitLayout], Cortex]]:
    """Return the rivals by name."""
    rivals: dict[str, Callable[[Maps, UnitLayout], Cortex]] = {
        "index": by_index,
        "by strongest network": by_network,
    }
    for sharpness in (2.0, 4.0, 8.0):
        rivals[f"places, sharpness {sharpness:g}"] = lambda m, u, s=sharpness: build_cortex(
            m, u, sharpness=s, refinement=NO_REFINEMENT
        )
    for depth in (0.8, 1.5):
        rivals[f"places + swaps, depth {depth:g}"] = lambda m, u, d=depth: build_cortex(
            m, u, refinement=Refinement(depth_sigma=d)
        )
    rivals["places + swaps, another seed"] = lambda m, u: build_cortex(m, u, seed=1)
    rivals["UMAP of units"] = by_umap
    return rivals


def quality(cortex: Cortex, maps: Maps) -> tuple[float, float]:
    """Return the mean likeness of neighbours in the sheet and across layers."""
    volumes = [cortex.volume(np.abs(each)) for each in maps]
    in_sheet = float(np.mean([sheet_autocorrelation(v) for v in volumes]))
    return in_sheet, float(np.mean([depth_autocorrelation(v) for v in volumes]))


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
        in_sheet, in_depth = quality(cortex, maps)
        rows.append(
            {"construction": name, "sheet": in_sheet, "depth": in_depth, "seconds": seconds}
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
    atlas = network_atlas.open_atlas(workspace, "latest")
    planted_layout = UnitLayout((1536,) * 12)
    result: dict[str, Any] = {
        "atlas": compare(np.array(atlas.maps), atlas.layout),
        "planted": compare(synthetic(planted_layout, 32), planted_layout),
        "versions": package_versions(),
    }
    if options.large:
        layout = UnitLayout((11008,) * 32)
        maps = synthetic(layout, 64)
        start = time.perf_counter()
        build_cortex(maps, layout)
        result["large_seconds"] = time.perf_counter() - start
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for title in ("atlas", "planted"):
        print(title)
        for row in result[title]:
            print(
                f"  {row['construction']:32s} sheet {row['sheet']:6.3f}  "
                f"depth {row['depth']:6.3f}  {row['seconds']:6.1f} s"
            )
    if options.large:
        print(f"352,256 units, 64 networks: {result['large_seconds']:.0f} s")


if __name__ == "__main__":
    main()
