"""Inputs of scores: one interface for a recording and for a preview."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.models.architectures import feeding_row_norms, output_column_norms
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.layout import UnitLayout
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.recording.recording import Recording
from fnprune_core.scores.token_weights import TokenWeights

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreInputs(ABC):
    """Numbers from which scores are computed; per unit (n_units,), per token (n_tokens,).

    Parameters
    ----------
    atlas : NetworkAtlas or None
        Needed by the scores of networks.
    preserved : tuple of int
        Networks to preserve.
    seed : int
        For scores that are drawn.
    """

    atlas: NetworkAtlas | None = None
    preserved: tuple[int, ...] = ()
    seed: int = 0

    @property
    @abstractmethod
    def layout(self) -> UnitLayout:
        """Layout of the units in layers."""

    @property
    @abstractmethod
    def is_dummy(self) -> NDArray[np.bool_]:
        """Tokens at the start of a window that statistics leave out: (n_tokens,)."""

    @property
    @abstractmethod
    def dummy_max(self) -> NDArray[np.floating]:
        """Largest |activation| of each unit on dummy tokens."""

    @abstractmethod
    def moments(self, weights: Values) -> tuple[Values, Values]:
        """Return mean and variance of each unit over weighted tokens.

        (n_units,) each for weights (n_tokens,); (n, n_units) for n rows of weights.
        """

    @abstractmethod
    def column_sums(self, power: Literal[1, 2]) -> Values:
        """Return Σ|W[:, j]|^power of each unit's output column."""

    @abstractmethod
    def feeding_norms(self) -> Values:
        """Return Σ W² over the rows that feed each unit."""

    @abstractmethod
    def recorded(self) -> "RecordedInputs":
        """Return the inputs with model and recording; raise PlanError where there is no model."""

    def column_norms(self) -> Values:
        """Return ‖W[:, j]‖² of each unit's output column."""
        return self.column_sums(2)

    def network_atlas(self) -> NetworkAtlas:
        """Return the atlas; raise SettingsError if there is none."""
        if self.atlas is None:
            raise SettingsError(
                "This score looks at networks, and there is no decomposition.",
                hint="Decompose the recording and name its networks (--decomposition latest), or "
                "choose flap, wanda or magnitude.",
            )
        return self.atlas

    def preserved_networks(self) -> list[int]:
        """Return the networks to preserve, checked: at least one, each of the atlas."""
        atlas = self.network_atlas()
        if not self.preserved:
            raise SettingsError("No network is preserved.", hint="Preserve at least one.")
        return [atlas.check_network(network) for network in self.preserved]

    def weigher(self, weighting: type[TokenWeights]) -> TokenWeights:
        """Return a rule of how tokens count, made for these tokens."""
        return weighting(self.network_atlas() if weighting.of_networks else self)

    def token_weights(self, weighting: type[TokenWeights]) -> Values:
        """Return how much each token counts by a rule: (n_tokens,)."""
        preserved = self.preserved_networks() if weighting.of_networks else ()
        return self.weigher(weighting).of(preserved)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedInputs(ScoreInputs):
    """Inputs of scores from a model and the recording of a calibration text, exact.

    Parameters
    ----------
    language_model : LanguageModel
    recording : Recording
    """

    language_model: LanguageModel
    recording: Recording
    progress: Progress = field(default=ignore)
    cancel: CancelToken = field(default=NEVER)

    @property
    def layout(self) -> UnitLayout:
        """Layout of the units in layers."""
        return self.recording.layout

    @property
    def is_dummy(self) -> NDArray[np.bool_]:
        """Tokens at the start of a window that statistics leave out: (n_tokens,)."""
        return self.recording.is_dummy

    @property
    def dummy_max(self) -> NDArray[np.floating[Any]]:
        """Largest |activation| of each unit on dummy tokens."""
        return self.recording.dummy_max

    def moments(self, weights: Values) -> tuple[Values, Values]:
        """Return mean and variance of each unit: one pass over the recording for each row."""
        if weights.ndim == 1:
            return self.recording.weighted_moments(
                weights, progress=self.progress, cancel=self.cancel
            )
        moments_by_row = [self.moments(row) for row in weights]
        return np.stack([mean for mean, _ in moments_by_row]), np.stack(
            [variance for _, variance in moments_by_row]
        )

    def column_sums(self, power: Literal[1, 2]) -> Values:
        """Return Σ|W[:, j]|^power of each unit's output column."""
        model = self.language_model
        return np.asarray(output_column_norms(model.model, model.architecture, power=power).numpy())

    def feeding_norms(self) -> Values:
        """Return Σ W² over the rows that feed each unit."""
        model = self.language_model
        return np.asarray(feeding_row_norms(model.model, model.architecture).numpy())

    def recorded(self) -> "RecordedInputs":
        """Return these inputs: they have model and recording."""
        return self
