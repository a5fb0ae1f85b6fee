"""Plans: scores, allocation and compensation brought together, and plans from elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.errors import PlanError
from fnprune_core.models.architectures import feeding_modules, output_projections
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import Refit
from fnprune_core.plans.allocation import allocation_named, choose_units
from fnprune_core.plans.files import cut_key, write_plan
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.compensation import RIDGE, Cut, compensate, compensation_named, uses_bias
from fnprune_core.pruning.head_planner import (
    AttentionPlanner,
    attention_warning,
    parameters_of_groups,
)
from fnprune_core.pruning.reconstruction import Training, reconstruct
from fnprune_core.recording.recording import Recording, open_recording
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import SCORES, score_named, sink_units
from fnprune_core.storage import (
    MANIFEST,
    Workspace,
    artifact_id,
    manifest_of,
    new_folder,
    write_json,
)


def canonical_settings(settings: PlanSettings) -> PlanSettings:
    """Return the settings with what the score fixes or ignores, so that equal plans are equal."""
    row = score_named(settings.score)
    changes: dict[str, Any] = {}
    if row.allocation is not None:
        changes["allocation"] = row.allocation
    if row.sink_units is not None:
        changes["sink_units"] = row.sink_units
    if not allocation_named(changes.get("allocation", settings.allocation)).takes_weights:
        changes["layer_weights"] = ()
    if not row.uses_networks:
        changes["preserved"] = None
    if not row.is_drawn:
        changes["seed"] = 0
    if not compensation_named(settings.compensation).takes_intercept:
        changes["intercept"] = False
    return settings.with_(**changes)


def plan(
    workspace: Workspace,
    language_model: LanguageModel,
    *,
    recording_id: str,
    decomposition_id: str | None = None,
    settings: PlanSettings,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Choose the units that go and compute their compensation; return the plan's id."""
    return plans(
        workspace,
        language_model,
        recording_id=recording_id,
        decomposition_id=decomposition_id,
        settings=[settings],
        progress=progress,
        cancel=cancel,
    )[0]


