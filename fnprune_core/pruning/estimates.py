"""Estimates of the seconds and memory of plans and of their comparison, before they start."""

from collections.abc import Sequence
from dataclasses import dataclass

from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.pace import FACTORS
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.compensation import compensation_named
from fnprune_core.pruning.reconstruction import Training, split_sessions
from fnprune_core.texts.windows import Windows

#: A step reads a session by the dense model and by the pruned one, and goes back through it; in
#: passes of the dense model, as measured on the embedded one (bfloat16, CPU).
FORWARDS_A_STEP, FORWARDS_A_CHECK = FACTORS["training"], 2.5
#: Of the MLPs in float32: gradients, Adam's two moments, and the best weights so far.
_COPIES_OF_MLPS = 4
_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEstimate:
    """Seconds and memory that training takes.

    Parameters
    ----------
    n_plans : int
        Plans that are trained, one after the other.
    seconds_each : float
        Of one of them.
    memory_bytes : int
        Beside the model in memory, at its peak; the same for one plan and for many.
    """

    n_plans: int
    seconds_each: float
    memory_bytes: int

    @property
    def seconds(self) -> float:
        """Seconds of all plans together."""
        return self.n_plans * self.seconds_each


def is_trained(settings: PlanSettings) -> bool:
    """Whether a plan's compensation trains: not where nothing goes."""
    removes_any = bool(settings.ratio or settings.attention_ratio or settings.pinned_remove)
    return removes_any and compensation_named(settings.compensation).is_trained


def estimate_training(
    language_model: LanguageModel,
    windows: Windows,
    plans: Sequence[PlanSettings],
    *,
    token_s: float | None = None,
    training: Training | None = None,
) -> TrainingEstimate:
    """Return what training plans on a calibration text takes; plans not trained cost nothing.

    Parameters
    ----------
    windows : Windows
        The calibration text.
    token_s : float, optional
        Seconds of the dense model for a token; if not given, as training took them here, or else
        as the model's pace lets expect.
    """
    training = training or Training()
    if token_s is None:
        token_s = language_model.seconds_per_token("training") / FORWARDS_A_STEP
    trained = [settings for settings in plans if is_trained(settings)]
    training_sessions, held_out = split_sessions(windows, training.held_out)
    per_session = token_s * windows.n_tokens / windows.n_windows
    forwards = FORWARDS_A_STEP * training.n_passes * len(training_sessions)
    forwards += FORWARDS_A_CHECK * (training.n_passes + 1) * len(held_out)
    anatomy = language_model.anatomy()
    kept = 1 - min((settings.ratio for settings in trained), default=0.0)
    mlps = anatomy.n_mlp_parameters
    parameters = anatomy.n_parameters - (1 - kept) * mlps + _COPIES_OF_MLPS * kept * mlps
    return TrainingEstimate(
        n_plans=len(trained),
        seconds_each=per_session * forwards if trained else 0.0,
        memory_bytes=round(_BYTES * parameters) + _activation_bytes(language_model, windows.window),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonEstimate:
    """Seconds that making plans and measuring them takes, by phase.

    Parameters
    ----------
    own, rivals : float
        To make the plan itself, and those beside it.
    reading : float
        To read the held-out text by all models.
    window : float
        To read one window by one model.
    writing : float
        To write the samples by which the plan is judged.
    """

    own: float
    rivals: float
    reading: float
    window: float
    writing: float

    @property
    def first_seconds(self) -> float:
        """Seconds until the plan has read its first window."""
        return self.own + min(self.window, self.reading)

    @property
    def seconds(self) -> float:
        """Seconds of all phases together."""
        return self.own + self.rivals + self.reading + self.writing


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonLeft:
    """What a comparison still has to do.

    Parameters
    ----------
    own, rivals : sequence of PlanSettings
        Plans that are to be made.
    n_tokens : int
        Tokens that are to be read, by all models together.
    n_written : int
        Tokens that are to be written, by the dense model and the plan together.
    """

    own: Sequence[PlanSettings] = ()
    rivals: Sequence[PlanSettings] = ()
    n_tokens: int = 0
    n_written: int = 0

    def estimate(self, language_model: LanguageModel, calibration: Windows) -> ComparisonEstimate:
        """Return what it takes, as such work took here, or as the model's pace lets expect.

        Parameters
        ----------
        calibration : Windows
            Of the recording.
        """
        token_s = language_model.seconds_per_token
        own, rivals = (
            token_s("planning") * calibration.n_tokens * len(plans)
            + estimate_training(language_model, calibration, plans).seconds
            for plans in (self.own, self.rivals)
        )
        return ComparisonEstimate(
            own=own,
            rivals=rivals,
            reading=token_s("reading") * self.n_tokens,
            window=token_s("reading") * calibration.window,
            writing=token_s("writing") * self.n_written,
        )


def _activation_bytes(language_model: LanguageModel, n_tokens: int) -> int:
    """Return the bytes of one session's pass: both models' logits, their gradient, and signals."""
    anatomy = language_model.anatomy()
    logits = 4 * anatomy.vocabulary_size
    signals = 4 * anatomy.n_units + 12 * anatomy.n_layers * anatomy.hidden_size
    return _BYTES * n_tokens * (logits + signals)
