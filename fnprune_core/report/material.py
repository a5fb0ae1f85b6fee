"""Material of a report: an atlas with all that hangs on it, opened once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas import decoding, files, network_atlas
from fnprune_core.atlas.annotation_files import Annotations
from fnprune_core.atlas.annotations import read_annotations
from fnprune_core.atlas.chance.beside import STATISTICS, Beside, beside, counts
from fnprune_core.atlas.chance.directions import KINDS, Directions, open_directions
from fnprune_core.atlas.cortex import Cortex, open_cortex
from fnprune_core.atlas.membership import HIGH, MARK
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError, SettingsError
from fnprune_core.evaluation import results
from fnprune_core.evaluation.history import History, PlanRecord, history
from fnprune_core.evaluation.results import Perplexity
from fnprune_core.evaluation.side_by_side import SideBySide, open_generation
from fnprune_core.export.speed import Speed, open_speed
from fnprune_core.lesions.stored import lesion_studies, open_lesions
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.localizers.results import LocalizerResult
from fnprune_core.localizers.run import localizers_of, open_localizer
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.recording.sessions import document_codes
from fnprune_core.reliability import assess
from fnprune_core.reliability.results import Assessment
from fnprune_core.report.parts import Listing
from fnprune_core.storage.checksums import readable, reasons
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Workspace

_Content = TypeVar("_Content")


@dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """An atlas and what was measured of it; parts are read when they are first asked for.

    Parameters
    ----------
    z : float or None
        Threshold on |z| of maps and of their units; None takes members, and draws maps from 3.
    n_detailed : int
        Networks that are shown in full; all are in the tables.
    """

    workspace: Workspace
    atlas: NetworkAtlas
    z: float | None = None
    n_detailed: int = 12
    progress: Progress = ignore
    cancel: CancelToken = NEVER

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The decomposition's manifest."""
        return read_manifest(self.workspace.existing("decompositions", self.atlas.id))

    @cached_property
    def recording(self) -> dict[str, Any]:
        """The recording's manifest."""
        id = self.atlas.decomposition.recording_id
        return read_manifest(self.workspace.existing("recordings", id))

    @cached_property
    def recurs(self) -> NDArray[np.bool_]:
        """Which networks come back in halves of the documents; all while it is not known: (K,)."""
        halves = self.assessment.halves
        if halves is None:
            return np.ones(self.atlas.n_networks, dtype=bool)
        return np.asarray(halves.mean >= HIGH)

    @cached_property
    def names(self) -> list[str]:
        """Name of each network, with `MARK` where it does not recur."""
        names = files.network_names(self.workspace, self.atlas)
        return [
            name if recurs else f"{name} {MARK}"
            for name, recurs in zip(names, self.recurs, strict=True)
        ]

    def number(self, network: int) -> str:
        """Return a network's number, with `MARK` where it does not recur."""
        return f"{network}{'' if self.recurs[network] else MARK}"

    @cached_property
    def annotations(self) -> Annotations:
        """Names, notes and tags that people gave to the networks."""
        return read_annotations(self.workspace, self.atlas.id)

    @cached_property
    def _cortex(self) -> tuple[Cortex | None, list[FnpruneError]]:
        found, errors = readable([self.atlas.id], lambda id: open_cortex(self.workspace, id))
        return found.get(self.atlas.id), errors

    @property
    def cortex(self) -> Cortex | None:
        """Places of the units, if they were laid out and can be read."""
        return self._cortex[0]

    def unread_cortex(self) -> list[Listing]:
        """Return why the units' places cannot be read; nothing if they can, or were not made."""
        return self.left_out(self._cortex[1])

    @cached_property
    def assessment(self) -> Assessment:
        """Measurements of trust; there may be none."""
        return assess.open_assessment(self.workspace, self.atlas.id)

    @cached_property
    def assessment_ids(self) -> dict[str, str]:
        """The parts of trust that were measured, by name."""
        return assess.assessment_ids(self.workspace, self.atlas.id)

    @cached_property
    def domain_test(self) -> decoding.DomainTest | None:
        """Whether domains differ in each network's strength; None where they cannot be compared."""
        try:
            return decoding.domain_test(self.atlas)
        except SettingsError:
            return None

    @cached_property
    def _directions(self) -> tuple[Directions | None, list[FnpruneError]]:
        found, errors = readable([""], lambda _: open_directions(self.workspace, self.atlas))
        return found.get(""), errors

    @property
    def directions(self) -> Directions | None:
        """Random directions of the same number and shape, if they were made and can be read."""
        return self._directions[0]

    def unread_directions(self) -> list[Listing]:
        """Return why random directions cannot be read; nothing if they can, or were not made."""
        return self.left_out(self._directions[1])

    @cached_property
    def beside(self) -> Mapping[str, Beside]:
        """Statistics of networks beside random directions, by name; none without these."""
        if self.directions is None:
            return {}
        names = [name for name in STATISTICS if name != "domains" or self.domain_test is not None]
        return {name: beside(self.directions, name) for name in names}

    @cached_property
    def totals(self) -> Mapping[str, Mapping[str, float]]:
        """Figures of all networks, and of the random directions of each kind; none without."""
        if self.directions is None:
            return {}
        directions = {kind: counts(self.directions.of(kind)) for kind in KINDS}
        return {"networks": counts(self.atlas), **directions}

    @cached_property
    def tags(self) -> list[tuple[decoding.Tag, ...]]:
        """The trivial things that each network follows."""
        return decoding.trivial_tags(self.atlas)

    @cached_property
    def n_documents(self) -> int:
        """Number of documents that were recorded; parts of one text are one."""
        return len(np.unique(document_codes(self.atlas.tokens)))

    @cached_property
    def all_plans(self) -> History:
        """Every plan of the model."""
        return history(self.workspace, fingerprint=self.atlas.decomposition.fingerprint)

    @cached_property
    def plans(self) -> tuple[PlanRecord, ...]:
        """The plans that belong here: of these networks, or calibrated on their recording."""
        recording = self.atlas.decomposition.recording_id
        return tuple(
            plan
            for plan in self.all_plans.plans
            if plan.decomposition_id == self.atlas.id
            or (not plan.decomposition_id and plan.recording_id == recording)
        )

    def texts(self) -> list[str]:
        """Return the texts on which these plans were measured, those of most plans first."""
        return History(plans=self.plans, dense=self.all_plans.dense).texts()

    def result(self, evaluation_id: str) -> Perplexity:
        """Return a stored perplexity."""
        return results.open_evaluation(self.workspace, evaluation_id)

    @cached_property
    def localizers(self) -> tuple[list[LocalizerResult], list[FnpruneError]]:
        """The results of localizers, the oldest first, of a name the newest; why others are not."""
        listed = reversed(localizers_of(self.workspace, self.atlas.id))
        newest = {each.name: each.id for each in listed}
        results, errors = readable(
            newest.values(), lambda id: open_localizer(self.workspace, id, match=True)
        )
        return list(results.values()), errors

    @cached_property
    def studies(self) -> tuple[dict[str, LesionStudy], list[FnpruneError]]:
        """The lesion studies by id, newest first; why others are not among them."""
        ids = lesion_studies(self.workspace, self.atlas.id)
        return readable(ids, lambda id: open_lesions(self.workspace, id, match=True))

    def left_out(self, errors: Sequence[FnpruneError]) -> list[Listing]:
        """Return why something is not in a section; nothing if all is."""
        texts = reasons(errors, self.workspace.root)
        return [Listing(items=tuple(f"Left out: {text}" for text in texts))] if texts else []

    @cached_property
    def speeds(self) -> tuple[list[tuple[str, Speed]], list[FnpruneError]]:
        """Measured speeds, newest first, each with its plan's id; why others are not here."""
        return self._of_plans("speeds", open_speed)

    @cached_property
    def generations(self) -> tuple[list[tuple[str, SideBySide]], list[FnpruneError]]:
        """Texts of plans, newest first, each with its plan's id; why others are not here."""
        return self._of_plans("generations", open_generation)

    def _of_plans(
        self, kind: str, read: Callable[[Workspace, str], _Content]
    ) -> tuple[list[tuple[str, _Content]], list[FnpruneError]]:
        names = {plan.id for plan in self.plans}
        plan_ids = {
            entry.id: entry.manifest["plan_id"]
            for entry in self.workspace.entries(kind)
            if entry.manifest.get("plan_id") in names
        }
        contents, errors = readable(plan_ids, lambda id: read(self.workspace, id))
        return [(plan_ids[id], content) for id, content in contents.items()], errors

    @cached_property
    def detailed(self) -> list[int]:
        """The networks that are shown in full: the most typical of each domain in turn.

        Those that recur stand before others.
        """
        return self.atlas.most_typical(self.n_detailed, first=self.recurs)

    @cached_property
    def domains(self) -> pd.DataFrame:
        """One row per domain of the recording: domain, sessions, tokens, documents."""
        tokens = self.atlas.tokens
        grouped = tokens.assign(document=document_codes(tokens)).groupby("domain", observed=True)
        return pd.DataFrame(
            {
                "domain": [str(name) for name, _ in grouped],
                "sessions": [domain_tokens["session"].nunique() for _, domain_tokens in grouped],
                "tokens": [len(domain_tokens) for _, domain_tokens in grouped],
                "documents": [domain_tokens["document"].nunique() for _, domain_tokens in grouped],
            }
        )

    def versions(self) -> Mapping[str, Mapping[str, str]]:
        """Return the package versions that each artifact was made with, by what it is."""
        versions = {
            f"recording {self.atlas.decomposition.recording_id}": self.recording["versions"],
            f"decomposition {self.atlas.id}": self.manifest["versions"],
        }
        for plan in self.plans:
            folder = self.workspace.existing("plans", plan.id)
            versions[f"plan {plan.id}"] = read_manifest(folder)["versions"]
        return versions


def open_material(
    workspace: Workspace,
    atlas_id: str,
    *,
    z: float | None = None,
    n_detailed: int = 12,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Material:
    """Open an atlas and its recording for a report; `atlas_id` may be ``"latest"``.

    Raises
    ------
    ArtifactNotFoundError, CorruptArtifactError
        If the atlas or its recording is missing or damaged.
    """
    return Material(
        workspace=workspace,
        atlas=network_atlas.open_atlas(workspace, atlas_id),
        z=z,
        n_detailed=n_detailed,
        progress=progress,
        cancel=cancel,
    )
