"""What preserving networks is for: drop a domain's networks, and see whose loss rises.

Run: ``python benchmarks/purpose.py --data FOLDER``. Prints a table and then JSON; goes on where
an earlier run stopped (``--results``). What it needs in the folder: see ``held_out_texts.py``.

The rule is declared beforehand: the networks with over half of their time-course energy per token
in one domain are dropped, nothing else is chosen. Everything is recorded over four domains; the
loss of each is measured on other documents. At one ratio, with the same allocation, compensation
and sink rule, three plans are compared: FLAP on the mixture, which knows no domains; network
energy without the domain's networks, which knows no labels; and FLAP on the kept domains by their
labels. Two conditions: the dropped domain's loss rises at least 90 % as far above FLAP on the
mixture as with labels, and no kept domain is worse than it by more than one paired standard error.

The control is the same score with random directions in the place of networks, such as
``--score network-context/permuted``: as many go as networks would, those with the largest share of
their energy in the domain.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from held_out_texts import (
    DOMAINS,
    data_folder,
    dealt,
    domain_slices,
    packed,
    spread_over,
    without_shared,
)
from numpy.typing import NDArray
from result_files import Measurer, ResultFiles, circumstances, note
from weightings import WEIGHTINGS

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.chance.directions import KINDS, Directions, make_directions
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.evaluation import compare
from fnprune_core.evaluation.results import Perplexity, paired_difference
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.recording.record import record
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.scores.giving_up import least_in
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.score import Score
from fnprune_core.scores.token_weights import UsableTokens
from fnprune_core.scores.units import SCORES, fluctuation
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

MIXTURE = "flap"
NETWORKS = "network-energy"
CONTEXT = "network-context"
LABELS = "flap-without"
ENOUGH = 0.9
# Documents for the plans, for choosing between variants, and for the figures that are reported.
PARTS = {"calibration": 0.5, "choice": 0.2, "held-out": 0.3}


def texts(data: Path) -> dict[str, list[Document]]:
    """Return the documents of each part, all domains in each."""
    parts: dict[str, list[Document]] = {name: [] for name in PARTS}
    for read, file in DOMAINS.values():
        for name, documents in dealt(read(data / file), PARTS).items():
            parts[name] += documents
    return parts


def with_labels(dropped: str) -> Score:
    """Return FLAP's score on the tokens of all domains but one, by their labels."""

    def weights(inputs: RecordedInputs) -> NDArray[np.float64]:
        recording = inputs.recording
        domain = recording.windows.domain_names.index(dropped)
        is_kept = recording.windows.domain_index != domain
        return np.where(is_kept & ~recording.is_dummy, 1.0, 0.0)

    return weighted_flap(weights, label=f"FLAP without {dropped}, by labels")


def with_directions(score: str, atlas: NetworkAtlas, dropped: str, n: int) -> Score:
    """Return a score's control: random directions give the weights, and `n` of them go.

    Parameters
    ----------
    atlas : NetworkAtlas
        Random directions, as `Directions.of` returns them.
    """
    preserved = least_in(atlas, [dropped], atlas.n_networks - n)
    weights = SCORES[score].weighting(atlas).of(preserved)
    return weighted_flap(lambda inputs: weights, label=f"{score}, {n} random directions dropped")


