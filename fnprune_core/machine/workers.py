"""Independent pieces of work: one after another in this process, or spread over workers by joblib.

What surrounds a call decides: without `joblib.parallel_config` nothing leaves this process. With
it, or inside `scheduled`, pieces go to processes of this machine or to a Dask cluster, which sends
what a lost worker had to another one. Results are the same wherever they come from.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import joblib
from joblib.parallel import get_active_backend

from fnprune_core.errors import SchedulerError
from fnprune_core.progress import NEVER, CancelToken

if TYPE_CHECKING:
    from fnprune_core.models.language_model import LanguageModel

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 4  # tasks made for each worker at a time: they may be large


def n_workers() -> int:
    """Return how many workers there are; 1 for this process alone."""
    backend, n_jobs = get_active_backend()
    n_wanted = backend.default_n_jobs if n_jobs is None else n_jobs  # as `Parallel` takes it
    return max(int(backend.effective_n_jobs(n_wanted)), 1)


def is_spread() -> bool:
    """Whether work goes to other workers."""
    return n_workers() > 1


def each(
    function: Callable[[Task], Result], tasks: Sequence[Task], *, cancel: CancelToken = NEVER
) -> Iterator[tuple[int, Result]]:
    """Yield the number and the result of each task, as they come.

    Parameters
    ----------
    function : callable
        A function of a module, which workers import by its name; asked with one task.
    tasks : sequence
        Each is sent to a worker: plain data.

    Raises
    ------
    FnpruneError
        What a task raised; those that run are not waited for.
    """
    if not is_spread():
        for number, task in enumerate(tasks):
            cancel.raise_if_cancelled()
            yield number, function(task)
        return
    work = (joblib.delayed(_numbered)(function, number, task) for number, task in enumerate(tasks))
    results = joblib.Parallel(return_as="generator_unordered", batch_size=1)(work)
    try:
        for number, result in results:
            yield number, result
            cancel.raise_if_cancelled()
    finally:
        results.close()


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, cancel: CancelToken = NEVER
) -> Iterator[Result]:
    """Yield the results of tasks in the order of these.

    Parameters
    ----------
    tasks : iterable
        Each is made when its turn comes; a few for each worker are there at a time.
    """
    coming = iter(tasks)
    while together := list(islice(coming, _AHEAD * n_workers() if is_spread() else 1)):
        found = dict(each(function, together, cancel=cancel))
        yield from (found[number] for number in range(len(together)))


def _numbered(function: Callable[[Task], Result], number: int, task: Task) -> tuple[int, Result]:
    return number, function(task)


@contextmanager
def scheduled(address: str, *, patience_s: float = 20) -> Iterator[None]:
    """Spread what runs inside the block over the workers of a Dask scheduler.

    Parameters
    ----------
    address : str
        Such as ``tcp://host:8786``, as the scheduler prints it; empty for none.
    patience_s : float
        Seconds until it must have answered.

    Raises
    ------
    SchedulerError
        If Dask is not installed, or nobody answers there.
    """
    if not address:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise SchedulerError(
            "A scheduler was given, but Dask is not installed.",
            hint="pip install 'fnprune[dask]', here and on the workers.",
        ) from error
    try:
        client = Client(address, timeout=patience_s, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        raise SchedulerError(
            f"No Dask scheduler answers at {address[:200]!r}: {error}",
            hint="Start one with `dask scheduler` and give the address that it prints.",
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise SchedulerError(
                f"The scheduler at {address} has no workers.",
                hint=f"Start some with `dask worker {address}`, in the environment of fnprune.",
            )
        with client.as_current(), joblib.parallel_config("dask"):
            yield


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAddress:
    """Where a worker finds the model: it loads it once, and keeps it.

    Parameters
    ----------
    source : str
        As `load_model` takes it; a folder must be there for the workers, too.
    fingerprint : str
        Of the model that is meant.
    """

    source: str
    device: str
    dtype: str
    fingerprint: str

    @classmethod
    def of(cls, language_model: "LanguageModel") -> "ModelAddress":
        """Return the address of a loaded model."""
        return cls(
            source=language_model.source,
            device=language_model.device.type,
            dtype=str(language_model.dtype).removeprefix("torch."),
            fingerprint=language_model.fingerprint,
        )

    def model(self) -> "LanguageModel":
        """Return the model, from before if this process has it.

        Raises
        ------
        FingerprintMismatchError
            If another model lies there.
        """
        language_model = _loaded(self.source, self.device, self.dtype)
        language_model.check_fingerprint(self.fingerprint, "work")
        return language_model


@lru_cache(maxsize=1)
def _loaded(source: str, device: str, dtype: str) -> "LanguageModel":
    from fnprune_core.models.loading import load_model

    return load_model(source, device=device, dtype=dtype)
