"""Cached data of the page "As in the scanner": pictures by nilearn, and facts on both maps."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.figures import nilearn_plots
from app.figures.markup import signed
from app.figures.theme import PALETTES, Mode
from app.shell import resources
from app.shell.caches.colours import network_colours
from app.shell.caching import cached
from fnprune_core.atlas import cortex, files
from fnprune_core.atlas.images import volumes
from fnprune_core.atlas.images.voxels import VoxelGrid
from fnprune_core.atlas.units import strongest_in_turn

UNITS_OF_A_NETWORK = 60
_N_TOGETHER = 4
_N_SHEETS = 4
_SOFT = 0.6  # share of the threshold at which smoothed maps are outlined


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """A picture by nilearn as PNG, one sentence that says what it shows, and its numbers."""

    png: bytes
    alternative: str
    table: pd.DataFrame


@cached(max_entries=2, made_of=resources.is_laid_out)
def grid(id: str) -> VoxelGrid:
    """Return which unit is in which voxel of the body."""
    return files.open_grid(resources.workspace(), resources.atlas(id))


@cached(max_entries=8)
def together(id: str, network: int, beside: tuple[int, ...]) -> tuple[int, ...]:
    """Return a network and those drawn with it: the chosen ones, else those it goes with."""
    atlas = resources.atlas(id)
    companions = [k for k in beside if k != network and k < atlas.n_networks]
    if not companions:
        strength = np.abs(atlas.functional_connectivity()[network])
        strength[network] = -1
        companions = np.argsort(-strength, kind="stable")[: _N_TOGETHER - 1].tolist()
        companions = [k for k in companions if k != network]
    return (network, *companions[:7])


def model_facts(id: str, network: int, z: float) -> tuple[str, pd.DataFrame]:
    """Return what a network's map shows, in words, and its strongest units."""
    atlas, voxels = resources.atlas(id), grid(id)
    table = volumes.peak_table(atlas, voxels, network)
    strongest = table.iloc[0]
    words = (
        f"Network {network}: {resources.n_members(id, network, z):,} units have |z| above {z:g}, "
        f"the strongest is unit {int(strongest['unit'])} of layer {int(strongest['layer'])} "
        f"with z {signed(strongest['z'], '.1f')}. Layers run upward."
    )
    return words, table


def _mask(id: str) -> object:
    alive = resources.atlas(id).decomposition.alive
    return volumes.image(grid(id), alive.astype(np.uint8))


@cached(max_entries=1)
def _motor_values() -> NDArray[np.float32]:
    return np.abs(np.asanyarray(nilearn_plots.motor_map().dataobj, dtype=np.float32))


def motor_limit(z: float) -> float:
    """Return the z of the strongest colour of the real motor map."""
    values = _motor_values()
    return float(np.ceil(max(float(np.quantile(values[values > z], 0.98)), 1.5 * z)))


@cached(max_entries=16)
def motor_place(z: float) -> nilearn_plots.Place:
    """Return the middle of the largest cluster of the real motor map, in millimetres."""
    return nilearn_plots.largest_cluster(nilearn_plots.motor_map(), threshold=z)


@cached(max_entries=16)
def motor_facts(z: float) -> tuple[str, pd.DataFrame]:
    """Return what the real motor map shows, in words, and its clusters."""
    x, y, height = motor_place(z)
    words = (
        f"A real brain: left against right button press, z over a group of people on the MNI "
        f"template; its largest cluster lies about ({x:.0f}, {y:.0f}, {height:.0f}) mm; "
        f"{int((_motor_values() > z).sum()):,} voxels have |z| above {z:g}."
    )
    return words, nilearn_plots.motor_peaks(threshold=z)


