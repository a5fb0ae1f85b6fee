"""The values of a ``plan.json``, checked in type and size before a plan is made of them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from fnprune_core.inputs.numbers import MOST_NETWORKS, MOST_SEED
from fnprune_core.inputs.records import Record, checked

#: Bounds of what a plan can say; far above any model.
MOST_LAYERS = 1024
MOST_UNITS = 50_000_000
MOST_VERSION = MOST_LAYERS
MOST_FILE_BYTES = 256_000_000
MOST_VALUES = 2 * MOST_UNITS

_Layers = Field(max_length=MOST_LAYERS)
_Text = Annotated[str, Field(max_length=1000)]
_Unit = Annotated[int, Field(ge=-1, le=MOST_UNITS)]  # whether it is there, the layout says
_Count = Annotated[int, Field(ge=1, le=MOST_UNITS)]
_Network = Annotated[int, Field(ge=0, le=MOST_NETWORKS)]
_Version = Annotated[int, Field(ge=-1, le=MOST_VERSION)]
_Seed = Annotated[int, Field(ge=-1, le=MOST_SEED)]
_Units = list[Annotated[int, Field(ge=0, le=MOST_UNITS)]]
_Reals = Annotated[list[float], _Layers]
_FromTuple = Field(strict=False)  # settings that were not read from a file hold tuples


class _Settings(Record, extra="forbid"):
    """Settings of a plan, all of them optional; what they may be `PlanSettings` says."""

    score: _Text = ""
    ratio: float = 0
    allocation: _Text = ""
    compensation: _Text = ""
    intercept: bool = False
    sink_units: _Unit | None = None
    preserved: Annotated[list[_Network], _FromTuple] | None = None
    seed: _Seed = 0
    multiple: _Unit | None = None
    pinned_keep: Annotated[_Units, _FromTuple] = Field(default_factory=list)
    pinned_remove: Annotated[_Units, _FromTuple] = Field(default_factory=list)
    attention_ratio: float = 0
    layer_weights: Annotated[_Reals, _FromTuple] = Field(default_factory=list)
    score_version: _Version = 1


class _Plan(Record):
    fingerprint: _Text
    model_name: _Text
    recording_id: _Text
    decomposition_id: _Text
    widths: Annotated[list[_Count], _Layers]
    removed: Annotated[list[list[_Unit]], _Layers]
    removed_groups: Annotated[list[list[_Unit]], _Layers] = Field(default_factory=list)
    group_counts: Annotated[list[_Count], _Layers] = Field(default_factory=list)
    settings: _Settings
    share_of_parameters: float
    thresholds: _Reals
    sink_units: _Units
    preserved: list[_Network]
    n_networks: _Network


_TUPLES = ("group_counts", "thresholds", "sink_units", "preserved")


def checked_values(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a plan as plain Python values: numbers, texts, lists of numbers.

    Raises
    ------
    ValueError
        If a field is missing, of another type, or out of bounds.
    """
    plan = checked(_Plan.model_validate, value)
    if sum(plan.widths) > MOST_UNITS:
        raise ValueError(
            f"its layers have {sum(plan.widths):,} units, at most {MOST_UNITS:,} are read"
        )
    settings = plan.settings.model_dump(exclude_unset=True)
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    fields = {name: getattr(plan, name) for name in _Plan.model_fields}
    return fields | {name: tuple(fields[name]) for name in _TUPLES} | {"settings": settings}
