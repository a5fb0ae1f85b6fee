"""Lesions that take seconds, for teaching: a few short texts, each read by the changed model.

No standard error can come from one text of a kind: a demonstration. `lesions` measures.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.lesions.sites import LesionSettings, LesionSites
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.choice import choose_units
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import Recording
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import score_named
from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

WINDOW = 160
N_RANDOM = 2
HEALTHY, LESION, RANDOM = "healthy", "lesion", "random lesion"
#: Rules by which a share of units goes, as the lesson names them → the score.
RULES: Mapping[str, str] = {
    "random": "random",
    "weights": "magnitude",
    "activity": "flap",
    "membership": "network-membership",
}

Losses = dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True, eq=False)
class LesionDemonstration:
    """A model, its atlas and recording, and the short texts that it reads.

    Raises `FingerprintMismatchError` if the atlas is of another model.

    Parameters
    ----------
    settings : LesionSettings
        Which units lesions and rules take, as on the page of lesions.
    """

    language_model: LanguageModel
    atlas: NetworkAtlas
    recording: Recording
    documents: Sequence[Document]
    settings: LesionSettings = LesionSettings(n_random=N_RANDOM)  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        fingerprint = self.atlas.decomposition.fingerprint
        self.language_model.check_fingerprint(fingerprint, "atlas")

    @cached_property
    def sites(self) -> LesionSites:
        """The units of lesions, and of random lesions that match them."""
        return LesionSites(self.atlas, self.recording, self.language_model, settings=self.settings)

    def inputs(self, seed: int) -> RecordedInputs:
        """Return the inputs of scores, with every network preserved."""
        return RecordedInputs(
            language_model=self.language_model,
            recording=self.recording,
            atlas=self.atlas,
            preserved=tuple(range(self.atlas.n_networks)),
            seed=seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefResult:
    """What a demonstration found.

    Parameters
    ----------
    losses : mapping
        Nats per token by condition and domain.
    n_units : mapping
        Silenced units by condition.
    """

    losses: Losses
    n_units: Mapping[str, int]

    def changes(self) -> Losses:
        """Return by how much each condition's loss is above the healthy model's."""
        healthy = self.losses[HEALTHY]
        return {
            name: {domain: loss - healthy[domain] for domain, loss in losses.items()}
            for name, losses in self.losses.items()
            if name != HEALTHY
        }


def short_windows(language_model: LanguageModel, documents: Sequence[Document]) -> Windows:
    """Return short texts as windows, one each; several where the model reads less at once."""
    window = min(WINDOW, language_model.context_size or WINDOW)
    return cut_windows(
        documents, language_model.tokenizer, window=window, n_dummy_tokens=0, allow_short=True
    )


def _losses(
    language_model: LanguageModel,
    windows: Windows,
    removed: Sequence[NDArray[np.int64]] | None,
    cancel: CancelToken,
) -> dict[str, float]:
    """Return nats per token of each domain, with units silenced or none."""

    def context() -> AbstractContextManager[object]:
        if removed is None:
            lock: AbstractContextManager[object] = language_model.lock
            return lock
        return silenced(language_model, removed)

    result = perplexity(language_model.model, windows, context=context, cancel=cancel)
    return {name: domain_result.mean_nll for name, domain_result in result.by_domain().items()}


def _by_condition(
    patient: LesionDemonstration,
    conditions: Mapping[str, NDArray[np.bool_]],
    progress: Progress,
    cancel: CancelToken,
) -> BriefResult:
    """Return the losses of the healthy model, and of each condition with its units silenced."""
    language_model = patient.language_model
    windows = short_windows(language_model, patient.documents)
    losses: Losses = {}
    for done, (name, units) in enumerate({HEALTHY: None, **conditions}.items()):
        progress(
            ProgressEvent(stage="reading", done=done, total=len(conditions) + 1, unit="conditions")
        )
        removed = None if units is None else language_model.layout.removed_of(~units)
        losses[name] = _losses(language_model, windows, removed, cancel)
    total = len(conditions) + 1
    progress(ProgressEvent(stage="reading", done=total, total=total, unit="conditions"))
    return BriefResult(
        losses=losses, n_units={name: int(units.sum()) for name, units in conditions.items()}
    )


def lesion(
    patient: LesionDemonstration,
    network: int,
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> BriefResult:
    """Return nats per token by domain: healthy, one network silenced, and as many at random.

    The units are those of a lesion study, the random lesions those that match it there; of these
    the mean is returned.

    Raises
    ------
    SettingsError
        As `LesionSites.members` and `LesionSites.random`.
    """
    sites, draws = patient.sites, range(patient.settings.n_random)
    names = [f"{RANDOM} {draw}" for draw in draws]
    conditions = {LESION: sites.members((network,))} | {
        name: sites.random((network,), draw) for name, draw in zip(names, draws, strict=True)
    }
    found = _by_condition(patient, conditions, progress, cancel)
    mean = {
        domain: float(np.mean([found.losses[name][domain] for name in names]))
        for domain in found.losses[HEALTHY]
    }
    return BriefResult(
        losses={name: found.losses[name] for name in (HEALTHY, LESION)} | {RANDOM: mean},
        n_units={LESION: found.n_units[LESION], RANDOM: found.n_units[names[0]]},
    )


def prune_by_rules(
    patient: LesionDemonstration,
    *,
    ratio: float = 0.2,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> BriefResult:
    """Return nats per token by domain: healthy, and with a share of each layer silenced by rules.

    Sink units stay under every rule. Nothing is compensated.
    """
    layout, inputs = patient.atlas.layout, patient.inputs(seed)
    settings = PlanSettings(ratio=ratio, allocation="uniform")
    conditions: dict[str, NDArray[np.bool_]] = {}
    for name, score in RULES.items():
        scores = score_named(score).compute(inputs)
        choice = choose_units(scores, settings, layout=layout, sinks=patient.sites.spared)
        conditions[name] = ~layout.keep_of(choice.removed)
    return _by_condition(patient, conditions, progress, cancel)
