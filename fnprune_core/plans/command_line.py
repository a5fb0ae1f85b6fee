"""The command line that makes a plan again."""

import shlex
from collections.abc import Iterable, Mapping

import numpy as np

from fnprune_core.models.layout import UnitLayout
from fnprune_core.plans.plan import PlanSettings

#: Told even at their defaults: what a plan is, first of all.
_ALWAYS = ("score", "ratio", "allocation", "compensation", "sink_units")


def plan_command(
    settings: PlanSettings, *, recording_id: str, decomposition_id: str, layout: UnitLayout
) -> str:
    """Return the command that makes a plan with these settings, without the model's option.

    Parameters
    ----------
    decomposition_id : str
        Empty where the score knows no networks.
    """
    options: dict[str, object] = {}
    flags = ""
    if decomposition_id:
        options["--decomposition"] = decomposition_id
    default = PlanSettings().to_json()
    for name, value in settings.to_json().items():
        if name == "score_version" or value is None:  # no choice of anyone's
            continue
        if value == default.get(name) and name not in _ALWAYS:
            continue
        if name == "preserved":
            options["--preserve"] = ranges(value)
        elif name in ("pinned_keep", "pinned_remove"):
            layer, index = layout.locate(np.array(value))
            units = ",".join(f"{a}:{b}" for a, b in zip(layer, index, strict=True))
            options["--keep-units" if name == "pinned_keep" else "--remove-units"] = units
        elif name == "layer_weights":
            options["--layer-weights"] = ",".join(f"{weight:g}" for weight in value)
        elif isinstance(value, bool):
            flags += f" --{name.replace('_', '-')}" if value else ""
        else:
            options[f"--{name.replace('_', '-')}"] = value
    return f"fnprune plan {recording_id}{spelled(options)}{flags}"


def spelled(options: Mapping[str, object]) -> str:
    """Return options with their values as a shell takes them."""
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in options.items())


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers as the command line takes them: 0-3,7."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
