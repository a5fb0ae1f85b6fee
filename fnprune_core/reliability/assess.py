"""Measure how far networks can be trusted: part by part, each found again by its hash."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from fnprune_core.atlas.membership import Members
from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.decomposition.fingerprint import KEY
from fnprune_core.decomposition.numbering import is_of_networks_here
from fnprune_core.errors import FnpruneError, SettingsError, TooFewTokensError
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.recording.recording import Recording, open_recording
from fnprune_core.reliability import measures, members
from fnprune_core.reliability.reference import ReferenceStudy, TrustSettings, open_study, pieces_for
from fnprune_core.reliability.resampling import check_documents
from fnprune_core.reliability.results import (
    Assessment,
    Null,
    Reproducibility,
    Result,
    SizeCurve,
    Stability,
)
from fnprune_core.storage.checksums import readable
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.manifests import artifact_id, manifest_of
from fnprune_core.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRow:
    """A measure: its title, its result, its function, and the settings that it depends on."""

    title: str
    result: type[Result]
    measure: Callable[[ReferenceStudy], Iterator[Result]]
    settings: tuple[str, ...]
    is_shifted: bool = False


_NULL_SETTINGS = ("n_null_seeds", "n_null_splits", "seed")

#: Name → measure, in the order in which they are made: quick and telling ones first.
PARTS: Mapping[str, MeasureRow] = {
    "halves": MeasureRow(
        title="Halves of the documents",
        result=Reproducibility,
        measure=measures.in_halves,
        settings=("n_splits", "seed"),
    ),
    "rotated": MeasureRow(
        title="Random rotations of the halves",
        result=Reproducibility,
        measure=measures.rotated_halves,
        settings=("n_splits", "seed"),
    ),
    "members": MeasureRow(
        title="Members of networks",
        result=Members,
        measure=members.members,
        settings=("n_splits", "seed"),
    ),
    "seeds": MeasureRow(
        title="Other random starts",
        result=Stability,
        measure=measures.over_seeds,
        settings=("n_seeds", "seed"),
    ),
    "bootstrap": MeasureRow(
        title="Bootstrapped sessions",
        result=Stability,
        measure=measures.over_bootstraps,
        settings=("n_bootstraps", "seed"),
    ),
    "sizes": MeasureRow(
        title="Numbers of networks",
        result=SizeCurve,
        measure=measures.by_size,
        settings=("n_splits", "seed"),
    ),
    "gaussian": MeasureRow(
        title="Gaussian null",
        result=Null,
        measure=measures.gaussian_null,
        settings=_NULL_SETTINGS,
    ),
    "shift": MeasureRow(
        title="Shift null",
        result=Null,
        measure=measures.shift_null,
        settings=_NULL_SETTINGS,
        is_shifted=True,
    ),
    "shifted_members": MeasureRow(
        title="Members of shifted networks",
        result=Members,
        measure=members.shifted_members,
        settings=("n_splits", "seed"),
        is_shifted=True,
    ),
}
#: Parts for which the documents must be split.
NEED_HALVES = ("halves", "rotated", "members", "sizes", "shifted_members")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """A part's result as it stands; `is_whole` when it was finished and saved."""

    part: str
    result: Result
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """Outcome of `assess`: ids by part, and why parts were left out."""

    ids: Mapping[str, str]
    skipped: Mapping[str, str]


def check_parts(names: Sequence[str]) -> tuple[str, ...]:
    """Return the parts in the order of `PARTS`, refusing names that do not exist."""
    unknown = [name for name in names if name not in PARTS]
    if unknown or not names:
        raise SettingsError(
            f"{', '.join(unknown) or 'Nothing'} is no part of an assessment.",
            hint=f"Choose among {', '.join(PARTS)}.",
        )
    return tuple(name for name in PARTS if name in names)


def _inputs(decomposition_id: str, part: str, settings: TrustSettings) -> dict[str, Any]:
    values = asdict(settings)
    part_settings = {name: values[name] for name in PARTS[part].settings}
    return {"decomposition_id": decomposition_id, "part": part, "settings": part_settings}


def assessment_id(
    decomposition_id: str, part: str, *, settings: TrustSettings | None = None
) -> str:
    """Return the id of a part of the assessment of a decomposition."""
    return artifact_id("assessments", _inputs(decomposition_id, part, settings or TrustSettings()))


def assessment_ids(
    workspace: Workspace, decomposition_id: str, *, settings: TrustSettings | None = None
) -> dict[str, str]:
    """Return the ids of the parts that were measured, by part."""
    ids = {part: assessment_id(decomposition_id, part, settings=settings) for part in PARTS}
    are_here, _ = readable(
        ids,
        lambda part: is_of_networks_here(workspace, "assessments", ids[part], decomposition_id),
    )
    return {part: ids[part] for part, is_here in are_here.items() if is_here}