def weighted_flap(weights: Any, *, label: str, uses_networks: bool = False) -> Score:
    """Return FLAP's score over tokens with weights of a benchmark's own."""

    class Weighting(UsableTokens):
        """The benchmark's own weights."""

        def __init__(self, inputs: RecordedInputs) -> None:
            self._weights = weights(inputs)

    return Score(
        formula=fluctuation,
        label=label,
        says=label,
        source="benchmark",
        weighting=Weighting,
        uses_networks=uses_networks,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What dropping one domain's networks did, against FLAP on the mixture, nats per token.

    Parameters
    ----------
    changes : mapping
        Domain to (difference, standard error) of the plan by networks.
    by_labels : mapping
        The same for FLAP on the kept domains by their labels.
    """

    dropped: str
    changes: Mapping[str, tuple[float, float]]
    by_labels: Mapping[str, tuple[float, float]]

    @property
    def reached(self) -> float:
        """How far the dropped domain's loss rises, as a share of what labels do."""
        return self.changes[self.dropped][0] / self.by_labels[self.dropped][0]

    @property
    def worse(self) -> tuple[str, ...]:
        """Kept domains that are worse by more than one paired standard error."""
        kept = {name: pair for name, pair in self.changes.items() if name != self.dropped}
        return tuple(name for name, (change, error) in kept.items() if change > error)

    @property
    def is_met(self) -> bool:
        """Whether both conditions hold."""
        return self.reached >= ENOUGH and not self.worse

    def line(self) -> str:
        """Return a line of the table."""
        changes = "  ".join(
            f"{name} {change:+.3f} ± {error:.3f} ({self.by_labels[name][0]:+.3f})"
            for name, (change, error) in self.changes.items()
        )
        verdict = "met" if self.is_met else "not met"
        worse = f", worse: {', '.join(self.worse)}" if self.worse else ""
        return f"{self.dropped} dropped: {self.reached:.0%}{worse}; {verdict} | {changes}"


def outcome(
    dropped: str,
    *,
    mixture: Perplexity,
    networks: Perplexity,
    labels: Perplexity,
    windows: Windows,
) -> Outcome:
    """Return the paired differences to FLAP on the mixture, domain by domain."""

    def changes(result: Perplexity) -> dict[str, tuple[float, float]]:
        found = {}
        for name, chosen in domain_slices(windows):
            pair = paired_difference(result.restricted_to(chosen), mixture.restricted_to(chosen))
            found[name] = (pair.difference, pair.standard_error)
        return found

    return Outcome(dropped=dropped, changes=changes(networks), by_labels=changes(labels))


class Experiment:
    """One recording with its networks, and the plans made from it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
        self.language_model = load_model(options.model, dtype=options.dtype)
        self.measurer = Measurer(
            self.workspace,
            self.language_model,
            ResultFiles(options.results or self.workspace.root / "benchmarks" / "purpose"),
        )
        parts = texts(data_folder(options))
        calibration = spread_over(self._cut(parts["calibration"], 4), options.n_calibration)
        apart = without_shared(self._cut(parts[options.part]), calibration)
        self.windows = spread_over(apart, options.n_evaluated)
        start = record(
            self.workspace,
            self.language_model,
            calibration,
            settings=RecordingSettings(max_tokens=None),
        )
        self.recording = open_recording(self.workspace, start)
        compare.check_overlap(self.recording, self.windows)
        self.decomposition_id = group_ica.decompose(
            self.workspace,
            self.recording.id,
            settings=GroupICA(n_components=options.n_networks, n_runs=options.n_runs),
        )
        self.atlas: NetworkAtlas = network_atlas.open_atlas(self.workspace, self.decomposition_id)

        for name, weights in WEIGHTINGS.items():
            label = f"{NETWORKS}/{name}"
            SCORES[label] = weighted_flap(weights, label=label, uses_networks=True)

    def _cut(self, documents: list[Document], n_dummy: int = 0) -> Windows:
        return packed(self.language_model, documents, window=512, n_dummy=n_dummy)

    @cached_property
    def directions(self) -> Directions:
        """Random directions of the same number and shape as the networks."""
        return make_directions(self.workspace, self.decomposition_id)

    def without_networks(self, score: str, compensation: str, dropped: str) -> Perplexity:
        """Return the losses where a domain's networks go, or as many random directions."""
        rule, _, kind = score.partition("/")
        if kind not in KINDS:
            return self.losses(score, compensation, dropped)
        name, n = f"{score}-{dropped}", len(self.atlas.networks_of_domain(dropped))
        SCORES[name] = with_directions(rule, self.directions.of(kind), dropped, n)
        return self.losses(name, compensation)

    def losses(self, score: str, compensation: str, dropped: str | None = None) -> Perplexity:
        """Return the losses under a plan; `dropped` names the domain whose networks go.

        The plans of all compensations are made at once: they share passes over the recording.
        """
        plan_ids = self._plans(score, dropped)
        return self.measurer.losses(self.windows, plan_ids[compensation])

    def without(self, dropped: str) -> tuple[int, ...]:
        """Return the networks that stay when a domain's are dropped."""
        gone = set(self.atlas.networks_of_domain(dropped))
        return tuple(k for k in range(self.atlas.n_networks) if k not in gone)

    def _plans(self, score: str, dropped: str | None) -> dict[str, str]:
        preserved = None if dropped is None else self.without(dropped)
        settings = [
            PlanSettings(
                score=score,
                ratio=self.options.ratio,
                allocation=self.options.allocation,
                compensation=compensation,
                sink_units=self.options.sink_units,
                preserved=preserved,
            )
            for compensation in self.options.compensations
        ]
        start = time.perf_counter()
        ids = planner.plans(
            self.workspace,
            self.language_model,
            recording_id=self.recording.id,
            decomposition_id=self.decomposition_id,
            settings=settings,
        )
        note(f"plans, {score}, {dropped or 'nothing'} dropped: {time.perf_counter() - start:.0f} s")
        return dict(zip(self.options.compensations, ids, strict=True))

    def outcomes(self, score: str, compensation: str) -> Iterator[Outcome]:
        """Yield what dropping each domain in turn did."""
        mixture = self.losses(MIXTURE, compensation)
        for dropped in self.options.dropped:
            if not self.atlas.networks_of_domain(dropped):
                note(f"No network has over half of its energy in {dropped}: nothing to drop.")
                continue
            SCORES[f"{LABELS}-{dropped}"] = with_labels(dropped)
            found = outcome(
                dropped,
                mixture=mixture,
                networks=self.without_networks(score, compensation, dropped),
                labels=self.losses(f"{LABELS}-{dropped}", compensation),
                windows=self.windows,
            )
            note(f"{score}, {compensation}: {found.line()}")
            yield found

    def by_domain(self, result: Perplexity) -> dict[str, float]:
        """Return the perplexity of each domain."""
        return {
            name: round(result.restricted_to(chosen).perplexity, 3)
            for name, chosen in domain_slices(self.windows)
        }

    def report(self) -> dict[str, Any]:
        """Return everything that was measured."""
        options = self.options
        rows = []
        for score in options.scores:
            for compensation in options.compensations:
                for found in self.outcomes(score, compensation):
                    rows.append(
                        {
                            "score": score,
                            "compensation": compensation,
                            "dropped": found.dropped,
                            "n_networks_dropped": len(self.atlas.networks_of_domain(found.dropped)),
                            "reached": round(found.reached, 4),
                            "worse": list(found.worse),
                            "is_met": found.is_met,
                            "nats_above_mixture": _rounded(found.changes),
                            "by_labels": _rounded(found.by_labels),
                        }
                    )
        mixtures = {
            compensation: self.by_domain(self.losses(MIXTURE, compensation))
            for compensation in options.compensations
        }
        return {
            "dense": self.by_domain(self.measurer.losses(self.windows, None)),
            "flap on the mixture": mixtures,
            "rows": rows,
            "n_tokens_calibration": self.recording.n_tokens,
            "n_windows_evaluated": self.windows.n_windows,
            "part": options.part,
            "ratio": options.ratio,
            "allocation": options.allocation,
            "sink_units": options.sink_units,
            "n_networks": options.n_networks,
            "circumstances": circumstances(self.language_model),
        }


def _rounded(changes: Mapping[str, tuple[float, float]]) -> dict[str, list[float]]:
    return {name: [round(value, 5) for value in pair] for name, pair in changes.items()}


def table(report: Mapping[str, Any]) -> str:
    """Return the report as a Markdown table."""
    domains = list(report["dense"])
    lines = [
        "| plan | dropped | as far as labels | " + " | ".join(domains) + " | met |",
        "|---|---|---|" + "---|" * (len(domains) + 1),
    ]
    for row in report["rows"]:
        cells = [
            f"{change:+.3f} ± {error:.3f} ({row['by_labels'][name][0]:+.3f})"
            for name, (change, error) in row["nats_above_mixture"].items()
        ]
        lines.append(
            f"| {row['score']}, {row['compensation']} | {row['dropped']} "
            f"({row['n_networks_dropped']}) | {row['reached']:.0%} | "
            + " | ".join(cells)
            + f" | {'yes' if row['is_met'] else 'no'} |"
        )
    return "\n".join(lines)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def names(text: str) -> list[str]:
        return text.split(",")

    parser.add_argument("--data", type=Path, default=None, help="../shared/data by default")
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--results", type=Path, default=None)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument(
        "--score",
        action="append",
        default=None,
        help=f"{NETWORKS} and {CONTEXT} by default; either with / and a kind of random directions "
        f"({', '.join(KINDS)}), its control; or {NETWORKS}/ with one of: {'; '.join(WEIGHTINGS)}",
    )
    parser.add_argument("--compensations", type=names, default=["bias", "least-squares"])
    parser.add_argument("--dropped", type=names, default=["Python", "French", "Shakespeare"])
    parser.add_argument("--ratio", type=float, default=0.4)
    parser.add_argument("--allocation", default="protect-ends")
    parser.add_argument("--sink-units", type=int, default=0)
    parser.add_argument("--n-networks", type=int, default=64)
    parser.add_argument("--n-runs", type=int, default=1)
    parser.add_argument("--n-calibration", type=int, default=32, help="windows of each domain")
    parser.add_argument("--n-evaluated", type=int, default=32, help="windows of each domain")
    parser.add_argument("--part", choices=["choice", "held-out"], default="held-out")
    options = parser.parse_args(arguments)
    options.scores = options.score or [NETWORKS, CONTEXT]
    return options


def main() -> None:
    """Measure and print."""
    report = Experiment(parsed()).report()
    print(table(report))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
