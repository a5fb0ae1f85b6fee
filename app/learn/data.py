"""Cached data of the lesson: small measurements by atlas id, and simulated studies."""

import numpy as np
from nilearn.datasets import fetch_coords_seitzman_2018
from numpy.typing import NDArray

from app.figures import nilearn_plots
from app.figures.distinct import qualitative
from app.figures.theme import PALETTES, Mode
from app.shell import resources
from app.shell.caches import atlas_maps, directions, trust
from app.shell.caching import cached
from fnprune_core.atlas.chance.directions import HEADLINE, directions_id
from fnprune_core.teaching import demonstrations, simulated_fmri
from fnprune_core.teaching.demonstrations import DomainContrast, EventAverage
from fnprune_core.teaching.simulated_fmri import Recovery

#: In steps: voxels of the motor map, units by number, cells of the cortex.
DISTANCES = (1, 2, 3, 5, 8, 12)
WIDTHS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
N_SHUFFLES = 20


def most_selective(id: str, domain: str = "") -> int:
    """Return the network with the largest share of its energy in a domain, or in any.

    One that comes back in halves of the documents, if one does.
    """
    return _most_selective(id, domain, trust.recurs(id))


@cached(max_entries=8)
def _most_selective(id: str, domain: str, recurs: NDArray[np.bool_]) -> int:
    atlas = resources.atlas(id)
    share = atlas.domain_share()
    if domain not in atlas.domain_names:
        return int(np.lexsort((share.max(axis=1), recurs))[-1])
    column = share[:, atlas.domain_names.index(domain)]
    # The strongest of the selective: a network with little energy has little to lose.
    energy = np.square(atlas.time_courses[:, ~atlas.is_dummy].astype(np.float64)).mean(axis=1)
    is_selective = column > 0.5
    return int(np.lexsort((np.where(is_selective, energy, column), recurs, is_selective))[-1])


def with_a_word(id: str) -> int:
    """Return the most selective network that is strongest on a whole word.

    One that comes back in halves of the documents, if one does.
    """
    return _with_a_word(id, trust.recurs(id))


@cached(max_entries=4)
def _with_a_word(id: str, recurs: NDArray[np.bool_]) -> int:
    share = resources.atlas(id).domain_share().max(axis=1)
    selective = np.lexsort((-share, ~recurs))
    for network in selective.tolist():
        words = favourite_words(id, network)
        if words and words[0].strip().isalpha() and len(words[0].strip()) > 3:
            return int(network)
    return int(selective[0])


@cached(max_entries=128)
def favourite_words(id: str, network: int) -> list[str]:
    """Return words on which a network is strongest."""
    return demonstrations.favourite_words(resources.atlas(id), network)


@cached(max_entries=64)
def event_average(id: str, network: int, word: str) -> EventAverage:
    """Return a network's strength around a word."""
    return demonstrations.event_average(resources.atlas(id), network, word)


@cached(max_entries=2)
def blood(step_s: float = 0.1) -> NDArray[np.float64]:
    """Return the response of blood to one flash."""
    return simulated_fmri.blood_response(t_r=step_s)


@cached(max_entries=2)
def _motor() -> NDArray[np.float32]:
    """Return |z| of the real motor map, NaN outside the brain."""
    values = np.asanyarray(nilearn_plots.motor_map().dataobj, dtype=np.float32)
    return np.where(np.nan_to_num(values) == 0, np.nan, np.abs(values)).astype(np.float32)


@cached(max_entries=1)
def likeness_in_the_brain() -> NDArray[np.float64]:
    """Return how alike voxels of the motor map are, by distance from left to right."""
    return demonstrations.likeness_along(_motor(), DISTANCES, axis=0)


@cached(max_entries=64)
def likeness(id: str, network: int, has_cortex: bool) -> dict[str, NDArray[np.float64]]:
    """Return how alike units are by number, and in the cortex where there is one."""
    z = np.abs(resources.atlas(id).layer_map(network))
    curves = {"number": demonstrations.likeness_along(z, DISTANCES, axis=1)}
    volume = atlas_maps.volume(id, network) if has_cortex else None
    if volume is not None:
        curves["cortex"] = demonstrations.likeness_along(np.abs(volume), DISTANCES, axis=2)
    return curves