def open_assessment(
    workspace: Workspace, decomposition_id: str, *, settings: TrustSettings | None = None
) -> Assessment:
    """Return the results on the networks of a decomposition that were measured so far.

    Those that cannot be read are left out; `unreadable_parts` says why.
    """
    return Assessment(**_parts(workspace, decomposition_id, settings)[0])


def unreadable_parts(
    workspace: Workspace, decomposition_id: str, *, settings: TrustSettings | None = None
) -> list[FnpruneError]:
    """Return why parts that were measured cannot be read."""
    return _parts(workspace, decomposition_id, settings)[1]


def _parts(
    workspace: Workspace, decomposition_id: str, settings: TrustSettings | None
) -> tuple[dict[str, Any], list[FnpruneError]]:
    ids = assessment_ids(workspace, decomposition_id, settings=settings)
    return readable(
        ids, lambda part: PARTS[part].result.load(workspace.existing("assessments", ids[part]))
    )


def why_no_halves(recording: Recording, atlas: NetworkAtlas) -> str:
    """Return why the documents cannot be split in halves, or an empty text if they can."""
    try:
        check_documents(pieces_for(recording, atlas.tokens, atlas.decomposition))
    except TooFewTokensError as error:
        return str(error)
    return ""


def trust_table(atlas: NetworkAtlas, assessment: Assessment) -> pd.DataFrame:
    """Return one row per network: variance, kurtosis of its map, and the measures of it."""
    d = atlas.decomposition
    facts = pd.DataFrame(
        {
            "network": range(atlas.n_networks),
            "variance_alone": d.variance_alone,
            "variance_left_out": d.variance_left_out,
            "kurtosis": measures.map_kurtosis(d),
        }
    )
    return facts.join(assessment.columns())


class _Studies:
    """The studies that the parts need, each made when first asked for; one in memory at a time."""

    def __init__(self, make_study: Callable[[bool], ReferenceStudy]) -> None:
        self._make = make_study
        self._current: tuple[bool, ReferenceStudy] | None = None

    def get(self, *, is_shifted: bool) -> ReferenceStudy:
        """Return the study of the recording, or of the recording with its units shifted."""
        if self._current is None or self._current[0] != is_shifted:
            self._current = None  # let go of the other one before this one takes memory
            self._current = (is_shifted, self._make(is_shifted))
        return self._current[1]


def assess(
    workspace: Workspace,
    decomposition_id: str,
    *,
    parts: Sequence[str] = tuple(PARTS),
    settings: TrustSettings | None = None,
    on_partial: Callable[[Measured], None] = lambda _: None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Assessed:
    """Measure the parts that are not there yet; a part is saved as soon as it is whole.

    Parameters
    ----------
    on_partial : callable
        Called with each part's result as it grows; the last call of a part is whole.

    Returns
    -------
    Assessed
        A part that the recording is too small or too uniform for is left out, with the reason.
    """
    part_names = check_parts(parts)
    trust_settings = settings or TrustSettings()
    atlas = open_atlas(workspace, decomposition_id)
    recording = open_recording(workspace, atlas.decomposition.recording_id)

    def make_study(is_shifted: bool) -> ReferenceStudy:
        return open_study(
            recording, atlas.tokens, atlas.decomposition,
            settings=trust_settings, is_shifted=is_shifted, progress=progress, cancel=cancel,
        )  # fmt: skip

    studies = _Studies(make_study)
    no_halves = why_no_halves(recording, atlas)
    ids: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name in part_names:
        if no_halves and name in NEED_HALVES:
            skipped[name] = no_halves
            continue
        part, inputs = PARTS[name], _inputs(atlas.id, name, trust_settings)
        id = artifact_id("assessments", inputs)
        if not is_of_networks_here(workspace, "assessments", id, atlas.id):
            cancel.raise_if_cancelled()
            try:
                result = None
                for result in part.measure(studies.get(is_shifted=part.is_shifted)):
                    on_partial(Measured(part=name, result=result, is_whole=False))
            except (TooFewTokensError, SettingsError) as error:
                skipped[name] = str(error)
                continue
            if result is None:
                continue
            if workspace.has("assessments", id):  # of other networks under this atlas's id
                workspace.delete("assessments", id)
            facts = {KEY: atlas.maps_fingerprint.to_json()}
            with new_folder(workspace.folder("assessments", id)) as folder:
                result.save(folder, manifest_of("assessments", inputs, facts))
            on_partial(Measured(part=name, result=result, is_whole=True))
        ids[name] = id
    return Assessed(ids=ids, skipped=skipped)
