"""Plans that can be compared with one another, and their evaluations on one text."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.results import DENSE, is_elsewhere, open_evaluation
from fnprune_core.plans.files import stored_plan
from fnprune_core.scores.units import SCORES, plan_label
from fnprune_core.storage.checksums import readable
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Entry, Workspace


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

    All on one text: the one on which the plan was measured last. Empty where it never was. A
    comparable plan that cannot be read is left out.

    Parameters
    ----------
    label : str
        Label of the plan itself.
    """
    own_ids = _evaluations_on(workspace, plan_id, text="")
    ids = {name: own_ids[key] for name, key in ((DENSE, DENSE), (label, "")) if key in own_ids}
    if label in ids:
        text = _text_of(workspace, ids[label])
        rivals = comparable_plans(workspace, plan_id)
        ids_of_rivals, _ = readable(
            rivals, lambda rival: _evaluations_on(workspace, rivals[rival], text=text)
        )
        for rival, rival_ids in ids_of_rivals.items():
            if "" in rival_ids:
                ids.setdefault(rival, rival_ids[""])
    return ids


def evaluations_of(
    workspace: Workspace, plan_id: str, *, elsewhere: bool = False
) -> dict[str, str]:
    """Return the evaluations of a plan and of the dense model on the same texts, by label.

    Those that cannot be read are left out; `unreadable_evaluations` says why.

    Parameters
    ----------
    elsewhere : bool
        Those on the text that no choice saw, in place of all others.
    """
    cut_key = stored_plan(workspace, plan_id).cut_key
    entries, _ = _related(workspace, cut_key, elsewhere=elsewhere)
    ids: dict[str, str] = {}
    for entry in entries:
        if entry.manifest["inputs"]["cut_key"] == cut_key:
            dense_inputs = _dense_inputs(entry)
            dtype = dense_inputs["dtype"].removeprefix("torch.")
            text = dense_inputs["text_sha256"][:8]
            protocol = f"text {text}, {dtype} on {dense_inputs['device']}"
            ids[f"pruned, {protocol}"] = entry.id
            for other in entries:
                if other.manifest["inputs"] == dense_inputs:
                    ids[f"{DENSE}, {protocol}"] = other.id
    return ids


def unreadable_evaluations(workspace: Workspace, plan_id: str) -> list[FnpruneError]:
    """Return why evaluations of a plan, or of the dense model on its texts, cannot be read."""
    cut_key = stored_plan(workspace, plan_id).cut_key
    sides = (_related(workspace, cut_key, elsewhere=elsewhere) for elsewhere in (False, True))
    return [error for _, errors in sides for error in errors]


def _related(
    workspace: Workspace, cut_key: str, *, elsewhere: bool
) -> tuple[list[Entry], list[FnpruneError]]:
    """Return the evaluations of a cut and of the dense model on the same texts, newest first.

    And why others cannot be read.
    """
    entries = [
        entry
        for entry in workspace.entries("evaluations")
        if not entry.manifest.get("failure") and is_elsewhere(entry.manifest) == elsewhere
    ]
    own = [entry for entry in entries if entry.manifest["inputs"]["cut_key"] == cut_key]
    dense_inputs = [_dense_inputs(entry) for entry in own]
    related = {
        entry.id: entry
        for entry in entries
        if entry in own or entry.manifest["inputs"] in dense_inputs
    }
    results, errors = readable(related, partial(open_evaluation, workspace))
    return [related[id] for id in results], errors


def _dense_inputs(entry: Entry) -> dict[str, Any]:
    return {**entry.manifest["inputs"], "cut_key": DENSE}


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
