"""The whole path on one model as tables: what each score costs, what choosing does."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import psutil

from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.evaluation import compare
from fnprune_core.evaluation.results import DENSE, Perplexity, open_evaluation, paired_difference
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans import files
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning import planner
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.pruning.presets import SeedPaper
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.scores.units import OWN, score_named, with_published
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import Document, builtin_documents
from fnprune_core.texts.windows import Windows

#: Those that take seconds; ``surgeon`` and ``seed-paper`` take minutes.
SHOWN = (
    "network-energy",
    "network-membership",
    "flap",
    "wanda",
    "taylor",
    "magnitude",
    "random",
)
#: Compensations of the score that is ours, to show what each is worth; rivals get the last.
COMPENSATIONS = ("none", "bias", "least-squares")
RANDOM_SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """Settings of the demo.

    Parameters
    ----------
    ratios : tuple of float
        Shares of MLP units to remove; the largest is used for the table by domain.
    scores : tuple of str
        Each stands in the table as published, if it is a rival, and with our parts around it.
    preset : SeedPaper or None
        A published pipeline: its ratio, found by its threshold, and its scores take the place of
        those above.
    n_windows : int
        Windows to evaluate on, dealt over the domains.
    window : int
        Tokens of a window, for calibration and evaluation.
    max_tokens : int
        Calibration tokens.
    n_components, n_runs : int
        Networks, and ICA runs.
    allocation : str
        Of our parts.
    domain_compensation : str
        Of the plans in the table by domain.
    """

    ratios: tuple[float, ...] = (0.2, 0.4)
    scores: tuple[str, ...] = SHOWN
    preset: SeedPaper | None = None
    n_windows: int = 25
    window: int = 512
    max_tokens: int = 16384
    n_components: int = 64
    n_runs: int = 1
    allocation: str = "protect-ends"
    domain_compensation: str = "bias"

    def plans(self) -> list[PlanSettings]:
        """Return the plans of the first table, in its order."""
        base = PlanSettings(allocation=self.allocation)
        return [
            canonical_settings(
                base.with_(score=name, ratio=ratio, compensation=compensation, seed=seed)
            )
            for ratio in self.ratios
            for score in self.scores
            for name in with_published(score)
            for compensation in (COMPENSATIONS if score == OWN else COMPENSATIONS[-1:])
            for seed in (RANDOM_SEEDS if score_named(name).is_drawn else (0,))
        ]


@dataclass(slots=True)
class _Clock:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent


def run_demo(
    workspace: Workspace,
    language_model: LanguageModel,
    *,
    settings: DemoSettings | None = None,
    calibration: Sequence[Document] | None = None,
    evaluation: Sequence[Document] | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> dict[str, Any]:
    """Record, decompose, plan and evaluate; return the tables as JSON values.

    Parameters
    ----------
    calibration, evaluation : sequence of Document, optional
        The built-in texts, and their held-out part, if not given.

    Returns
    -------
    dict
        ``dense``, ``rows`` (a plan each), ``domains`` (what dropping a domain's networks does),
        ``seconds`` by stage, ``peak_memory_bytes`` and ``protocol``.
    """
    settings = settings or DemoSettings()
    clock = _Clock()
    recording_settings = RecordingSettings(window=settings.window, max_tokens=settings.max_tokens)
    with clock.stage("record"):
        recording_id = record.record_texts(
            workspace,
            language_model,
            builtin_documents() if calibration is None else calibration,
            settings=recording_settings,
            progress=progress,
            cancel=cancel,
        )
    with clock.stage("decompose"):
        ica = GroupICA(n_components=settings.n_components, n_runs=settings.n_runs)
        decomposition_id = group_ica.decompose(
            workspace, recording_id, settings=ica, progress=progress, cancel=cancel
        )
        atlas = network_atlas.open_atlas(workspace, decomposition_id)
    kept = planner.KeptScores()
    if settings.preset is not None:
        with clock.stage("preset"):
            scores = planner.scores_of(
                workspace,
                language_model,
                recording_id=recording_id,
                score=settings.preset.scores[0],
                kept=kept,
                progress=progress,
                cancel=cancel,
            )
        settings = replace(
            settings,
            ratios=(settings.preset.ratio(scores, language_model.layout),),
            scores=settings.preset.scores,
        )
    windows = compare.evaluation_windows(
        language_model,
        builtin_documents(split="held-out") if evaluation is None else evaluation,
        window=settings.window,
        max_windows=settings.n_windows,
    )
    plans = settings.plans()
    by_domain = _domain_plans(settings, atlas, windows)
    with clock.stage("plan"):
        ids = planner.plans(
            workspace,
            language_model,
            recording_id=recording_id,
            decomposition_id=decomposition_id,
            settings=[*plans, *(domain_plan.settings for domain_plan in by_domain)],
            kept=kept,
            progress=progress,
            cancel=cancel,
        )
    labels: dict[str, str | None] = {DENSE: None, **{str(i): id for i, id in enumerate(ids)}}
    with clock.stage("evaluate"):
        results = _evaluate_in_turn(workspace, language_model, windows, labels, progress, cancel)
    dense = results[DENSE]
    rows = [
        _plan_row(workspace, ids[i], plan, results[str(i)], dense) for i, plan in enumerate(plans)
    ]
    domain_results = [results[str(len(plans) + i)] for i in range(len(by_domain))]
    protocol = dense.to_json()["protocol"]
    return {
        "model": language_model.name,
        "fingerprint": language_model.fingerprint,
        "protocol": {
            **protocol,
            "calibration_recording": recording_id,
            "networks": atlas.n_networks,
            "domain_compensation": settings.domain_compensation,
            "domain_ratio": max(settings.ratios),
            "threshold": None if settings.preset is None else settings.preset.threshold,
        },
        "dense": {"perplexity": dense.perplexity, "stderr": dense.standard_error},
        "error_note": dense.sample.note(),
        "rows": rows,
        "domains": _domain_rows(by_domain, domain_results, dense, windows),
        "seconds": {**clock.seconds, "total": sum(clock.seconds.values())},
        "peak_memory_bytes": peak_memory_bytes(),
    }


def peak_memory_bytes() -> int:
    """Return the largest resident memory of this process so far."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scale = 1 if sys.platform == "darwin" else 1024
    return max(peak * scale, psutil.Process().memory_info().rss)


def _evaluate_in_turn(
    workspace: Workspace,
    language_model: LanguageModel,
    windows: Windows,
    labels: dict[str, str | None],
    progress: Progress,
    cancel: CancelToken,
) -> dict[str, Perplexity]:
    """Evaluate one condition after the other, so that a stop keeps those that are whole."""
    results: dict[str, Perplexity] = {}
    for index, (label, plan_id) in enumerate(labels.items()):
        id = compare.evaluate(workspace, language_model, windows, plan_id=plan_id, cancel=cancel)
        results[label] = open_evaluation(workspace, id)
        progress(
            ProgressEvent(stage="evaluation", done=index + 1, total=len(labels), unit="models")
        )
    return results


def _plan_row(
    workspace: Workspace, plan_id: str, plan: PlanSettings, result: Perplexity, dense: Perplexity
) -> dict[str, Any]:
    pruning_plan = files.open_plan(workspace, plan_id)
    difference = paired_difference(result, dense)
    return {
        "score": plan.score,
        "ratio": plan.ratio,
        "compensation": plan.compensation,
        "allocation": pruning_plan.settings.allocation,
        "sink_units": pruning_plan.settings.sink_units,
        "seed": plan.seed if score_named(plan.score).is_drawn else None,
        "n_tokens": result.n_tokens,
        "perplexity": result.perplexity,
        "stderr": result.standard_error,
        "paired_difference": difference.difference,
        "paired_stderr": difference.standard_error,
        "paired_interval": list(difference.interval()),
        "share_of_parameters": pruning_plan.share_of_parameters,
        "plan_id": plan_id,
        "cut": pruning_plan.removal_key(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _DomainPlan:
    """A plan of the second table: the domain whose networks are dropped, if any."""

    dropped: str | None
    n_networks_dropped: int
    settings: PlanSettings


def _domain_plans(
    settings: DemoSettings, atlas: NetworkAtlas, windows: Windows
) -> list[_DomainPlan]:
    """Return plans: FLAP on the mixture, then network-energy without each domain's networks."""
    if len(set(atlas.domain_names) & set(windows.domain_names)) < 2:
        return []
    base = PlanSettings(
        ratio=max(settings.ratios),
        allocation=settings.allocation,
        compensation=settings.domain_compensation,
    )
    plans = [_DomainPlan(dropped=None, n_networks_dropped=0, settings=base.with_(score="flap"))]
    for domain in atlas.domain_names:
        dropped = atlas.networks_of_domain(domain)
        preserved = tuple(k for k in range(atlas.n_networks) if k not in dropped)
        if dropped and preserved and domain in windows.domain_names:
            plans.append(
                _DomainPlan(
                    dropped=domain,
                    n_networks_dropped=len(dropped),
                    settings=base.with_(preserved=preserved),
                )
            )
    return plans


def _domain_rows(
    plans: Sequence[_DomainPlan],
    results: Sequence[Perplexity],
    dense: Perplexity,
    windows: Windows,
) -> list[dict[str, Any]]:
    if not plans:
        return []
    domain_of_window = windows.domain_index[windows.starts[:-1]]
    rows = []
    conditions = [(None, 0, DENSE, dense)] + [
        (plan.dropped, plan.n_networks_dropped, plan.settings.score, result)
        for plan, result in zip(plans, results, strict=True)
    ]
    for dropped, n_dropped, score, result in conditions:
        for index, domain in enumerate(windows.domain_names):
            domain_result = result.restricted_to(np.flatnonzero(domain_of_window == index))
            rows.append(
                {
                    "dropped": dropped,
                    "n_networks_dropped": n_dropped,
                    "score": score,
                    "domain": domain,
                    "perplexity": domain_result.perplexity,
                    "stderr": domain_result.standard_error,
                }
            )
    return rows
