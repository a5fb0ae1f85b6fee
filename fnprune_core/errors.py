"""Exceptions that a user can act on: what came, what was expected, what to do."""

from typing import Any


class FnpruneError(Exception):
    """An error with a message for the person and a hint of what to do next.

    Parameters
    ----------
    message : str
        What happened, with the offending value.
    hint : str, optional
        The next step.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return message and hint as one line."""
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        """Tell pickle how an error of another process is made again, whatever it takes."""
        return _error_again, (type(self), self.args, self.__dict__.copy())


def _error_again(
    kind: type[FnpruneError], args: tuple[Any, ...], attributes: dict[str, Any]
) -> FnpruneError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ModelNotFoundError(FnpruneError):
    """No model at the given id, folder or file, or no permission to fetch it."""


class UnsupportedArchitectureError(FnpruneError):
    """No units were found in a model that can be cut, or it is stored in a way that forbids it."""


class SettingsError(FnpruneError, ValueError):
    """An argument is out of its range."""


class TextError(FnpruneError, ValueError):
    """A text is missing, empty, too short or not text."""


class TooFewTokensError(FnpruneError, ValueError):
    """There are fewer tokens than the decomposition or refit needs."""


class NonFiniteError(FnpruneError, ValueError):
    """A recorded signal contains NaN or infinity."""


class SignalsNotKeptError(FnpruneError, ValueError):
    """A recording keeps a summary, and what is asked needs the signals themselves."""


class RatioError(SettingsError):
    """The pruning ratio cannot be met."""


class PlanError(FnpruneError, ValueError):
    """A plan is malformed or cannot be applied."""


class FingerprintMismatchError(PlanError):
    """An artifact belongs to another model."""


class NetworksMovedError(FnpruneError, ValueError):
    """Numbers of networks mean other networks in the atlas that is here.

    Parameters
    ----------
    can_match : bool
        Whether every network was found again by its map, so that a match can be asked for.
    """

    def __init__(self, message: str, *, hint: str = "", can_match: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.can_match = can_match


class SchedulerError(FnpruneError):
    """No scheduler or worker takes the work."""


class OverlapError(FnpruneError, ValueError):
    """Calibration and evaluation text share passages."""


class StorageError(FnpruneError):
    """The workspace cannot be read or written."""


class CorruptArtifactError(StorageError):
    """A stored artifact is damaged, or of an unknown schema version."""


class ArtifactNotFoundError(StorageError):
    """No artifact of that kind and id in the workspace."""


class NotConvergedWarning(UserWarning):
    """Some ICA runs stopped at the iteration limit."""
