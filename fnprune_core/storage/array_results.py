"""Results that are arrays and counts: each is saved as an artifact, and read from it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import read_manifest

_ARRAYS = "trust.safetensors"


def save_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write arrays by name into one safetensors file, whatever their order in memory."""
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrayResult:
    """A result that is saved as an artifact: arrays, and counts in the manifest."""

    def save(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """Write into a folder that is being made."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {k: v for k, v in values.items() if hasattr(v, "shape")}
        counts = {k: v for k, v in values.items() if k not in arrays}
        save_arrays(arrays, folder / _ARRAYS)
        write_json(folder / MANIFEST, {**manifest, "counts": counts})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from an artifact folder."""
        manifest = read_manifest(folder)
        with damage_told(folder, "Delete it and measure again."):
            return cls(**load_file(checked(folder, manifest, _ARRAYS)), **manifest["counts"])
