"""Thresholds that a network's page offers, the calibrated one first."""

import math

import streamlit as st

from app.atlas.atlas_tasks import calibrate
from app.shell import wording
from app.shell.caches import networks as network_page
from app.widgets import job_progress
from app.widgets.body.viewer import set_threshold
from app.widgets.controls import button
from fnprune_core.atlas.chance.calibration import Calibration
from fnprune_core.atlas.network_atlas import NetworkAtlas


def offer(atlas: NetworkAtlas, network: int) -> None:
    """Offer thresholds of the view: the calibrated one, shares, and two that assume a Gaussian."""
    with st.popover("Thresholds", icon=":material/tune:"):
        calibration = network_page.calibration(atlas.id)
        if calibration is None:
            _offer_calibration(atlas)
        else:
            _calibrated(atlas, network, calibration)
        st.caption(
            "Other rules look at this map alone and promise nothing: shares of all units, and two "
            "that assume a Gaussian, which mark thousands even where no two units are active "
            "together."
        )
        for suggestion in network_page.suggestions(atlas.id, network):
            if suggestion.threshold != suggestion.threshold:
                st.markdown(f"{suggestion.rule}: no unit qualifies")
                continue
            _button(suggestion.rule, suggestion.threshold, suggestion.n_units)


def _offer_calibration(atlas: NetworkAtlas) -> None:
    job_progress.offer(
        "calibrate", "Measure chance", "casino", lambda: calibrate(atlas=atlas.id),
        done="Chance was measured", kind="primary", key="calibrate",
        before="**Calibrated**: a threshold that says what of it is chance. It reads the recording "
        "once more, and is kept.",
    )  # fmt: skip


def _calibrated(atlas: NetworkAtlas, network: int, calibration: Calibration) -> None:
    threshold = float(calibration.threshold[network])
    if math.isfinite(threshold):
        _button(
            "Calibrated",
            threshold,
            int((abs(network_page.alive_z(atlas.id, network)) > threshold).sum()),
            is_first=True,
        )
    else:
        st.markdown(
            "**Calibrated: no unit qualifies.** No threshold on this map keeps to the stated "
            "chance. That does not say that no unit takes part."
        )
    st.caption(
        "Tests whether a unit covaries with this time course; it does not say that the network "
        "comes back, nor which units belong to it. Units that were each shifted in time are at "
        "most 5 % of those beyond the calibrated threshold and one in 10,000 of the map, and units "
        "beyond it keep their sign between halves of the documents (r of the two maps "
        f"{calibration.agreement[network]:.2f})."
    )


def _button(rule: str, threshold: float, n_units: int, *, is_first: bool = False) -> None:
    button(
        f"{rule}: |z| > {threshold:.2f}, {wording.count(n_units, 'unit')}",
        key=f"threshold-{rule}",
        does=set_threshold,
        args=(threshold,),
        width="stretch",
        kind="primary" if is_first else "secondary",
    )
