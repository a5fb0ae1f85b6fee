"""Plans of a model with their measurements, and how plans differ from one another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fnprune_core.decomposition.fingerprint import MapsFingerprint
from fnprune_core.errors import FnpruneError, PlanError
from fnprune_core.evaluation.results import DENSE, Perplexity, is_elsewhere
from fnprune_core.plans.decision_log import delete_notes, read_notes
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.scores.units import SCORES
from fnprune_core.storage.checksums import readable
from fnprune_core.storage.workspace import Entry, Workspace

#: What may differ between two plans, and how people call it; settings go by their own names.
ORIGIN = {"recording_id": "recording", "decomposition_id": "networks from"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A stored perplexity: of a plan, or of the dense model.

    Parameters
    ----------
    text : str
        Names the protocol: equal for results that can be paired.
    """

    evaluation_id: str
    text: str
    perplexity: float
    standard_error: float
    n_documents: int
    n_tokens: int
    protocol: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """One plan of a workspace, as a list shows it.

    Parameters
    ----------
    name : str
        What a person called it; may be empty, and must be escaped where it is shown.
    measured : tuple of Measurement
        Newest first.
    maps_fingerprint : MapsFingerprint or None
        Which networks the plan's numbers mean.
    """

    id: str
    name: str
    created: str
    size_bytes: int
    settings: PlanSettings
    fingerprint: str
    model_name: str
    recording_id: str
    decomposition_id: str
    achieved_ratio: float
    share_of_parameters: float
    n_preserved: int
    n_networks: int
    n_removed_groups: int
    measured: tuple[Measurement, ...]
    maps_fingerprint: MapsFingerprint | None = None

    def on(self, text: str) -> Measurement | None:
        """Return the measurement on a text, or None."""
        return next(
            (measurement for measurement in self.measured if measurement.text == text), None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The plans of a model, newest first, and its dense perplexity by text.

    Parameters
    ----------
    unreadable : tuple of FnpruneError
        Why other plans and evaluations cannot be read.
    """

    plans: tuple[PlanRecord, ...]
    dense: Mapping[str, Measurement]
    unreadable: tuple[FnpruneError, ...] = ()

    def texts(self) -> list[str]:
        """Return the texts on which plans were measured, those of most plans first."""
        counts: dict[str, int] = {}
        for plan in self.plans:
            for text in dict.fromkeys(measurement.text for measurement in plan.measured):
                counts[text] = counts.get(text, 0) + 1
        return sorted(counts, key=lambda text: -counts[text])


def history(workspace: Workspace, *, fingerprint: str = "") -> History:
    """Return the plans of a model, or of all models; what cannot be read is left out."""
    measured: dict[tuple[str, str], list[Measurement]] = {}
    entries = {
        entry.id: entry
        for entry in workspace.entries("evaluations")
        if not entry.manifest.get("failure")
        and not is_elsewhere(entry.manifest)
        and fingerprint in ("", entry.manifest["inputs"]["fingerprint"])
    }
    measurements, unreadable = readable(entries, lambda id: _measurement(entries[id]))
    for id, measurement in measurements.items():
        inputs = entries[id].manifest["inputs"]
        measured.setdefault((inputs["fingerprint"], inputs["cut_key"]), []).append(measurement)
    plan_entries = {entry.id: entry for entry in workspace.entries("plans")}
    records, unreadable_plans = readable(
        plan_entries, lambda id: _record(workspace, plan_entries[id], measured)
    )
    dense = {
        measurement.text: measurement
        for (_, cut_key), of_model in measured.items()
        if cut_key == DENSE
        for measurement in reversed(of_model)
    }
    return History(
        plans=tuple(r for r in records.values() if fingerprint in ("", r.fingerprint)),
        dense=dense,
        unreadable=(*unreadable, *unreadable_plans),
    )


def _measurement(entry: Entry) -> Measurement:
    facts, inputs, result = entry.manifest, entry.manifest["inputs"], Perplexity.load(entry.path)
    if "n_effective" not in facts:  # an older result: its error is by another rule
        facts = {**facts, "standard_error": result.standard_error, "n_documents": result.sample.n}
    key_values = (inputs["fingerprint"], inputs["text_sha256"], inputs["window"])
    dtype = str(inputs["dtype"]).removeprefix("torch.")
    error = facts["standard_error"]
    return Measurement(
        evaluation_id=entry.id,
        text="-".join([*(str(value)[:12] for value in key_values), dtype, inputs["device"]]),
        perplexity=float(facts["perplexity"]),
        standard_error=float("nan") if error is None else float(error),
        n_documents=int(facts["n_documents"]),
        n_tokens=int(facts["n_tokens"]),
        protocol=facts["protocol"],
    )


def _record(
    workspace: Workspace, entry: Entry, measured: Mapping[tuple[str, str], list[Measurement]]
) -> PlanRecord:
    plan = open_plan(workspace, entry.id)
    try:
        name = read_notes(workspace, entry.id).name
    except FnpruneError:  # the plan is whole; its page tells that its notes are not
        name = ""
    key = (plan.fingerprint, entry.manifest["cut_key"])
    return PlanRecord(
        id=entry.id,
        name=name,
        created=entry.created,
        size_bytes=entry.size_bytes,
        settings=plan.settings,
        fingerprint=plan.fingerprint,
        model_name=plan.model_name,
        recording_id=plan.recording_id,
        decomposition_id=plan.decomposition_id,
        achieved_ratio=plan.achieved_ratio,
        share_of_parameters=plan.share_of_parameters,
        n_preserved=len(plan.preserved),
        n_networks=plan.n_networks,
        n_removed_groups=plan.n_removed_groups,
        measured=tuple(measured.get(key, ())),
        maps_fingerprint=plan.maps_fingerprint,
    )


def delete_plan(workspace: Workspace, plan_id: str) -> None:
    """Delete a plan with its notes; its measurements stay, and are found if it is made again."""
    workspace.delete("plans", plan_id)
    delete_notes(workspace, plan_id)


def differing_settings(records: Sequence[PlanRecord]) -> pd.DataFrame:
    """Return the settings in which plans differ: one row per setting, one column per plan id."""
    all_settings = [dict(_setting_texts(record)) for record in records]
    names = list(dict.fromkeys(name for settings in all_settings for name in settings))
    differing = [
        name for name in names if len({settings.get(name) for settings in all_settings}) > 1
    ]
    columns = {
        record.id: [settings.get(name, "–") for name in differing]
        for record, settings in zip(records, all_settings, strict=True)
    }
    return pd.DataFrame(columns, index=pd.Index(differing, name="setting"))


def _setting_texts(record: PlanRecord) -> Iterator[tuple[str, str]]:
    score = SCORES.get(record.settings.score)
    if score is not None and record.settings.score_version < score.version:
        yield "meaning of the score", "that of earlier versions"
    for name, value in record.settings.to_json().items():
        if name in ("preserved", "score_version"):
            continue
        if isinstance(value, list | tuple):
            value = f"{len(value)}: {_shortened(value)}" if value else "none"
        yield name.replace("_", " "), "none" if value is None else str(value)
    if record.n_preserved:
        yield "networks preserved", f"{record.n_preserved} of {record.n_networks}"
    for field, name in ORIGIN.items():
        yield name, str(getattr(record, field))[:8] or "–"


def _shortened(values: Sequence[Any], most: int = 6) -> str:
    text = ", ".join(map(str, values[:most]))
    return text if len(values) <= most else f"{text}, …"


def overlap(a: PruningPlan, b: PruningPlan) -> pd.DataFrame:
    """Return how far two plans remove the same units: one row per layer, and one of all.

    Returns
    -------
    DataFrame
        Indexed by layer ("all" last): units removed by each (first, second), by both, by one
        alone (first_only, second_only); jaccard = both / either; chance, the same for as many
        units drawn at random in each layer, from expected counts: with a of w and b of w units,
        both = a·b / w. NaN where neither removes any.

    Raises
    ------
    PlanError
        If the plans are for different models.
    """
    if a.layout != b.layout or a.fingerprint != b.fingerprint:
        raise PlanError(
            "These two plans are for different models, whose units have nothing in common.",
            hint="Compare plans of one model.",
        )
    first, second = a.layout.split(~a.keep), b.layout.split(~b.keep)
    rows = pd.DataFrame(
        [
            {
                "first": int(x.sum()),
                "second": int(y.sum()),
                "both": int((x & y).sum()),
                "expected": float(x.sum() * y.sum() / len(x)),
            }
            for x, y in zip(first, second, strict=True)
        ],
        index=pd.Index([str(layer) for layer in range(a.layout.n_layers)], name="layer"),
    )
    rows.loc["all"] = rows.sum()
    counts = rows[["first", "second", "both"]].astype(int)
    rows = counts.assign(
        first_only=counts["first"] - counts["both"],
        second_only=counts["second"] - counts["both"],
        jaccard=_jaccard(counts["both"], counts),
        chance=_jaccard(rows["expected"], counts),
    )
    return rows


def _jaccard(both: pd.Series, counts: pd.DataFrame) -> pd.Series:
    either = counts["first"] + counts["second"] - both
    return (both / either.where(either > 0, np.nan)).astype(float)
