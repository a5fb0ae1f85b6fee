"""Which plans can be compared with one another, and what was measured of them on one text."""

from collections.abc import Mapping
from typing import Any

from fnprune_core.evaluation.compare import evaluations_of
from fnprune_core.evaluation.results import DENSE
from fnprune_core.scores.units import SCORES, plan_label
from fnprune_core.storage import Workspace, read_manifest


def comparable_plans(workspace: Workspace, plan_id: str) -> dict[str, str]:
    """Return plans that differ from one in what the score alone decides: label to id.

    They are of the same recording, ratio, allocation, sink rule, pins and compensation; a score
    that brings its own allocation and sink rule is compared with those. In the order of the table
    of scores; of several that are alike the newest.
    """
    entries = workspace.entries("plans")
    own: dict[str, Any] = next((e.manifest["inputs"] for e in entries if e.id == plan_id), {})
    by_label: dict[str, tuple[str, str]] = {}
    for entry in entries:
        inputs = entry.manifest["inputs"]
        if "settings" in own and "settings" in inputs and _differ_in_score(inputs, own):
            score, seed = inputs["settings"]["score"], inputs["settings"]["seed"]
            if score in SCORES:
                by_label.setdefault(plan_label(score, seed), (score, entry.id))
    order = list(SCORES)
    labels = sorted(by_label, key=lambda label: (order.index(by_label[label][0]), label))
    return {label: by_label[label][1] for label in labels}


def _differ_in_score(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    first, second = a["settings"], b["settings"]
    ignored = {"score", "seed", "preserved"}
    rows = [SCORES[each["score"]] for each in (first, second) if each["score"] in SCORES]
    if any(row.allocation is not None for row in rows):
        ignored |= {"allocation", "sink_units"}
    same = (first.keys() | second.keys()) - ignored
    return bool(
        a["recording_id"] == b["recording_id"]
        and first["score"] != second["score"]
        and all(first.get(name) == second.get(name) for name in same)
    )


def measured_together(workspace: Workspace, plan_id: str, *, label: str) -> dict[str, str]:
    """Return the evaluations of the dense model, a plan and those comparable with it, by label.

    All on one text: the one on which the plan was measured last. Empty where it never was.

    Parameters
    ----------
    label : str
        What the plan itself is called.
    """
    own = _on_a_text(workspace, plan_id, text="")
    ids = {name: own[key] for name, key in ((DENSE, DENSE), (label, "")) if key in own}
    if label in ids:
        text = _text_of(workspace, ids[label])
        for rival, id in comparable_plans(workspace, plan_id).items():
            measured = _on_a_text(workspace, id, text=text)
            if "" in measured:
                ids.setdefault(rival, measured[""])
    return ids


def _on_a_text(workspace: Workspace, plan_id: str, *, text: str) -> dict[str, str]:
    """Return evaluations on a text, by default the newest: of the dense model, and ("") a plan."""
    ids: dict[str, str] = {}
    for name, id in evaluations_of(workspace, plan_id).items():
        text = text or _text_of(workspace, id)
        if _text_of(workspace, id) == text:
            ids.setdefault(DENSE if name.startswith(DENSE) else "", id)
    return ids


def _text_of(workspace: Workspace, evaluation_id: str) -> str:
    manifest = read_manifest(workspace.existing("evaluations", evaluation_id))
    return str(manifest["inputs"]["text_sha256"])
