"""A decomposition: the networks that were found in a recording, as data and as a folder.

Finding them is `group_ica`'s, which needs torch and scikit-learn; opening them needs neither.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fnprune_core.decomposition.fingerprint import KEY, fingerprint_of
from fnprune_core.models.layout import UnitLayout
from fnprune_core.storage.array_results import save_arrays
from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import manifest_of, read_manifest

_ARRAYS = "decomposition.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decomposition:
    """Networks found in a recording.

    Parameters
    ----------
    spatial_maps : ndarray (K, n_units)
        z over the alive units of the scope: mean 0, standard deviation 1, heavier tail
        positive; 0 elsewhere. Ordered by time-course energy, strongest first, near ties by their
        peak units.
    time_courses : ndarray (K, n_tokens)
        Least-squares strength at every token, dummy tokens included; not z-scored.
    run_agreement : ndarray (K,)
        How alike the runs' maps of a network are (`stability.run_agreement`); NaN with one run.
    variance_alone, variance_left_out : ndarray (K,)
        Share of the signals' variance that a time course explains by itself, and that is lost
        when it alone is left out. They do not add up: time courses are correlated.
    variance_explained : float
        Share that all networks together explain.
    layer_of_network : ndarray (K,)
        −1 when the scope is the whole model.
    n_iter, converged : ndarray (n_runs,)
        Iterations of each run (largest over layers), and whether each stopped by itself.
    """

    spatial_maps: NDArray[np.float32]
    time_courses: NDArray[np.float32]
    run_agreement: NDArray[np.float64]
    variance_alone: NDArray[np.float64]
    variance_left_out: NDArray[np.float64]
    variance_explained: float
    layer_of_network: NDArray[np.int64]
    alive: NDArray[np.bool_]
    n_iter: NDArray[np.int64]
    converged: NDArray[np.bool_]
    layout: UnitLayout
    recording_id: str
    fingerprint: str
    settings: dict[str, Any]
    id: str = ""

    def __post_init__(self) -> None:
        for name in _ARRAY_FIELDS:
            getattr(self, name).setflags(write=False)

    @property
    def n_networks(self) -> int:
        """Number of networks."""
        return len(self.spatial_maps)

    def save(self, target: Path, inputs: dict[str, Any]) -> None:
        """Write the decomposition as an artifact folder, at once."""
        facts = {
            "n_networks": self.n_networks,
            "variance_explained": self.variance_explained,
            "widths": list(self.layout.widths),
            **({"expert_sizes": sizes} if (sizes := self.layout.expert_sizes) else {}),
            "recording_id": self.recording_id,
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            "n_converged": int(self.converged.sum()),
            KEY: fingerprint_of(self.spatial_maps).to_json(),
        }
        arrays = {_FILE_NAMES.get(name, name): getattr(self, name) for name in _ARRAY_FIELDS}
        with new_folder(target) as folder:
            save_arrays(arrays, folder / _ARRAYS)
            write_json(folder / MANIFEST, manifest_of("decompositions", inputs, facts))

    @classmethod
    def load(cls, folder: Path) -> "Decomposition":
        """Read a decomposition from its artifact folder."""
        manifest = read_manifest(folder)
        with damage_told(folder, "Delete it and decompose again."):
            arrays = load_file(checked(folder, manifest, _ARRAYS))
            fields = {name: arrays[_FILE_NAMES.get(name, name)] for name in _ARRAY_FIELDS}
            return cls(
                **fields,
                variance_explained=manifest["variance_explained"],
                layout=UnitLayout(
                    tuple(manifest["widths"]), tuple(map(tuple, manifest.get("expert_sizes", ())))
                ),
                recording_id=manifest["recording_id"],
                fingerprint=manifest["fingerprint"],
                settings=manifest["settings"],
                id=folder.name,
            )


#: Names in the file of fields that were renamed after the first decompositions were saved.
_FILE_NAMES = {"run_agreement": "stability_index"}
_ARRAY_FIELDS = (
    "spatial_maps",
    "time_courses",
    "run_agreement",
    "variance_alone",
    "variance_left_out",
    "layer_of_network",
    "alive",
    "n_iter",
    "converged",
)


def convergence_note(decomposition: Decomposition) -> str:
    """Return a sentence for the person if ICA runs did not converge, else an empty string."""
    failed = int((~decomposition.converged).sum())
    if not failed:
        return ""
    n_runs = len(decomposition.converged)
    return (
        f"{failed} of {n_runs} ICA runs did not converge within "
        f"{decomposition.settings['max_iter']} iterations"
        + ("; the best of the others is shown." if failed < n_runs else ": do not trust the maps.")
        + " Raise the iteration limit, lower K or record more tokens."
    )
