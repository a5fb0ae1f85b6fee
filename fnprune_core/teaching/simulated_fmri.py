"""Simulated fMRI with known networks in a real head's shape, to see what group ICA gives back.

Places come with nilearn and are on every machine: the MNI152 template (Fonov et al. 2011) and the
centres of 300 regions with the names of their networks (Seitzman et al. 2020). Everything else is
drawn: no measured signal is in it.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.decomposition.stability import match_maps
from fnprune_core.errors import NotConvergedWarning, SettingsError
from fnprune_core.progress import NEVER, ignore
from fnprune_core.recording.group_pca import group_pca
from fnprune_core.recording.sessions import ArraySessions, blocks_of

#: Those that are planted, by their names in the table of regions.
PLANTED = ("DefaultMode", "Visual", "SomatomotorDorsal", "Auditory", "FrontoParietal")
T_R_S = 2.0
N_SCANS = 120
VOXEL_MM = 8
MAX_SUBJECTS = 32
_BLOB_MM = 7.0  # standard deviation of a region
_JITTER_MM = 3.0  # of a subject's regions around the group's
_EVENT_RATE = 0.08  # share of scans at which a network is driven
_MEMORY = 0.4  # of the noise, from one scan to the next
_SHARED = 0.3  # of each time course's variance: networks at rest go together in part


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """Voxels inside the head, and the regions of named networks.

    Parameters
    ----------
    voxels : ndarray (n_voxels, 3)
        Index of each voxel in the box.
    places : ndarray (n_voxels, 3)
        Millimetres in MNI space.
    regions : dict
        Name of a network → centres of its regions, (n, 3), millimetres.
    """

    shape: tuple[int, int, int]
    voxels: NDArray[np.int64]
    places: NDArray[np.float64]
    regions: dict[str, NDArray[np.float64]]

    def volume(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return values of voxels as a box, NaN outside the head."""
        box = np.full(self.shape, np.nan, dtype=np.float32)
        box[tuple(self.voxels.T)] = values
        return box


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedStudy:
    """A simulated group study.

    Parameters
    ----------
    maps : ndarray (K, n_voxels)
        What was planted, for the group.
    courses : list of ndarray (n_scans, K)
        Strength of each network at each scan, by subject; it follows events by a few seconds.
    signals : list of ndarray (n_scans, n_voxels)
        What the scanner gives, by subject.
    """

    names: tuple[str, ...]
    maps: NDArray[np.float64]
    courses: list[NDArray[np.float64]]
    signals: list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recovery:
    """Match between the maps that were found and those that were planted.

    Parameters
    ----------
    maps : ndarray (K, n_voxels)
        Found, in the order of the planted ones, each with the sign that fits.
    r : ndarray (K,)
        Absolute correlation of each pair; the pairs are those of the largest sum.
    """

    names: tuple[str, ...]
    maps: NDArray[np.float64]
    r: NDArray[np.float64]

    def n_found(self, least: float = 0.7) -> int:
        """Return how many pairs correlate by more than `least`."""
        return int((self.r > least).sum())


@lru_cache(maxsize=2)
def head(voxel_mm: int = VOXEL_MM) -> Head:
    """Return the head that studies are simulated in, from nilearn's own files."""
    from nilearn.datasets import fetch_coords_seitzman_2018, load_mni152_brain_mask  # slow

    mask = load_mni152_brain_mask(resolution=voxel_mm)
    voxels = np.argwhere(np.asanyarray(mask.dataobj) > 0)
    regions = fetch_coords_seitzman_2018()
    centres = regions.rois[["x", "y", "z"]].to_numpy(dtype=np.float64)
    return Head(
        shape=mask.shape,
        voxels=voxels,
        places=apply_affine(mask.affine, voxels),
        regions={name: centres[regions.networks == name] for name in PLANTED},
    )


