"""Readings of a lesion study: texts read with units silenced, here or by workers."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import NonFiniteError
from fnprune_core.evaluation.perplexity import perplexity_stream
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.sites import Lesion, LesionSites, silence
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.machine import workers
from fnprune_core.machine.workers import ModelAddress
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.texts.windows import Windows


class StudyUnits:
    """Units of each reading; drawn before the first, and held as packed bits."""

    def __init__(self, order: LesionOrder, sites: LesionSites) -> None:
        self.order, self.sites = order, sites
        units_by_networks: dict[tuple[int, ...], list[NDArray[np.bool_]]] = {}
        for lesion in order.lesions:
            if lesion.networks not in units_by_networks:
                draws = [None, *range(order.settings.n_random)]
                units_by_networks[lesion.networks] = [
                    sites.units(lesion.networks, draw) for draw in draws
                ]
        self._units = {
            key: [np.packbits(units) for units in value] for key, value in units_by_networks.items()
        }

    def units(self, row: int, column: int) -> NDArray[np.bool_]:
        """Return the units of a lesion (column 0) or of one of its random lesions."""
        packed = self._units[self.order.lesions[row].networks][column]
        return np.unpackbits(packed, count=self.sites.layout.n_units).astype(bool)

    def missing(self, study: LesionStudy) -> Iterator[tuple[int, int]]:
        """Yield the rows and columns to be read: all lesions, all first random ones, and so on."""
        is_done = study.is_done
        for column in range(is_done.shape[1]):
            for row in range(is_done.shape[0]):
                if not is_done[row, column]:
                    yield row, column


def read_healthy(
    language_model: LanguageModel, windows: Windows, *, cancel: CancelToken = NEVER
) -> NDArray[np.float64]:
    """Return −log p of each window by the healthy model: (W,)."""
    no_units = [np.empty(0, dtype=np.int64)] * language_model.layout.n_layers
    healthy = partial(silenced, language_model, no_units)
    return _window_losses(language_model, windows, healthy, cancel=cancel)


def read_each(
    language_model: LanguageModel,
    windows: Windows,
    units: StudyUnits,
    study: LesionStudy,
    *,
    cancel: CancelToken = NEVER,
) -> Iterator[tuple[tuple[int, int], NDArray[np.float64] | NonFiniteError]]:
    """Yield row, column and losses of what a study lacks: here in order, or as workers do."""
    places: list[tuple[int, int]] = []
    for row, column in units.missing(study):
        if study.lesions[row].strength == 0:  # changes nothing
            yield (row, column), study.healthy
        else:
            places.append((row, column))
    if not workers.is_spread():
        for row, column in places:
            context = partial(units.sites.silence, units.units(row, column), study.lesions[row])
            yield (row, column), _losses_or_why(language_model, windows, context, cancel=cancel)
        return
    tasks = [
        _Reading(
            model=ModelAddress.of(language_model),
            windows=windows,
            lesion=study.lesions[row],
            units=np.packbits(units.units(row, column)),
            centre=units.sites.centre,
        )
        for row, column in places
    ]
    for number, losses in workers.each(_Reading.losses, tasks, cancel=cancel):
        yield places[number], losses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Reading:
    """One reading of the texts under a lesion, as it is sent to a worker.

    Parameters
    ----------
    units : ndarray
        Packed bits of the units that are scaled.
    centre : ndarray (n_units,), optional
        Values towards which they are.
    """

    model: ModelAddress
    windows: Windows
    lesion: Lesion
    units: NDArray[np.uint8]
    centre: NDArray[np.float32] | None

    def losses(self) -> NDArray[np.float64] | NonFiniteError:
        """Return −log p of each window, read by the model of this process; or why there is none."""
        language_model = self.model.model()
        is_taken = np.unpackbits(self.units, count=language_model.layout.n_units).astype(bool)
        context = partial(silence, language_model, is_taken, self.lesion, centre=self.centre)
        return _losses_or_why(language_model, self.windows, context)


def _losses_or_why(
    language_model: LanguageModel,
    windows: Windows,
    context: Callable[[], Any],
    *,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64] | NonFiniteError:
    """Return −log p of each window under a lesion, or why there is none."""
    try:
        return _window_losses(language_model, windows, context, cancel=cancel)
    except NonFiniteError as error:
        return error


def _window_losses(
    language_model: LanguageModel,
    windows: Windows,
    context: Callable[[], Any],
    *,
    cancel: CancelToken = NEVER,
) -> NDArray[np.float64]:
    """Return −log p of each window under a condition."""
    stream = perplexity_stream(
        language_model.model,
        windows,
        context=context,
        on_pass=partial(language_model.pace.note, "reading"),
        cancel=cancel,
    )
    return deque(stream, maxlen=1).pop().window_nll