def plans(
    workspace: Workspace,
    language_model: LanguageModel,
    *,
    recording_id: str,
    decomposition_id: str | None = None,
    settings: Sequence[PlanSettings],
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> list[str]:
    """Make several plans at once: those that weigh tokens alike share one pass for their refits.

    Raises
    ------
    RatioError
        If a ratio cannot be met, saying the most that can.
    FingerprintMismatchError
        If the recording is of another model.
    """
    recording = open_recording(workspace, recording_id)
    language_model.check_fingerprint(recording.fingerprint, "recording")
    wanted = [canonical_settings(each) for each in settings]
    atlas = None
    if decomposition_id is not None:
        atlas = open_atlas(workspace, decomposition_id)
        if atlas.decomposition.recording_id != recording.id:
            raise PlanError(
                f"Decomposition {atlas.id} was made from recording "
                f"{atlas.decomposition.recording_id}, not {recording.id}.",
                hint="Choose a decomposition of this recording.",
            )
        wanted = [_spell_out(each, atlas) for each in wanted]
    planner = _Planner(workspace, language_model, recording, atlas, progress, cancel)
    return planner.make(wanted)


def _spell_out(settings: PlanSettings, atlas: NetworkAtlas) -> PlanSettings:
    """Return the settings with "all networks" and a full list written the same way."""
    if settings.preserved is None:
        return settings
    for network in settings.preserved:
        atlas.check_network(network)
    whole = len(settings.preserved) == atlas.n_networks
    return settings.with_(preserved=None) if whole else settings


class _Planner:
    """Makes plans for one recording, sharing scores and calibration passes."""

    def __init__(
        self,
        workspace: Workspace,
        language_model: LanguageModel,
        recording: Recording,
        atlas: NetworkAtlas | None,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        self.workspace, self.language_model = workspace, language_model
        self.recording, self.atlas = recording, atlas
        self.progress, self.cancel = progress, cancel
        self.attention = AttentionPlanner(language_model=language_model)
        self._scores: dict[Any, NDArray[np.float64]] = {}
        self._n_trained, self._n_to_train = 0, 1

    def make(self, wanted: Sequence[PlanSettings]) -> list[str]:
        """Return the ids of the plans, making those that are missing."""
        inputs = [self._inputs_json(settings) for settings in wanted]
        ids = [artifact_id("plans", each) for each in inputs]
        missing = {id: i for i, id in enumerate(ids) if not self.workspace.has("plans", id)}
        made = {i: self._plan(wanted[i]) for i in missing.values()}
        self._n_to_train = sum(_needs_training(each) for each in made.values())
        groups: dict[bytes, list[int]] = {}
        for i in made:
            groups.setdefault(self.token_weights(wanted[i]).tobytes(), []).append(i)
        for key, members in groups.items():
            weights = np.frombuffer(key)
            # Each is saved before the next is trained: what was stopped then has the others.
            refits = self.refits([made[i] for i in members], weights)
            for i, each in zip(members, refits, strict=True):
                self._save(ids[i], inputs[i], made[i], each, weights)
        return ids

    def token_weights(self, settings: PlanSettings) -> NDArray[np.float64]:
        """Return how much each token counts in a plan's score and compensation: (n_tokens,)."""
        return score_named(settings.score).token_weights(self._score_inputs(settings))

    def refits(
        self, made: Sequence[PruningPlan], weights: NDArray[np.float64]
    ) -> Iterator[list[Refit]]:
        """Yield the compensation of each plan: one pass over the recording, then training."""
        cuts = [
            Cut(
                removed=each.removed,
                compensation=each.settings.compensation,
                intercept=each.settings.intercept,
            )
            for each in made
        ]
        refits = compensate(
            self.language_model, self.recording, cuts, weights=weights,
            progress=self.progress, cancel=self.cancel,
        )  # fmt: skip
        for each, part in zip(made, refits, strict=True):
            yield self._trained(each, self._with_attention(each, part, weights), weights)

    def _trained(
        self, made: PruningPlan, refits: list[Refit], weights: NDArray[np.float64]
    ) -> list[Refit]:
        if not _needs_training(made):
            return refits
        trained = reconstruct(
            self.language_model, made, refits, self.recording.windows, weights=weights,
            progress=self._of_all_trained, cancel=self.cancel,
        )  # fmt: skip
        self._n_trained += 1
        return trained

    def _of_all_trained(self, event: ProgressEvent) -> None:
        """Tell how far one plan's training is as part of that of all plans."""
        before = self._n_trained * event.total
        total = self._n_to_train * event.total
        self.progress(replace(event, done=before + event.done, total=total))

    def _with_attention(
        self, made: PruningPlan, refits: list[Refit], weights: NDArray[np.float64]
    ) -> list[Refit]:
        if not made.removed_groups:
            return refits
        cuts = self.attention.cuts(made, self._score_inputs(made.settings), weights)
        return [replace(refit, attention=cut) for refit, cut in zip(refits, cuts, strict=True)]

    def _inputs_json(self, settings: PlanSettings) -> dict[str, Any]:
        uses_networks = SCORES[settings.score].uses_networks
        row = compensation_named(settings.compensation)
        return {
            "fingerprint": self.language_model.fingerprint,
            "recording_id": self.recording.id,
            "decomposition_id": self.atlas.id if self.atlas and uses_networks else "",
            "settings": settings.to_json(),
            **SCORES[settings.score].constants,
            **({"ridge": RIDGE} if row.needs_gram else {}),
            **({"training": asdict(Training())} if row.is_trained else {}),
        }

    def _score_inputs(self, settings: PlanSettings) -> RecordedInputs:
        preserved = settings.preserved
        if preserved is None:
            preserved = tuple(range(self.atlas.n_networks)) if self.atlas else ()
        return RecordedInputs(
            language_model=self.language_model,
            recording=self.recording,
            atlas=self.atlas,
            preserved=preserved,
            seed=settings.seed,
            progress=self.progress,
            cancel=self.cancel,
        )

    def _plan(self, settings: PlanSettings) -> PruningPlan:
        row = SCORES[settings.score]
        inputs = self._score_inputs(settings)
        key = (settings.score, settings.preserved, settings.seed)
        if key not in self._scores:
            self._scores[key] = row.compute(inputs)
        sinks = sink_units(inputs, settings.sink_units)
        pinned_keep, pinned_remove = settings.pins(self.recording.layout)
        sinks &= ~pinned_remove  # the person decides
        choice = choose_units(
            self._scores[key],
            layout=self.recording.layout,
            ratio=settings.ratio,
            allocation=settings.allocation,
            protected=sinks | pinned_keep,
            pinned=pinned_remove,
            multiple=settings.multiple,
            layer_weights=settings.layer_weights,
        )
        groups: tuple[NDArray[np.int64], ...] = ()
        if settings.attention_ratio:
            groups = self.attention.choose(settings, inputs, row.token_weights(inputs))
        return PruningPlan(
            removed=choice.removed,
            removed_groups=groups,
            group_counts=self.language_model.attention.groups.widths if groups else (),
            layout=self.recording.layout,
            settings=settings,
            fingerprint=self.language_model.fingerprint,
            model_name=self.language_model.name,
            recording_id=self.recording.id,
            decomposition_id=self.atlas.id if self.atlas and row.uses_networks else "",
            share_of_parameters=share_of_parameters(
                self.language_model, choice.removed, removed_groups=groups
            ),
            thresholds=choice.thresholds,
            sink_units=tuple(int(u) for u in np.flatnonzero(sinks)),
            preserved=inputs.preserved if row.uses_networks else (),
            n_networks=self.atlas.n_networks if self.atlas else 0,
        )

    def _save(
        self,
        id: str,
        inputs: dict[str, Any],
        made: PruningPlan,
        refits: Sequence[Refit],
        weights: NDArray[np.float64],
    ) -> None:
        effective = float(weights.sum() ** 2 / np.square(weights).sum())
        facts = {
            "model_name": made.model_name,
            "achieved_ratio": made.achieved_ratio,
            "share_of_parameters": made.share_of_parameters,
            "cut_key": cut_key(made, refits),
            **(
                {"achieved_attention_ratio": made.achieved_attention_ratio}
                if made.group_counts
                else {}
            ),
            "tokens_per_unit": effective / max(made.layout.widths),
        }
        with new_folder(self.workspace.folder("plans", id)) as folder:
            write_plan(folder, made, refits)
            write_json(folder / MANIFEST, manifest_of("plans", inputs, facts))


def _needs_training(made: PruningPlan) -> bool:
    is_trained = compensation_named(made.settings.compensation).is_trained
    return is_trained and bool(made.n_removed or made.n_removed_groups)


def share_of_parameters(
    language_model: LanguageModel,
    removed: Sequence[NDArray[np.int64]],
    *,
    removed_groups: Sequence[NDArray[np.int64]] = (),
) -> float:
    """Return the share of all parameters that goes with units and KV groups: columns and rows."""
    gone = parameters_of_groups(language_model, removed_groups)
    for layer, module in enumerate(
        output_projections(language_model.model, language_model.architecture)
    ):
        width = language_model.layout.widths[layer]
        per_unit = module.get_parameter("weight").numel() // width
        for feeding in feeding_modules(language_model.model, language_model.architecture, layer):
            per_unit += sum(p.numel() for p in feeding.parameters()) // width
        gone += per_unit * len(removed[layer])
    return gone / language_model.anatomy().n_parameters


def bias_warning(language_model: LanguageModel, settings: PlanSettings) -> str:
    """Return what to know before Apply of what a plan's exports have no home for, else "".

    A bias of the MLP or of the attention's output, and fewer heads than the config can say.
    """
    architecture = language_model.architecture
    of_attention = attention_warning(language_model, settings)
    if architecture.bias_home != "none" or not uses_bias(
        settings.compensation, intercept=settings.intercept
    ):
        return of_attention
    return (
        f"{architecture.family} models have no bias in their MLP: this plan can be measured, but "
        "not exported in a form that loads anywhere. Use none, or least squares without intercept; "
        "or export it in the per-layer form, which brings its own code."
        f"{' ' if of_attention else ''}{of_attention}"
    )


def recomputed_refits(
    workspace: Workspace, language_model: LanguageModel, made: PruningPlan
) -> list[Refit]:
    """Return the compensation of a plan from elsewhere, for the units that it names."""
    recording = open_recording(workspace, made.recording_id)
    language_model.check_fingerprint(recording.fingerprint, "recording")
    atlas = open_atlas(workspace, made.decomposition_id) if made.decomposition_id else None
    planner = _Planner(workspace, language_model, recording, atlas, ignore, NEVER)
    return next(planner.refits([made], planner.token_weights(made.settings)))
