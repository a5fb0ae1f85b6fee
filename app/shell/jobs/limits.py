"""How many jobs a server takes."""

from collections.abc import Mapping
from dataclasses import dataclass

from fnprune_core.errors import FnpruneError, SettingsError

_MAX_JOBS_OF_A_VISIT, _MAX_JOBS = 8, 64


class TooManyJobsError(FnpruneError):
    """A job is refused because too many run or wait already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """How many jobs may run or wait at once, of one visit and of all.

    ``FNPRUNE_MAX_JOBS_PER_VISIT`` and ``FNPRUNE_MAX_JOBS`` set them.
    """

    of_a_visit: int = _MAX_JOBS_OF_A_VISIT
    of_all: int = _MAX_JOBS

    @classmethod
    def configured(cls, environment: Mapping[str, str]) -> "JobLimits":
        """Return the limits of the environment; raises `SettingsError` for a wrong one."""
        return cls(
            of_a_visit=_limit(environment, "FNPRUNE_MAX_JOBS_PER_VISIT", _MAX_JOBS_OF_A_VISIT),
            of_all=_limit(environment, "FNPRUNE_MAX_JOBS", _MAX_JOBS),
        )

    def check(self, n_own: int, n_all: int) -> None:
        """Raise `TooManyJobsError` if one more job of a visit is one too many."""
        if n_own >= self.of_a_visit:
            raise TooManyJobsError(
                f"{n_own} of your jobs run or wait already, as many as one visit may have.",
                hint="Stop one, or wait until one has ended. `FNPRUNE_MAX_JOBS_PER_VISIT` sets "
                "the limit.",
            )
        if n_all >= self.of_all:
            raise TooManyJobsError(
                f"{n_all} jobs run or wait on this server already, which is as many as it takes.",
                hint="Try again once some have ended. `FNPRUNE_MAX_JOBS` sets the limit.",
            )


def _limit(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text)):
        raise SettingsError(
            f"{name} is {text!r}, expected a whole number from 1 to 999999.",
            hint=f"Set it, or unset it for {default}.",
        )
    return int(text)
