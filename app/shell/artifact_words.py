"""What an artifact is, in one line."""

from collections.abc import Callable, Mapping
from typing import Any

from fnprune_core.storage.workspace import Entry


def describe(entry: Entry) -> str:
    """Return a description of an artifact, in one line."""
    if entry.kind not in _DESCRIBE:
        return str(entry.manifest.get("model_name", entry.id))
    return _DESCRIBE[entry.kind](entry.manifest, entry.manifest.get("inputs", {}))


def _recording(facts: dict[str, Any], inputs: dict[str, Any]) -> str:
    windows = facts["windows"]
    domains = ", ".join(windows["domain_names"])
    return f"{windows['n_tokens']:,} tokens of {domains} ({facts['model_name']})"


def _decomposition(facts: dict[str, Any], inputs: dict[str, Any]) -> str:
    settings = facts["settings"]
    if "applied_from" in settings:
        return f"{facts['n_networks']} networks, applied from {settings['applied_from'][:8]}"
    scope = "whole model" if settings["scope"] == "model" else "layer by layer"
    return f"{facts['n_networks']} networks, {scope}, {settings['algorithm']}"


def _plan(facts: dict[str, Any], inputs: dict[str, Any]) -> str:
    score = inputs.get("settings", {}).get("score", "imported")
    return f"{100 * facts['achieved_ratio']:.1f} % of units go, by {score}"


def _evaluation(facts: dict[str, Any], inputs: dict[str, Any]) -> str:
    model_text = "a plan" if facts.get("plan_id") else "the dense model"
    return f"perplexity {facts['perplexity']:.2f} of {model_text}, {facts['n_tokens']:,} tokens"


def _layout(facts: dict[str, Any], inputs: dict[str, Any]) -> str:
    return f"cortex of {sum(facts['widths']):,} units in {len(facts['widths'])} layers"


def _assessment(facts: dict[str, Any], inputs: dict[str, Any]) -> str:
    return f"trust ({inputs['part']}) of atlas {inputs['decomposition_id'][:8]}"


def _embedding(facts: dict[str, Any], inputs: dict[str, Any]) -> str:
    return f"UMAP of atlas {inputs['decomposition_id'][:8]}"


def _directions(facts: dict[str, Any], inputs: dict[str, Any]) -> str:
    return f"random directions beside atlas {inputs['decomposition_id'][:8]}"


def _export(facts: dict[str, Any], inputs: dict[str, Any]) -> str:
    return f"{facts['model_name']}, pruned, in the form {facts.get('form', '')}"


_DESCRIBE: Mapping[str, Callable[[dict[str, Any], dict[str, Any]], str]] = {
    "recordings": _recording,
    "decompositions": _decomposition,
    "layouts": _layout,
    "assessments": _assessment,
    "embeddings": _embedding,
    "directions": _directions,
    "plans": _plan,
    "evaluations": _evaluation,
    "exports": _export,
}
