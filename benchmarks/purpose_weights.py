"""How token weights tell domains apart: a first look at ``purpose.py`` that measures no loss.

Run: ``python benchmarks/purpose_weights.py`` with the options of ``purpose.py``. Prints JSON, from
the calibration text alone; what is chosen by it is chosen before any other text is read.

For each score and dropped domain: how much a token of each domain counts, and the share of each
domain's output variance that the plan takes away (the mean over layers), against FLAP on the
mixture and FLAP on the kept domains by their labels. It is a fact of the plan, not a loss.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from purpose import LABELS, MIXTURE, Experiment, parsed, with_labels
from result_files import note

from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.choice import choose_units
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.recording.recording import Recording
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.units import SCORES, sink_units


def weights_by_domain(
    weights: NDArray[np.float64], recording: Recording, *, dropped: str
) -> dict[str, Any]:
    """Return the mean weight of each domain's tokens, and what is left of the kept ones.

    ``left`` is the dropped domain's mean weight over that of the others, 0 with labels;
    ``effective_share`` (Σ w)² / Σ w² over the number of the kept domains' tokens, 1 with labels.
    """
    windows, usable = recording.windows, ~recording.is_dummy
    names = windows.domain_names
    here = [usable & (windows.domain_index == d) for d in range(len(names))]
    kept = weights[usable & (windows.domain_index != names.index(dropped))]
    return {
        "weights": {
            name: round(float(weights[part].mean()), 4)
            for name, part in zip(names, here, strict=True)
        },
        "left": round(float(weights[here[names.index(dropped)]].mean() / kept.mean()), 4),
        "effective_share": round(float(kept.sum() ** 2 / np.square(kept).sum() / len(kept)), 4),
    }


def removed_share(
    removed: Sequence[NDArray[np.int64]], energy: NDArray[np.float64], layout: UnitLayout
) -> float:
    """Return the share of the layers' output variance that goes with some units, their mean."""
    parts = zip(layout.split(energy), removed, strict=True)
    return float(np.mean([part[gone].sum() / part.sum() for part, gone in parts]))


class FirstLook:
    """The plans of an experiment, before any is measured."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        recording = experiment.recording
        inputs = self._inputs(tuple(range(experiment.atlas.n_networks)))
        usable = ~recording.is_dummy
        self.sinks = sink_units(inputs, experiment.options.sink_units)
        self.energy = {
            name: inputs.column_norms()
            * inputs.moments((usable & (recording.windows.domain_index == d)) * 1.0)[1]
            for d, name in enumerate(recording.windows.domain_names)
        }
        self.mixture = self.shares(MIXTURE, inputs)

    def _inputs(self, preserved: tuple[int, ...]) -> RecordedInputs:
        return RecordedInputs(
            language_model=self.experiment.language_model,
            recording=self.experiment.recording,
            atlas=self.experiment.atlas,
            preserved=preserved,
        )

    def shares(self, score: str, inputs: RecordedInputs) -> dict[str, float]:
        """Return the share of each domain's output variance that a plan takes away."""
        layout, options = self.experiment.recording.layout, self.experiment.options
        settings = PlanSettings(ratio=options.ratio, allocation=options.allocation)
        scores = SCORES[score].compute(inputs)
        removed = choose_units(scores, settings, layout=layout, sinks=self.sinks).removed
        return {name: removed_share(removed, each, layout) for name, each in self.energy.items()}

    def dropping(self, dropped: str) -> dict[str, Any]:
        """Return what each score does when a domain's networks are dropped."""
        inputs = self._inputs(self.experiment.without(dropped))
        SCORES[f"{LABELS}-{dropped}"] = with_labels(dropped)
        by_labels = self.shares(f"{LABELS}-{dropped}", inputs)
        scores = {}
        for score in self.experiment.options.scores:
            note(f"{dropped} dropped: {score}")
            found = self.shares(score, inputs)
            reached = (found[dropped] - self.mixture[dropped]) / (
                by_labels[dropped] - self.mixture[dropped]
            )
            scores[score] = {
                **weights_by_domain(
                    SCORES[score].token_weights(inputs), self.experiment.recording, dropped=dropped
                ),
                "variance_removed": _rounded(found),
                "as_far_as_labels": round(reached, 4),
            }
        return {
            "n_networks_dropped": len(self.experiment.atlas.networks_of_domain(dropped)),
            "by_labels": _rounded(by_labels),
            "scores": scores,
        }


def _rounded(shares: dict[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in shares.items()}


def main() -> None:
    """Look and print."""
    options = parsed()
    experiment = Experiment(options)
    look = FirstLook(experiment)
    print(
        json.dumps(
            {
                "mixture": _rounded(look.mixture),
                "dropped": {name: look.dropping(name) for name in options.dropped},
                "n_tokens_calibration": experiment.recording.n_tokens,
                "ratio": options.ratio,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
