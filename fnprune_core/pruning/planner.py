"""Making of plans from a score, an allocation and a compensation."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.errors import PlanError
from fnprune_core.machine import memory
from fnprune_core.models.architectures import feeding_modules, output_projections
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.projections import n_parameters, n_values
from fnprune_core.models.silencing import Refit
from fnprune_core.plans.allocation import allocation_named
from fnprune_core.plans.choice import choose_units
from fnprune_core.plans.files import store_plan
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.compensation import Cut, compensate, compensation_named, uses_bias
from fnprune_core.pruning.head_planner import (
    AttentionPlanner,
    attention_warning,
    parameters_of_groups,
)
from fnprune_core.pruning.pruned_bias import pruned_bias
from fnprune_core.pruning.reconstruction import Training, reconstruct
from fnprune_core.recording.recording import open_recording
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import SCORES, score_named, sink_units
from fnprune_core.storage.manifests import artifact_id
from fnprune_core.storage.workspace import Workspace


def canonical_settings(settings: PlanSettings, *, n_networks: int | None = None) -> PlanSettings:
    """Return the settings with what the score fixes or ignores, so that equal plans are equal.

    Parameters
    ----------
    n_networks : int, optional
        Of the atlas: a full list of networks becomes "all networks".
    """
    score = score_named(settings.score)
    changes: dict[str, Any] = {
        **score.fixes,
        "score_version": score.version,
        **({"preserved": None} if not score.uses_networks else {}),
        **({"seed": 0} if not score.is_drawn else {}),
    }
    settings = settings.with_(**changes)
    if settings.sink_units is None:
        settings = settings.with_(sink_units=score.sink_units)
    if not allocation_named(settings.allocation).takes_weights:
        settings = settings.with_(layer_weights=())
    if not compensation_named(settings.compensation).takes_intercept:
        settings = settings.with_(intercept=False)
    if settings.preserved is not None and len(settings.preserved) == n_networks:
        settings = settings.with_(preserved=None)
    return settings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptScores:
    """Scores that were computed, for callers who make plans in several calls: some take minutes."""

    by_key: dict[Any, NDArray[np.float64]] = field(default_factory=dict)


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


@memory.kept()
def plans(  # noqa: PLR0913 - what a plan is made of, and what reports of it
    workspace: Workspace,
    language_model: LanguageModel,
    *,
    recording_id: str,
    decomposition_id: str | None = None,
    settings: Sequence[PlanSettings],
    kept: KeptScores | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> list[str]:
    """Make several plans at once: those that weigh tokens alike share one pass for their refits.

    Parameters
    ----------
    kept : KeptScores, optional
        Scores of earlier calls, to which those computed here are added.

    Raises
    ------
    RatioError
        If a ratio cannot be met, saying the most that can.
    FingerprintMismatchError
        If the recording is of another model.
    """
    planner = _Planner(
        workspace, language_model, recording_id, decomposition_id,
        kept=kept, progress=progress, cancel=cancel,
    )  # fmt: skip
    return planner.make([planner.canonical(each) for each in settings])


def made(
    workspace: Workspace,
    language_model: LanguageModel,
    *,
    recording_id: str,
    decomposition_id: str | None = None,
    settings: Sequence[PlanSettings],
) -> list[str | None]:
    """Return the ids of the plans that were made before; None for those that were not."""
    planner = _Planner(workspace, language_model, recording_id, decomposition_id)
    inputs = [planner.inputs_json(planner.canonical(each)) for each in settings]
    ids = [artifact_id("plans", plan_inputs) for plan_inputs in inputs]
    return [id if workspace.has("plans", id) else None for id in ids]


def scores_of(
    workspace: Workspace,
    language_model: LanguageModel,
    *,
    recording_id: str,
    score: str,
    kept: KeptScores | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64]:
    """Return the score of every unit by a score that knows no atlas: (n_units,)."""
    planner = _Planner(
        workspace, language_model, recording_id, kept=kept, progress=progress, cancel=cancel
    )
    return planner.scores(canonical_settings(PlanSettings(score=score)))


class _Planner:
    """Makes plans for one recording of a model, sharing scores and calibration passes."""

    def __init__(
        self,
        workspace: Workspace,
        language_model: LanguageModel,
        recording_id: str,
        decomposition_id: str | None = None,
        *,
        kept: KeptScores | None = None,
        progress: Progress = ignore,
        cancel: CancelToken = NEVER,
    ) -> None:
        self.workspace, self.language_model = workspace, language_model
        self.recording = open_recording(workspace, recording_id)
        language_model.check_fingerprint(self.recording.fingerprint, "recording")
        self.atlas = None if decomposition_id is None else open_atlas(workspace, decomposition_id)
        if self.atlas is not None and self.atlas.decomposition.recording_id != self.recording.id:
            raise PlanError(
                f"Decomposition {self.atlas.id} was made from recording "
                f"{self.atlas.decomposition.recording_id}, not {self.recording.id}.",
                hint="Choose a decomposition of this recording.",
            )
        self.kept, self.progress, self.cancel = kept or KeptScores(), progress, cancel
        self.attention = AttentionPlanner(language_model=language_model)

    def canonical(self, settings: PlanSettings) -> PlanSettings:
        """Return the settings as they are stored, their networks checked."""
        if self.atlas is None:
            return canonical_settings(settings)
        for network in canonical_settings(settings).preserved or ():
            self.atlas.check_network(network)
        return canonical_settings(settings, n_networks=self.atlas.n_networks)

    def make(self, all_settings: Sequence[PlanSettings]) -> list[str]:
        """Return the ids of the plans, making those that are missing.

        Each: its units are ranked and those that go chosen, what stays is refitted, and it is
        saved. Plans that weigh tokens alike share the pass over the recording.
        """
        inputs = [self.inputs_json(settings) for settings in all_settings]
        ids = [artifact_id("plans", plan_inputs) for plan_inputs in inputs]
        start = time.perf_counter()
        missing = {id: i for i, id in enumerate(ids) if not self.workspace.has("plans", id)}
        new_plans = {i: self.choose(all_settings[i]) for i in missing.values()}
        alike: dict[bytes, list[int]] = {}
        for i in new_plans:
            alike.setdefault(self.token_weights(all_settings[i]).tobytes(), []).append(i)
        n_to_train = sum(map(_needs_training, new_plans.values()))
        training = _TrainingProgress(progress=self.progress, n_plans=n_to_train)
        for key, members in alike.items():
            weights = np.frombuffer(key)
            # Each plan is saved before the next is trained, so that a stop loses no trained one.
            refits = self.refits([new_plans[i] for i in members], weights, training)
            for i, plan_refits in zip(members, refits, strict=True):
                self._save(ids[i], inputs[i], new_plans[i], plan_refits, weights)
        if not n_to_train:
            n_tokens = len(new_plans) * self.recording.n_tokens
            self.language_model.pace.note("planning", n_tokens, time.perf_counter() - start)
        return ids

    def token_weights(self, settings: PlanSettings) -> NDArray[np.float64]:
        """Return how much each token counts in a plan's score and compensation: (n_tokens,)."""
        score = score_named(settings.score)
        return score.token_weights(self._score_inputs(settings), version=settings.score_version)

    def refits(
        self,
        new_plans: Sequence[PruningPlan],
        weights: NDArray[np.float64],
        training: "_TrainingProgress",
    ) -> Iterator[list[Refit]]:
        """Yield the compensation of each plan: one pass over the recording, then training."""
        model, windows = self.language_model, self.recording.windows
        watched: dict[str, Any] = {"progress": self.progress, "cancel": self.cancel}
        cuts = [
            Cut(
                removed=each.removed,
                compensation=each.settings.compensation,
                intercept=each.settings.intercept,
            )
            for each in new_plans
        ]
        all_refits = compensate(model, self.recording, cuts, weights=weights, **watched)
        for each, refits in zip(new_plans, all_refits, strict=True):
            if compensation_named(each.settings.compensation).reads_pruned:
                refits = pruned_bias(model, each.removed, windows, **watched)
            if each.removed_groups:
                heads = self.attention.cuts(each, self._score_inputs(each.settings), weights)
                refits = [replace(r, attention=h) for r, h in zip(refits, heads, strict=True)]
            if _needs_training(each):
                refits = reconstruct(
                    model, each, refits, windows, weights=weights,
                    progress=training.report, cancel=self.cancel,
                )  # fmt: skip
                training.n_done += 1
            yield refits

    def inputs_json(self, settings: PlanSettings) -> dict[str, Any]:
        """Return what a plan is made of; its id follows from that."""
        uses_networks = SCORES[settings.score].uses_networks
        compensation = compensation_named(settings.compensation)
        return {
            "fingerprint": self.language_model.fingerprint,
            "recording_id": self.recording.id,
            "decomposition_id": self.atlas.id if self.atlas and uses_networks else "",
            "settings": settings.to_json(),
            **SCORES[settings.score].constants,
            **compensation.constants,
            **({"training": asdict(Training())} if compensation.is_trained else {}),
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

    def scores(self, settings: PlanSettings) -> NDArray[np.float64]:
        """Return the score of every unit, computed once for plans that differ elsewhere."""
        score = SCORES[settings.score]
        atlas_id = self.atlas.id if self.atlas and score.uses_networks else ""
        key = (
            self.recording.id, atlas_id, score.formula, score.weighting,
            settings.preserved, settings.seed,
        )  # fmt: skip
        by_key = self.kept.by_key
        if key not in by_key:
            by_key[key] = score.compute(self._score_inputs(settings))
        return by_key[key]

    def choose(self, settings: PlanSettings) -> PruningPlan:
        """Rank the units by the plan's score, and return the plan of those that go."""
        score = SCORES[settings.score]
        inputs = self._score_inputs(settings)
        layout = self.recording.layout
        sinks = sink_units(inputs, settings.sink_units or 0)
        sinks &= ~settings.pins(layout)[1]  # the person decides
        choice = choose_units(self.scores(settings), settings, layout=layout, sinks=sinks)
        groups: tuple[NDArray[np.int64], ...] = ()
        if settings.attention_ratio:
            groups = self.attention.choose(settings, inputs, score.token_weights(inputs))
        return PruningPlan(
            removed=choice.removed,
            removed_groups=groups,
            group_counts=self.language_model.attention.groups.widths if groups else (),
            layout=layout,
            settings=settings,
            fingerprint=self.language_model.fingerprint,
            model_name=self.language_model.name,
            recording_id=self.recording.id,
            decomposition_id=self.atlas.id if self.atlas and score.uses_networks else "",
            share_of_parameters=share_of_parameters(
                self.language_model, choice.removed, removed_groups=groups
            ),
            thresholds=choice.thresholds,
            sink_units=tuple(int(u) for u in np.flatnonzero(sinks)),
            preserved=inputs.preserved if score.uses_networks else (),
            n_networks=self.atlas.n_networks if self.atlas else 0,
            maps_fingerprint=self.atlas.maps_fingerprint
            if self.atlas and score.uses_networks
            else None,
        )

    def _save(
        self,
        id: str,
        inputs: dict[str, Any],
        new_plan: PruningPlan,
        refits: Sequence[Refit],
        weights: NDArray[np.float64],
    ) -> None:
        effective_tokens = float(weights.sum() ** 2 / np.square(weights).sum())
        facts = {"tokens_per_unit": effective_tokens / max(new_plan.layout.widths)}
        if new_plan.group_counts:
            facts["achieved_attention_ratio"] = new_plan.achieved_attention_ratio
        store_plan(self.workspace, id, new_plan, refits, inputs=inputs, facts=facts)


@dataclass(slots=True, kw_only=True)
class _TrainingProgress:
    """Progress of one plan's training, told as a part of the training of all plans."""

    progress: Progress
    n_plans: int
    n_done: int = 0

    def report(self, event: ProgressEvent) -> None:
        done = self.n_done * event.total + event.done
        self.progress(replace(event, done=done, total=self.n_plans * event.total))


def _needs_training(new_plan: PruningPlan) -> bool:
    is_trained = compensation_named(new_plan.settings.compensation).is_trained
    return is_trained and bool(new_plan.n_removed or new_plan.n_removed_groups)


def share_of_parameters(
    language_model: LanguageModel,
    removed: Sequence[NDArray[np.int64]],
    *,
    removed_groups: Sequence[NDArray[np.int64]] = (),
) -> float:
    """Return the share of all parameters that goes with units and KV groups: columns and rows."""
    n_removed = parameters_of_groups(language_model, removed_groups)
    for layer, module in enumerate(
        output_projections(language_model.model, language_model.architecture)
    ):
        width = language_model.layout.widths[layer]
        per_unit = n_values(module) // width
        for feeding in feeding_modules(language_model.model, language_model.architecture, layer):
            per_unit += n_parameters(feeding) // width
        n_removed += per_unit * len(removed[layer])
    return n_removed / language_model.anatomy().n_parameters


def bias_warning(language_model: LanguageModel, settings: PlanSettings) -> str:
    """Return a warning of what exports cannot hold of a plan, or an empty string.

    A bias of the MLP or of the attention's output, and fewer heads than the config can say.
    """
    settings = canonical_settings(settings)
    architecture = language_model.architecture
    attention_sentences = attention_warning(language_model, settings)
    if architecture.bias_home != "none" or not uses_bias(
        settings.compensation, intercept=settings.intercept
    ):
        return attention_sentences
    return (
        f"{architecture.family} models have no bias in their MLP: this plan can be measured, but "
        "not exported in a form that loads anywhere. Use none, or least squares without intercept; "
        "or export it in the per-layer form, which brings its own code."
        f"{' ' if attention_sentences else ''}{attention_sentences}"
    )


def recomputed_refits(
    workspace: Workspace, language_model: LanguageModel, imported: PruningPlan
) -> list[Refit]:
    """Return the compensation of a plan from elsewhere, for the units that it names."""
    planner = _Planner(
        workspace, language_model, imported.recording_id, imported.decomposition_id or None
    )
    training = _TrainingProgress(progress=ignore, n_plans=1)
    weights = planner.token_weights(imported.settings)
    return next(planner.refits([imported], weights, training))
