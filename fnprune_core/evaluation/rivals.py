"""Plans that can be compared with one another, and their evaluations on one text."""

from collections.abc import Mapping
from typing import Any

from fnprune_core.evaluation.compare import evaluations_of
from fnprune_core.evaluation.results import DENSE
from fnprune_core.scores.units import SCORES, plan_label
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Workspace


def comparable_plans(workspace: Workspace, plan_id: str) -> dict[str, str]:
    """Return the plans that differ from one by the score alone: label to id.

    They are of the same recording, ratio, allocation, pins and compensation, and keep the same
    sink units or those that their scores need; a method that brings its own allocation and
    compensation is compared with those. In the order of the table of scores; of several that are
    alike the newest.
    """
    entries = workspace.entries("plans")
    own_inputs: dict[str, Any] = next(
        (entry.manifest["inputs"] for entry in entries if entry.id == plan_id), {}
    )
    by_label: dict[str, tuple[str, str]] = {}
    for entry in entries:
        inputs = entry.manifest["inputs"]
        if (
            "settings" in own_inputs
            and "settings" in inputs
            and _differ_in_score(inputs, own_inputs)
        ):
            score, seed = inputs["settings"]["score"], inputs["settings"]["seed"]
            if score in SCORES:
                by_label.setdefault(plan_label(score, seed), (score, entry.id))
    order = list(SCORES)
    labels = sorted(by_label, key=lambda label: (order.index(by_label[label][0]), label))
    return {label: by_label[label][1] for label in labels}


def _differ_in_score(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    first, second = a["settings"], b["settings"]
    ignored = {"score", "seed", "preserved", "score_version"}
    own_sinks = []
    for settings in (first, second):
        score = SCORES.get(settings["score"])
        if score is not None:
            ignored |= score.fixes.keys()
            own_sinks.append(settings["sink_units"] == score.sink_units)
    if len(own_sinks) == 2 and all(own_sinks):
        ignored.add("sink_units")
    compared = (first.keys() | second.keys()) - ignored
    return bool(
        a["recording_id"] == b["recording_id"]
        and first["score"] != second["score"]
        and all(first.get(name) == second.get(name) for name in compared)
    )


def measured_together(workspace: Workspace, plan_id: str, *, label: str) -> dict[str, str]:
    """Return the evaluations of the dense model, a plan and those comparable with it, by label.

    All on one text: the one on which the plan was measured last. Empty where it never was.

    Parameters
    ----------
    label : str
        Label of the plan itself.
    """
    own_ids = _evaluations_on(workspace, plan_id, text="")
    ids = {name: own_ids[key] for name, key in ((DENSE, DENSE), (label, "")) if key in own_ids}
    if label in ids:
        text = _text_of(workspace, ids[label])
        for rival, id in comparable_plans(workspace, plan_id).items():
            rival_ids = _evaluations_on(workspace, id, text=text)
            if "" in rival_ids:
                ids.setdefault(rival, rival_ids[""])
    return ids


def _evaluations_on(workspace: Workspace, plan_id: str, *, text: str) -> dict[str, str]:
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