@cached(max_entries=1)
def peak_left_in_the_brain() -> NDArray[np.float64]:
    """Return how much of the motor map's peaks smoothing leaves, by width."""
    return demonstrations.peak_left(_motor(), WIDTHS, axes=(0, 1, 2))


@cached(max_entries=64)
def peak_left(id: str, network: int, has_cortex: bool) -> dict[str, NDArray[np.float64]]:
    """Return how much of a network's peaks smoothing leaves: by number, and in the cortex."""
    z = np.abs(resources.atlas(id).layer_map(network))
    curves = {"number": demonstrations.peak_left(z, WIDTHS, axes=(1,))}
    volume = atlas_maps.volume(id, network) if has_cortex else None
    if volume is not None:
        curves["cortex"] = demonstrations.peak_left(np.abs(volume), WIDTHS, axes=(1, 2))
    return curves


@cached(max_entries=2)
def share_between_sessions(id: str) -> NDArray[np.float64]:
    """Return the share of each time course's variance that lies between sessions."""
    return demonstrations.share_between_sessions(resources.atlas(id))


@cached(max_entries=16)
def networks_per_unit(id: str, z: float) -> NDArray[np.int64]:
    """Return how many units are in no network, one, two, …."""
    return demonstrations.networks_per_unit(resources.atlas(id), z=z)


@cached(max_entries=32)
def contrast(id: str, first: str, second: str, shuffle: int | None) -> DomainContrast:
    """Return a comparison of two domains, or of shuffled documents."""
    return demonstrations.contrast(resources.atlas(id), first, second, shuffle_seed=shuffle)


def direction_contrast(
    id: str, first: str, second: str, shuffle: int | None
) -> DomainContrast | None:
    """Return the same comparison of permuted random directions; None if they were not made."""
    if not directions.are_made(id):
        return None
    made = directions_id(resources.atlas(id))
    return _direction_contrast(id, first, second, shuffle, made)


@cached(max_entries=32)
def _direction_contrast(
    id: str, first: str, second: str, shuffle: int | None, made: str
) -> DomainContrast | None:
    found = directions.opened(id)
    if found is None:
        return None
    return demonstrations.contrast(found.of(HEADLINE), first, second, shuffle_seed=shuffle)


@cached(max_entries=16, spinner="Shuffling")
def false_alarms(id: str, first: str, second: str) -> tuple[float, float]:
    """Return the mean number of false alarms over shuffles: documents, tokens."""
    by_documents, by_tokens = demonstrations.false_alarms(
        resources.atlas(id), first, second, n_shuffles=N_SHUFFLES
    )
    return float(by_documents.mean()), float(by_tokens.mean())


@cached(max_entries=24, spinner="Scanning, then looking for networks")
def recovered(n_subjects: int, noise: float, seed: int) -> tuple[Recovery, Recovery]:
    """Return what ICA and PCA find in a simulated study."""
    study = simulated_fmri.simulate(n_subjects=n_subjects, noise=noise, seed=seed)
    return simulated_fmri.recover(study), simulated_fmri.principal_components(study)


@cached(max_entries=1)
def planted_maps() -> NDArray[np.float64]:
    """Return the maps that every study holds: (K, n_voxels)."""
    return simulated_fmri.planted_maps()


@cached(max_entries=1)
def brain_networks() -> dict[str, int]:
    """Return the named networks of the regions that nilearn ships, and their sizes."""
    names = fetch_coords_seitzman_2018().networks
    network_names, counts = np.unique(names[names != "unassigned"], return_counts=True)
    return {str(network_names[i]): int(counts[i]) for i in np.argsort(-counts, kind="stable")}


@cached(max_entries=32, spinner="nilearn draws")
def glass_brain(chosen_names: tuple[str, ...], mode: Mode) -> bytes:
    """Return the chosen networks' regions on a glass brain, as PNG."""
    table = fetch_coords_seitzman_2018()
    places = table.rois[["x", "y", "z"]].to_numpy(dtype=np.float64)
    palette = PALETTES[mode]
    names = list(brain_networks())
    return nilearn_plots.markers(
        {name: places[table.networks == name] for name in chosen_names},
        colours=region_colours(names, mode),
        palette=palette,
    )


def region_colours(names: list[str], mode: Mode) -> dict[str, str]:
    """Return a colour for each of the brain's networks."""
    return dict(zip(names, qualitative(len(names)), strict=True))
