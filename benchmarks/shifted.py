"""What thresholds mark in an atlas, and in one of the same units that are never active together.

Run: ``python benchmarks/shifted.py [--atlas latest] [--seed 0]``, on a workspace with an atlas of
all signals. Every unit is shifted in time by itself, and the networks are found anew with the
atlas's settings: what a threshold marks in them is chance. Prints a table in Markdown and JSON.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.chance.calibration import Calibration, calibrate
from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.atlas.thresholds import suggested_thresholds
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.recording.recording import Recording, open_recording
from fnprune_core.recording.sessions import Sessions
from fnprune_core.recording.shifted import ShiftedSessions
from fnprune_core.storage.workspace import Workspace

CALIBRATED, PLAIN = "calibrated on shifts and halves", "|z| > 3"
#: Rules that have a number of their own; the others mark a share, whatever there is.
RULES = ("Gaussian part below 5 %", "more tail than Gaussian")


def atlas_of_shifted(recording: Recording, atlas: NetworkAtlas, *, seed: int) -> NetworkAtlas:
    """Return the networks of units that are shifted each by itself, with the atlas's settings."""
    ica = GroupICA(**atlas.decomposition.settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of noise a run may not converge
        found = ica.fit(ShiftedSessions(recording, seed=seed)).result_
    return NetworkAtlas(found, recording.tokens)


def marked(atlas: NetworkAtlas, calibration: Calibration) -> dict[str, NDArray[np.int64]]:
    """Return the units that each rule marks in each map, (K,) by rule."""
    maps = atlas.maps[:, atlas.decomposition.alive]
    counts: dict[str, list[int]] = {rule: [] for rule in (CALIBRATED, PLAIN, *RULES)}
    for z, threshold in zip(maps, calibration.threshold, strict=True):
        counts[CALIBRATED].append(int((np.abs(z) > np.nan_to_num(threshold, nan=np.inf)).sum()))
        counts[PLAIN].append(int((np.abs(z) > 3).sum()))
        for each in suggested_thresholds(z):
            if each.rule in RULES:
                counts[each.rule].append(each.n_units)
    return {rule: np.array(values, dtype=np.int64) for rule, values in counts.items()}


def measured(sessions: Sessions, atlas: NetworkAtlas) -> dict[str, dict[str, float]]:
    """Return, by rule, the median of the units marked and the maps in which any is."""
    found = marked(atlas, calibrate(sessions, atlas))
    return {
        rule: {"median_units": float(np.median(n)), "maps_with_any": int((n > 0).sum())}
        for rule, n in found.items()
    }


def main() -> int:
    """Print what each rule marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atlas", default="latest")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", type=Path, default=Workspace.default().root)
    options = parser.parse_args()
    workspace = Workspace(options.workspace)
    atlas = open_atlas(workspace, options.atlas)
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    real = measured(recording, atlas)
    shifted = measured(
        ShiftedSessions(recording, seed=options.seed),
        atlas_of_shifted(recording, atlas, seed=options.seed),
    )
    print("| rule | units marked in the atlas | in shifted units | maps with any | shifted |")
    print("|---|---|---|---|---|")
    for rule, here in real.items():
        there = shifted[rule]
        name = rule.replace("|", r"\|")
        print(
            f"| {name} | {here['median_units']:,.0f} | {there['median_units']:,.0f} | "
            f"{here['maps_with_any']} | {there['maps_with_any']} |"
        )
    facts = {"atlas": atlas.id, "n_networks": atlas.n_networks, "seed": options.seed}
    print(json.dumps({**facts, "atlas_marks": real, "shifted_marks": shifted}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