def _blob_map(places: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a blob of height one at each centre: (n_voxels,)."""
    squared_distance = (
        np.square(places).sum(1)[:, None] + np.square(centres).sum(1) - 2 * places @ centres.T
    )
    return np.asarray(np.exp(-squared_distance.min(axis=1) / (2 * _BLOB_MM**2)))


def blood_response(*, t_r: float = T_R_S, seconds: float = 32.0) -> NDArray[np.float64]:
    """Return the response of blood to one brief event (Glover 1999), at every scan; peak 1."""
    from nilearn.glm.first_level import glover_hrf  # slow to import

    response = np.asarray(glover_hrf(t_r=t_r, oversampling=1, time_length=seconds))
    return np.asarray(response / response.max())


@lru_cache(maxsize=1)
def _response() -> NDArray[np.float64]:
    return blood_response()


def _course(n_scans: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a course of random events as blood answers them: mean 0, standard deviation 1."""
    events = rng.random(n_scans) < _EVENT_RATE
    events[rng.integers(n_scans)] = True
    course = np.convolve(events, _response())[:n_scans]
    return np.asarray((course - course.mean()) / course.std())


def planted_maps() -> NDArray[np.float64]:
    """Return the group's maps, which every study holds: (K, n_voxels)."""
    simulated_head = head()
    return np.stack(
        [_blob_map(simulated_head.places, simulated_head.regions[name]) for name in PLANTED]
    )


def _noise(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise with some memory along the first axis, standard deviation 1."""
    values = rng.standard_normal(shape, dtype=np.float32)
    for scan in range(1, len(values)):
        values[scan] = _MEMORY * values[scan - 1] + np.sqrt(1 - _MEMORY**2) * values[scan]
    return values


def simulate(
    *, n_subjects: int, noise: float, seed: int = 0, n_scans: int = N_SCANS
) -> SimulatedStudy:
    """Return a study of some subjects at rest, each with the same networks in its own time.

    Parameters
    ----------
    noise : float
        Standard deviation of a voxel's noise, in multiples of the signal's at a network's peak.
        It has some memory from scan to scan, as noise in scanners does.
    """
    if not 1 <= n_subjects <= MAX_SUBJECTS:
        raise SettingsError(f"Subjects must be 1 to {MAX_SUBJECTS}, got {n_subjects}.")
    if not noise >= 0:
        raise SettingsError(f"Noise cannot be negative, got {noise}.")
    simulated_head = head()
    courses, signals = [], []
    # One stream a subject: with one more, those before stay as they were.
    for subject_seed in np.random.SeedSequence(seed).spawn(MAX_SUBJECTS)[:n_subjects]:
        rng = np.random.default_rng(subject_seed)
        subject_maps = np.stack(
            [
                _blob_map(simulated_head.places, centres + rng.normal(0, _JITTER_MM, centres.shape))
                for centres in simulated_head.regions.values()
            ]
        )
        drawn_courses = np.stack([_course(n_scans, rng) for _ in (*PLANTED, "all")], axis=1)
        course = (
            np.sqrt(1 - _SHARED) * drawn_courses[:, :-1] + np.sqrt(_SHARED) * drawn_courses[:, -1:]
        )
        voxel_noise = _noise((n_scans, len(simulated_head.places)), rng)
        courses.append(course)
        signals.append(
            course.astype(np.float32) @ subject_maps.astype(np.float32) + noise * voxel_noise
        )
    return SimulatedStudy(names=PLANTED, maps=planted_maps(), courses=courses, signals=signals)


def _matched_recovery(study: SimulatedStudy, found_maps: NDArray[np.floating]) -> Recovery:
    order, r = match_maps(study.maps, found_maps)
    maps = np.asarray(found_maps[order], dtype=np.float64)
    sign = np.sign(((maps - maps.mean(1, keepdims=True)) * study.maps).sum(axis=1))
    return Recovery(names=study.names, maps=maps * sign[:, None], r=r)


def recover(study: SimulatedStudy, *, seed: int = 0) -> Recovery:
    """Return the maps that `GroupICA` finds in a study, given only the number of networks.

    By Picard: of so few voxels FastICA with the cube seldom settles, and stops wherever it is.
    """
    ica = GroupICA(
        n_components=len(study.names), algorithm="picard", fun="logcosh", n_runs=1, max_iter=200,
        tol=1e-3, seed=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)  # noise has no networks to settle on
        maps = ica.fit(study.signals).components_
    return _matched_recovery(study, maps)


def principal_components(study: SimulatedStudy) -> Recovery:
    """Return the maps that the step before ICA finds: the group's principal components."""
    sessions = ArraySessions(study.signals)
    n_networks = len(study.names)
    sizes = (min(2 * n_networks, min(map(len, study.signals))), n_networks)
    (components,) = group_pca(
        sessions, blocks_of(sessions, "model"), n_components=sizes, normalize="recording",
        device=torch.device("cpu"), progress=ignore, cancel=NEVER,
    )  # fmt: skip
    maps = np.zeros((n_networks, sessions.layout.n_units))
    maps[:, sessions.alive] = components.numpy()
    return _matched_recovery(study, maps)
