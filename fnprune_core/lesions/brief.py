"""Lesions that take seconds, for teaching: a few short texts, each read by the changed model.

No standard error can come from one text of a kind: a demonstration. `lesions` measures.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.allocation import choose_units
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import Recording
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import score_named, sink_units
from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

WINDOW = 160
N_RANDOM = 2
_N_SINKS = 4
HEALTHY, LESION, RANDOM = "healthy", "lesion", "random lesion"
#: Rules by which a share of units goes, as the lesson names them → the score.
RULES: Mapping[str, str] = {
    "random": "random",
    "weights": "magnitude",
    "activity": "flap",
    "membership": "network-membership",
}

Losses = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LesionDemonstration:
    """A model, its atlas and recording, and the short texts that it reads.

    Raises `FingerprintMismatchError` if the atlas is of another model.
    """

    language_model: LanguageModel
    atlas: NetworkAtlas
    recording: Recording
    documents: Sequence[Document]

    def __post_init__(self) -> None:
        fingerprint = self.atlas.decomposition.fingerprint
        self.language_model.check_fingerprint(fingerprint, "atlas")

    @property
    def spared(self) -> NDArray[np.bool_]:
        """Units that serve attention sinks: controls and rules leave them alone."""
        return sink_units(self.inputs(0), _N_SINKS)

    def inputs(self, seed: int) -> RecordedInputs:
        """Return the inputs of scores, with every network preserved."""
        return RecordedInputs(
            language_model=self.language_model,
            recording=self.recording,
            atlas=self.atlas,
            preserved=tuple(range(self.atlas.n_networks)),
            seed=seed,
        )


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


def _losses_by_condition(
    patient: LesionDemonstration,
    conditions: dict[str, NDArray[np.bool_] | None],
    progress: Progress,
    cancel: CancelToken,
) -> Losses:
    """Return the losses of each condition; each keeps some units, or is the healthy model."""
    language_model = patient.language_model
    windows = short_windows(language_model, patient.documents)
    losses: Losses = {}
    for done, (name, keep) in enumerate(conditions.items()):
        progress(
            ProgressEvent(stage="reading", done=done, total=len(conditions), unit="conditions")
        )
        removed = None if keep is None else language_model.layout.removed_of(keep)
        losses[name] = _losses(language_model, windows, removed, cancel)
    progress(
        ProgressEvent(
            stage="reading", done=len(conditions), total=len(conditions), unit="conditions"
        )
    )
    return losses


def random_like(
    keep: NDArray[np.bool_],
    atlas: NetworkAtlas,
    spared: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Return units to keep such that as many of each layer go, at random, none of those spared."""
    random_keep = np.ones(len(keep), dtype=bool)
    for layer in range(atlas.layout.n_layers):
        units = atlas.layout.layer_slice(layer)
        free = np.flatnonzero(~spared[units]) + units.start
        n_removed = min(int((~keep[units]).sum()), len(free))
        random_keep[rng.choice(free, size=n_removed, replace=False)] = False
    return random_keep


def lesion(
    patient: LesionDemonstration,
    network: int,
    *,
    z: float = 3.0,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Losses:
    """Return nats per token by domain: healthy, one network silenced, and as many at random.

    Sink units are spared in the random lesions, whose mean is returned: to hit one by chance
    would tell of nothing else.

    Raises
    ------
    SettingsError
        If the network has no unit beyond the threshold.
    """
    atlas = patient.atlas
    members = atlas.members(network, z=z)
    if not len(members):
        raise SettingsError(
            f"Network {network} has no unit with |z| above {z:g}.", hint="Choose another one."
        )
    keep = np.ones(atlas.layout.n_units, dtype=bool)
    keep[members] = False
    spared, rng = patient.spared, np.random.default_rng(seed)
    conditions: dict[str, NDArray[np.bool_] | None] = {HEALTHY: None, LESION: keep}
    for draw in range(N_RANDOM):
        conditions[f"{RANDOM} {draw}"] = random_like(keep, atlas, spared, rng)
    losses = _losses_by_condition(patient, conditions, progress, cancel)
    random_losses = [losses.pop(f"{RANDOM} {draw}") for draw in range(N_RANDOM)]
    losses[RANDOM] = {
        name: float(np.mean([draw_losses[name] for draw_losses in random_losses]))
        for name in random_losses[0]
    }
    return losses


def prune_by_rules(
    patient: LesionDemonstration,
    *,
    ratio: float = 0.2,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Losses:
    """Return nats per token by domain: healthy, and with a share of each layer silenced by rules.

    Sink units stay under every rule. Nothing is compensated.
    """
    atlas, spared = patient.atlas, patient.spared
    inputs = patient.inputs(seed)
    conditions: dict[str, NDArray[np.bool_] | None] = {HEALTHY: None}
    for name, score in RULES.items():
        choice = choose_units(
            score_named(score).compute(inputs),
            layout=atlas.layout,
            ratio=ratio,
            allocation="uniform",
            protected=spared,
        )
        conditions[name] = atlas.layout.keep_of(choice.removed)
    return _losses_by_condition(patient, conditions, progress, cancel)


def changes(condition_losses: Losses) -> Losses:
    """Return by how much each condition's loss is above the healthy model's: nats per token."""
    healthy = condition_losses[HEALTHY]
    return {
        name: {domain: loss - healthy[domain] for domain, loss in losses.items()}
        for name, losses in condition_losses.items()
        if name != HEALTHY
    }
