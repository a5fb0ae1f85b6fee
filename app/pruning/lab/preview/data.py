"""Cached data of the preview: the open preview of an atlas, and its plans by settings."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.figures import raster
from app.pruning.lab.preview.figures import Sheets
from app.shell import resources
from app.shell.caching import cached
from fnprune_core.errors import FnpruneError
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import preview_costs as costs
from fnprune_core.pruning import preview_files
from fnprune_core.pruning.preview import Preview, PreviewedPlan


def is_prepared(atlas_id: str) -> bool:
    """Whether an atlas's preview was prepared."""
    return preview_files.has_preview(resources.workspace(), atlas_id)


@cached(max_entries=1, spinner="Opening the preview")
def preview_of(atlas_id: str) -> Preview:
    """Return an atlas's preview; one is kept in memory, up to 200 MB."""
    return preview_files.open_preview(
        resources.workspace(), atlas_id, atlas=resources.atlas(atlas_id)
    )


@cached(max_entries=32)
def previewed(atlas_id: str, settings: PlanSettings) -> PreviewedPlan:
    """Return the preview of a plan with settings that are `relevant`."""
    return preview_of(atlas_id).plan(settings)


@cached(max_entries=64)
def losses(atlas_id: str, settings: PlanSettings, z: float | None) -> pd.DataFrame:
    """Return what each network loses, one row per network, under settings that are `relevant`.

    ``network``; ``units``, the share of its parcel's units that would go, NaN without any;
    ``energy``, the share of its energy.
    """
    preview, keep = preview_of(atlas_id), previewed(atlas_id, settings).keep
    labels, n = parcels(atlas_id, z), resources.atlas(atlas_id).n_networks
    size = np.bincount(labels + 1, minlength=n + 1)[1:]
    n_gone = np.bincount(labels[~keep] + 1, minlength=n + 1)[1:]
    return pd.DataFrame(
        {
            "network": np.arange(n),
            "units": np.where(size > 0, n_gone / np.maximum(size, 1), np.nan),
            "energy": costs.energy_gone(preview, keep),
        }
    )


@cached(max_entries=32, spinner="Estimating what each network costs", alone=True)
def network_costs(atlas_id: str, settings: PlanSettings) -> pd.DataFrame:
    """Return the cost of dropping each network under settings that are `relevant`."""
    return costs.network_costs(preview_of(atlas_id), settings)


def relevant(settings: PlanSettings) -> PlanSettings:
    """Return the settings without those that do not change which units go."""
    return replace(settings, compensation="none", intercept=False)


def agreement_with(plan_id: str, atlas_id: str, settings: PlanSettings) -> float | None:
    """Return the share of a plan's removed units that the preview removes too.

    None if the plan was made with other settings.
    """
    try:
        plan = resources.plan(plan_id)
    except FnpruneError:  # the page tells that where the plan is opened
        return None
    preview = previewed(atlas_id, relevant(settings))
    if plan.decomposition_id != atlas_id or relevant(plan.settings) != preview.settings:
        return None
    is_removed = ~plan.keep
    return float((is_removed & ~preview.keep).sum() / max(is_removed.sum(), 1))


def sheets(
    atlas_id: str,
    keep: NDArray[np.bool_],
    *,
    z: float | None,
    stay: tuple[int, ...],
    go: tuple[int, ...],
) -> Sheets:
    """Return the sheets of the cortex, or layers with units grouped by network without one."""
    atlas, cortex = resources.atlas(atlas_id), resources.cortex(atlas_id)
    return Sheets(
        unit=_grouped_units(atlas_id) if cortex is None else cortex.unit_volume(),
        first=atlas.layout.offsets[:-1],
        network=parcels(atlas_id, z),
        keep=keep,
        stay=stay,
        go=go,
    )


@cached(max_entries=4)
def parcels(atlas_id: str, z: float | None) -> NDArray[np.int64]:
    """Return the strongest of the networks that each unit belongs to, −1 where it is in none."""
    return resources.atlas(atlas_id).parcellation(z=z)


@cached(max_entries=2)
def _grouped_units(atlas_id: str) -> NDArray[np.int64]:
    """Return units as sheets, each layer's in the order of their networks."""
    atlas = resources.atlas(atlas_id)
    widths = atlas.layout.widths
    units = raster.by_layer(np.arange(atlas.layout.n_units), widths, fill=-1)
    labels = raster.by_layer(atlas.strongest[0].astype(np.int64), widths, fill=10**6)
    order = np.argsort(labels, axis=1, kind="stable")
    grouped = np.take_along_axis(units, order, axis=1)
    n_rows = max(1, round((grouped.shape[1] / 1.5) ** 0.5))
    n_columns = -(-grouped.shape[1] // n_rows)
    padded = np.full((len(grouped), n_rows * n_columns), -1, dtype=np.int64)
    padded[:, : grouped.shape[1]] = grouped
    return padded.reshape(len(grouped), n_rows, n_columns)