@cached(max_entries=16, spinner="nilearn draws", made_of=resources.is_laid_out)
def several(id: str, networks: tuple[int, ...], z: float, mode: Mode) -> Scan:
    """Return a few networks by `plot_prob_atlas`."""
    atlas, voxels = resources.atlas(id), grid(id)
    smoothed = [cortex.smoothed(voxels.volume(atlas.maps[k])) for k in networks]
    layers = sheets(atlas.layout.n_layers)
    colours = network_colours(id, mode)
    png = nilearn_plots.prob_atlas(
        nib.Nifti1Image(np.stack(smoothed, axis=-1), voxels.affine),
        threshold=_SOFT * z,
        colours=[colours[k] for k in networks],
        layers=layers,
        palette=PALETTES[mode],
        mask=_mask(id),
    )
    sizes = [float((volume > _SOFT * z).mean()) for volume in smoothed]
    return Scan(
        png=png,
        alternative=(
            f"Networks {', '.join(map(str, networks))} by plot_prob_atlas on the sheets of layers "
            f"{', '.join(map(str, layers))}: outlines of lightly smoothed |z| above "
            f"{_SOFT * z:.2g}, {_SOFT:g} of the threshold {z:g} because smoothing lowers peaks, "
            "for the eye alone."
        ),
        table=pd.DataFrame(
            {
                "network": networks,
                "name": [resources.network_name(id, k) for k in networks],
                "share of the volume": np.round(sizes, 4),
                f"units with |z| > {z:g}": [resources.n_members(id, k, z) for k in networks],
            }
        ),
    )


def sheets(n_layers: int) -> list[int]:
    """Return the layers whose sheets are shown."""
    shares = np.linspace(0.1, 0.9, _N_SHEETS)
    return sorted({round(float(share) * (n_layers - 1)) for share in shares})


@cached(max_entries=16, spinner="nilearn draws")
def carpet(id: str, networks: tuple[int, ...], session: int, mode: Mode) -> Scan:
    """Return the strongest units of a few networks over a session by `plot_carpet`."""
    atlas = resources.atlas(id)
    maps = atlas.maps * atlas.decomposition.alive
    units, groups = strongest_in_turn(maps, networks, UNITS_OF_A_NETWORK)
    recorded = resources.recording(atlas.decomposition.recording_id)
    signals = np.asarray(recorded.session(session), dtype=np.float32)[:, units].T
    colours = network_colours(id, mode)
    png = nilearn_plots.carpet(
        signals,
        groups,
        names=[f"network {k}" for k in networks],
        colours=[colours[k] for k in networks],
        palette=PALETTES[mode],
    )
    layer, index = atlas.layout.locate(units)
    return Scan(
        png=png,
        alternative=(
            f"Session {session} by plot_carpet: {len(units)} units, the strongest of networks "
            f"{', '.join(map(str, networks))}, over {signals.shape[1]:,} tokens; grey values are z "
            "within the session, from −2 to 2."
        ),
        table=pd.DataFrame(
            {
                "network": np.asarray(networks)[groups],
                "layer": layer,
                "unit": index,
                "mean": signals.mean(axis=1),
                "sd": signals.std(axis=1),
            }
        ),
    )


@cached(max_entries=4, spinner="nilearn draws")
def connectome(id: str, mode: Mode) -> Scan:
    """Return functional connectivity by `plot_matrix`."""
    values = resources.atlas(id).functional_connectivity()
    first, second = np.triu_indices(len(values), k=1)
    order = np.argsort(-np.abs(values[first, second]), kind="stable")
    table = pd.DataFrame({"network": first, "with": second, "r": values[first, second]})
    sentence = (
        f"Correlation of the time courses of {len(values)} networks by plot_matrix, clustered"
    )
    if len(table):
        strongest = table.iloc[order[0]]
        sentence += (
            f"; the strongest of two is {strongest['r']:.2f}, between networks "
            f"{int(strongest['network'])} and {int(strongest['with'])}"
        )
    return Scan(
        png=nilearn_plots.matrix(values, palette=PALETTES[mode]),
        alternative=f"{sentence}. Colours reach to the 99th percentile off the diagonal.",
        table=table.iloc[order].reset_index(drop=True),
    )
