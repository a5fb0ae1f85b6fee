"""Lesion studies of the workspace: whole ones, and the one that a run has begun."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.fingerprint import compare
from fnprune_core.decomposition.numbering import check_numbers, fingerprint_at
from fnprune_core.errors import ArtifactNotFoundError, CorruptArtifactError, NetworksMovedError
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.folders import exclusive, new_folder, storage_errors
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.workspace import Workspace

KIND = "lesions"


def open_lesions(workspace: Workspace, study_id: str, *, match: bool = False) -> LesionStudy:
    """Return a lesion study of the workspace; the id may be an unambiguous beginning.

    Parameters
    ----------
    match : bool
        Number the networks as the atlas that is here, where it was made anew and numbers them
        otherwise.

    Raises
    ------
    NetworksMovedError
        If it does, and no match was asked for or a network is not there any more.
    """
    folder = workspace.existing(KIND, study_id)
    study = LesionStudy.load(folder)
    renumbering = check_numbers(
        study.facts.maps_fingerprint, workspace, study.facts.decomposition_id,
        what=f"Lesion study {folder.name}", match=match,
    )  # fmt: skip
    if renumbering is None:
        return study
    return study.renumbered(renumbering, fingerprint_at(workspace, study.facts.decomposition_id))


def lesion_studies(workspace: Workspace, decomposition_id: str) -> list[str]:
    """Return the ids of an atlas's whole studies, newest first."""
    return [
        entry.id
        for entry in workspace.entries(KIND)
        if entry.manifest.get("decomposition_id") == decomposition_id
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyFiles:
    """Files of one study: kept after each lesion, and stored once it is whole."""

    workspace: Workspace
    id: str
    manifest: Mapping[str, Any]

    @property
    def _folder(self) -> Path:
        return self.workspace.resumable_folder(KIND, self.id)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from the same study."""
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with exclusive(self._folder, what="This study"):
            yield

    def _kept(self) -> list[Path]:
        """Return the stored partial studies, the newest first: one, or two for a moment."""
        numbered = (path for path in self._folder.iterdir() if path.name.isdecimal())
        return sorted(numbered, key=lambda path: int(path.name), reverse=True)

    def resumed(self, atlas: NetworkAtlas) -> LesionStudy | None:
        """Return the partial study of a stopped run; None without one of these very networks."""
        for folder in self._kept():
            with suppress(CorruptArtifactError, ArtifactNotFoundError):
                study = LesionStudy.load(folder)
                there = study.facts.maps_fingerprint
                if there is None or compare(there, atlas.maps_fingerprint).is_same:
                    return study
        return None

    def keep(self, study: LesionStudy) -> None:
        """Store the partial study, then delete the one before."""
        earlier = self._kept()
        number = int(earlier[0].name) + 1 if earlier else 0
        self._write(study, self._folder / str(number))
        for path in earlier:
            shutil.rmtree(path, ignore_errors=True)

    def finish(self, study: LesionStudy) -> None:
        """Store the whole study, then delete the partial one."""
        self._write(study, self.workspace.folder(KIND, self.id))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, study: LesionStudy, folder: Path) -> None:
        with new_folder(folder) as target:
            study.save(target)
            write_json(target / MANIFEST, dict(self.manifest))

    def with_earlier_readings(self, study: LesionStudy) -> LesionStudy:
        """Return the study with what others read under the same conditions."""
        healthy, earlier = study.healthy, dict[tuple[object, ...], NDArray[np.float64]]()
        for entry in self.workspace.entries(KIND):
            if entry.id == self.id or entry.manifest.get("base") != self.manifest["base"]:
                continue
            with suppress(CorruptArtifactError, NetworksMovedError):
                other = open_lesions(self.workspace, entry.id)
                healthy = other.healthy
                for row, column in np.argwhere(other.is_done).tolist():
                    earlier[other.lesions[row], column] = other.nll[row, column]
        nll = study.nll.copy()
        for row, column in np.argwhere(~study.is_done).tolist():
            nll[row, column] = earlier.get((study.lesions[row], column), nll[row, column])
        return replace(study, nll=nll, healthy=healthy)
