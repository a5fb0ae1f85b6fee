"""The values of a ``plan.json``, checked in type and size before a plan is made of them."""

from collections.abc import Mapping
from typing import Any

from fnprune_core.inputs.json_values import items, real, text, whole
from fnprune_core.inputs.numbers import MOST_NETWORKS, MOST_SEED

#: Bounds of what a plan can say; far above any model.
MOST_LAYERS = 1024
MOST_UNITS = 50_000_000
MOST_FILE_BYTES = 256_000_000
MOST_VALUES = 2 * MOST_UNITS

_TEXTS = ("fingerprint", "model_name", "recording_id", "decomposition_id")
_SETTINGS_TEXTS = ("score", "allocation", "compensation")
_SETTINGS_REALS = ("ratio", "attention_ratio")
_SETTINGS_NUMBERS = {
    "sink_units": MOST_UNITS,
    "seed": MOST_SEED,
    "multiple": MOST_UNITS,
    "score_version": MOST_LAYERS,
}
_SETTINGS_LISTS = {
    "preserved": MOST_NETWORKS,
    "pinned_keep": MOST_UNITS,
    "pinned_remove": MOST_UNITS,
}


def checked_values(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a plan as plain Python values: numbers, texts, lists of numbers.

    Raises
    ------
    KeyError
        If a field is missing.
    ValueError
        If one is of another type, or out of bounds.
    """
    widths = [
        _count(width, "a width", MOST_UNITS)
        for width in items(value["widths"], what="widths", most=MOST_LAYERS)
    ]
    if sum(widths) > MOST_UNITS:
        raise ValueError(f"its layers have {sum(widths):,} units, at most {MOST_UNITS:,} are read")
    fields: dict[str, Any] = {name: text(value[name], what=name, longest=1000) for name in _TEXTS}
    return fields | {
        "widths": widths,
        "removed": _indices(value["removed"], "removed"),
        "removed_groups": _indices(value.get("removed_groups", []), "removed_groups"),
        "group_counts": tuple(
            _count(n, "a number of KV groups", MOST_UNITS)
            for n in items(value.get("group_counts", []), what="group_counts", most=MOST_LAYERS)
        ),
        "settings": _settings(value["settings"]),
        "share_of_parameters": real(value["share_of_parameters"], what="share_of_parameters"),
        "thresholds": tuple(
            real(threshold, what="a threshold")
            for threshold in items(value["thresholds"], what="thresholds", most=MOST_LAYERS)
        ),
        "sink_units": tuple(_numbers(value["sink_units"], "sink_units", MOST_UNITS)),
        "preserved": tuple(_numbers(value["preserved"], "preserved", MOST_NETWORKS)),
        "n_networks": whole(value["n_networks"], what="n_networks", high=MOST_NETWORKS),
    }


def _settings(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"settings is {repr(value)[:60]}, an object was expected")
    return {name: _setting(name, setting) for name, setting in value.items()}


def _setting(name: str, value: object) -> Any:
    """Return one setting, checked; one of an unknown name is left to `PlanSettings`."""
    if value is None and name in ("multiple", "preserved", "sink_units"):
        return None
    if name in _SETTINGS_TEXTS:
        return text(value, what=name, longest=100)
    if name in _SETTINGS_REALS:
        return real(value, what=name)
    if name in _SETTINGS_NUMBERS:
        return whole(value, what=name, low=-1, high=_SETTINGS_NUMBERS[name])
    if name in _SETTINGS_LISTS:
        return tuple(_numbers(value, name, _SETTINGS_LISTS[name]))
    if name == "layer_weights":
        weights = items(value, what=name, most=MOST_LAYERS)
        return tuple(real(weight, what="a weight of a layer") for weight in weights)
    if name == "intercept" and type(value) is not bool:
        raise ValueError(f"intercept is {repr(value)[:60]}, true or false was expected")
    return value


def _count(value: object, what: str, most: int) -> int:
    if type(value) is not int:
        raise ValueError(f"{repr(value)[:60]} is not a whole number, as {what} is")
    return whole(value, what=what, low=1, high=most)


def _numbers(value: object, what: str, most: int) -> list[int]:
    return [
        whole(number, what=f"a number of {what}", high=most)
        for number in items(value, what=what, most=most)
    ]


def _indices(value: object, what: str) -> list[list[int]]:
    layers = items(value, what=what, most=MOST_LAYERS)
    indices = []
    for number, layer in enumerate(layers):
        units = items(layer, what=f"{what}, layer {number},", most=MOST_UNITS)
        for unit in units:
            if type(unit) is not int:
                raise ValueError(
                    f"{repr(unit)[:60]} is not a whole number, in {what}, layer {number}"
                )
            whole(unit, what=f"a number in {what}, layer {number},", low=-1, high=MOST_UNITS)
        indices.append(units)
    return indices
