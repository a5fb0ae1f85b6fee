"""One row of the table of scores: what it is, which tokens it counts, what its paper fixes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.scores.heads import GroupScore, group_fluctuation
from fnprune_core.scores.inputs import ScoreInputs
from fnprune_core.scores.token_weights import TokenWeights, UsableTokens

Scores = NDArray[np.float64]
#: Units a layer that serve attention sinks, kept by plans whose score does not see them.
SINK_UNITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One row of the table of scores.

    Parameters
    ----------
    formula : callable
        ``formula(inputs, weights)``, scores (n_units,) from tokens that count by `weights`
        (n_tokens,). One of `weights` alone also takes rows of them, (n, n_tokens).
    label : str
        For people.
    says : str
        What it is, in words, as the report says it.
    said : str
        What it was in plans of version 1, where that was another thing.
    source : str
        Where it comes from.
    cite : str
        BibTeX key of its source in the report; empty where there is none.
    weighting : type
        How tokens count beside one another, in the score and in the compensation.
    counts_first_tokens : bool
        Whether the first tokens of a window, to which attention goes when it has nowhere to go,
        count as 1. A score that counts them sees the units that serve them; plans by one that
        does not keep `SINK_UNITS` of these a layer, unless they say otherwise.
    version : int
        Raised when a name comes to mean something else. Plans of version 1 left the first tokens
        out where `counts_first_tokens` says otherwise today.
    uses_networks : bool
        Whether preserving networks changes it.
    is_rival : bool
        Whether the app offers it to compare a plan with.
    is_drawn : bool
        Whether it is drawn at random, so that each seed is another plan.
    needs_model : str
        Why a preview, which has no model, cannot compute it; empty where it can.
    toggled : callable or None
        ``toggled(inputs)``, scores after each network changes sides, (K, n_units): where that
        is quicker than one by one. NaN rows where nothing would be preserved.
    fixes : mapping
        Settings of a plan that the published method fixes: empty leaves them to the plan.
    compute_groups : callable
        The same rule for KV groups: inputs to scores (n_groups,).
    needs_courses : bool
        Whether that rule regresses heads on the networks' time courses.
    constants : mapping
        Numbers in its formula that are a choice of ours; plans with others are other plans.
    """

    formula: Callable[[ScoreInputs, NDArray[np.float64]], Scores]
    label: str
    says: str
    source: str
    said: str = ""
    cite: str = ""
    weighting: type[TokenWeights] = UsableTokens
    counts_first_tokens: bool = True
    version: int = 1
    uses_networks: bool = False
    is_rival: bool = True
    is_drawn: bool = False
    needs_model: str = ""
    toggled: Callable[[ScoreInputs], Scores] | None = None
    fixes: Mapping[str, Any] = field(default_factory=dict)
    compute_groups: GroupScore = group_fluctuation
    needs_courses: bool = False
    constants: Mapping[str, int] = field(default_factory=dict)

    def says_at(self, version: int) -> str:
        """Return what the score is in a plan of this version."""
        return self.said if version < self.version else self.says

    @property
    def sink_units(self) -> int:
        """Units a layer that serve attention sinks and stay, where a plan does not say."""
        return 0 if self.counts_first_tokens else SINK_UNITS

    def counted(
        self, is_dummy: NDArray[np.bool_], weights: NDArray[np.float64], *, version: int = 0
    ) -> NDArray[np.float64]:
        """Return weights of tokens, (…, n_tokens), with the first tokens counted as the score does.

        Rows in which no other token counts stay as they are: there is nothing to score by.

        Parameters
        ----------
        version : int
            Of the score in an older plan; 0 for today's.
        """
        if not self.counts_first_tokens or (version or self.version) < self.version:
            return weights
        has_any = weights.any(axis=-1, keepdims=True)
        return np.where(is_dummy & has_any, 1.0, weights)

    def token_weights(self, inputs: ScoreInputs, *, version: int = 0) -> NDArray[np.float64]:
        """Return how much each token counts: (n_tokens,)."""
        weights = inputs.token_weights(self.weighting)
        return self.counted(inputs.is_dummy, weights, version=version)

    def compute(self, inputs: ScoreInputs) -> Scores:
        """Return the score of every unit: (n_units,), higher is kept."""
        return self.formula(inputs, self.token_weights(inputs))
