"""What an artifact is, in one line."""

from collections.abc import Callable, Mapping
from typing import Any

from fnprune_core.storage.workspace import Entry


def describe(entry: Entry) -> str:
    """Return a description of an artifact, in one line."""
    if entry.kind not in _DESCRIBE:
        return str(entry.manifest.get("model_name", entry.id))
    return _DESCRIBE[entry.kind](entry.manifest, entry.manifest.get("inputs", {}))


def _atlas(inputs: dict[str, Any]) -> str:
    return str(inputs["decomposition_id"])[:8]


def _recording(facts: dict[str, Any], _: dict[str, Any]) -> str:
    windows = facts["windows"]
    domains = ", ".join(windows["domain_names"])
    return f"{windows['n_tokens']:,} tokens of {domains} ({facts['model_name']})"


def _decomposition(facts: dict[str, Any], _: dict[str, Any]) -> str:
    settings = facts["settings"]
    if "applied_from" in settings:
        return f"{facts['n_networks']} networks, applied from {settings['applied_from'][:8]}"
    scope = "whole model" if settings["scope"] == "model" else "layer by layer"
    return f"{facts['n_networks']} networks, {scope}, {settings['algorithm']}"


_DESCRIBE: Mapping[str, Callable[[dict[str, Any], dict[str, Any]], str]] = {
    "recordings": _recording,
    "decompositions": _decomposition,
    "layouts": lambda facts, _: (
        f"cortex of {sum(facts['widths']):,} units in {len(facts['widths'])} layers"
    ),
    "assessments": lambda _, inputs: f"trust ({inputs['part']}) of atlas {_atlas(inputs)}",
    "embeddings": lambda _, inputs: f"t-SNE of atlas {_atlas(inputs)}",
    "directions": lambda _, inputs: f"random directions beside atlas {_atlas(inputs)}",
    "plans": lambda facts, inputs: (
        f"{100 * facts['achieved_ratio']:.1f} % of units go, "
        f"by {inputs.get('settings', {}).get('score', 'imported')}"
    ),
    "evaluations": lambda facts, _: (
        f"perplexity {facts['perplexity']:.2f} of "
        f"{'a plan' if facts.get('plan_id') else 'the dense model'}, {facts['n_tokens']:,} tokens"
    ),
    "exports": lambda facts, _: (
        f"{facts['model_name']}, pruned, in the form {facts.get('form', '')}"
    ),
}
