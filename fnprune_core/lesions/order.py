"""What a lesion study is asked for: its lesions, and how long they take."""

from collections.abc import Sequence
from dataclasses import dataclass

from fnprune_core.errors import SettingsError
from fnprune_core.lesions.sites import Lesion, LesionSettings, Stimuli
from fnprune_core.models.language_model import LanguageModel

MOST_LESIONS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionOrder:
    """Order for a lesion study: the lesions to make.

    Parameters
    ----------
    decomposition_id : str
    lesions : tuple of Lesion
        Row by row; without repetition.
    settings : LesionSettings
    """

    decomposition_id: str
    lesions: tuple[Lesion, ...]
    settings: LesionSettings = LesionSettings()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        object.__setattr__(self, "lesions", tuple(dict.fromkeys(self.lesions)))
        if len(self.lesions) > MOST_LESIONS:
            raise SettingsError(
                f"These are {len(self.lesions):,} lesions, at most {MOST_LESIONS:,} are made.",
                hint="Choose fewer networks or strengths.",
            )
        if not self.lesions:
            raise SettingsError(
                "No network was chosen, so there is no lesion to make.",
                hint="Choose at least one network, or silence each in turn.",
            )


def graded(networks: Sequence[int], strengths: Sequence[float]) -> tuple[Lesion, ...]:
    """Return lesions of one set of networks at several strengths."""
    return tuple(
        Lesion(networks=tuple(networks), strength=strength) for strength in sorted(set(strengths))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionEstimate:
    """Readings, tokens and seconds that a study takes."""

    n_readings: int
    n_tokens: int
    seconds: float


def estimate_lesions(
    language_model: LanguageModel, stimuli: Stimuli, order: LesionOrder
) -> LesionEstimate:
    """Return the most that a study will take."""
    windows = stimuli.windows
    n_readings = 1 + len(order.lesions) * (1 + order.settings.n_random)
    per_token = language_model.seconds_per_token("reading")
    return LesionEstimate(
        n_readings=n_readings,
        n_tokens=windows.n_tokens,
        seconds=per_token * windows.n_tokens * n_readings,
    )
