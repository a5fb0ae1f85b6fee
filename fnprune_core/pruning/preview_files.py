"""Previews in a workspace: prepared once for an atlas and its model, then opened without it."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.errors import RatioError
from fnprune_core.models.architectures import feeding_row_norms, output_column_norms
from fnprune_core.models.footprint import Dimensions
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import NEVER, CancelToken, Progress, ignore
from fnprune_core.pruning.preview import Check, Preview
from fnprune_core.recording.recording import Recording, open_recording
from fnprune_core.scores.token_groups import (
    TokenGroups,
    energy_shares,
    group_tokens,
    n_groups_for,
    summarise,
)
from fnprune_core.scores.units import SCORES
from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.folders import check_free_space, new_folder
from fnprune_core.storage.json_files import write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace

_VERSION = 3
_GROUPS, _NORMS = "groups.safetensors", "norms.safetensors"
#: Shares of the networks that the checks drop, and the ratios they check at.
CHECKED_DROPS, CHECKED_RATIOS = (0.125, 0.25, 0.5, 0.875), (0.2, 0.4)


def preview_id(decomposition_id: str) -> str:
    """Return the id of an atlas's preview."""
    return artifact_id("previews", _preview_inputs(decomposition_id))


def _preview_inputs(decomposition_id: str) -> dict[str, Any]:
    return {"decomposition_id": decomposition_id, "version": _VERSION}


def has_preview(workspace: Workspace, decomposition_id: str) -> bool:
    """Whether an atlas's preview was prepared."""
    return workspace.has("previews", preview_id(decomposition_id))


def prepare_preview(
    workspace: Workspace,
    language_model: LanguageModel,
    decomposition_id: str,
    *,
    n_groups: int | None = None,
    seed: int = 0,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Prepare an atlas's preview and check it against exact plans; return its id.

    One pass over the recording. The model is asked for its norms and dimensions only.

    Raises
    ------
    FingerprintMismatchError
        If the atlas is of another model.
    """
    atlas = open_atlas(workspace, decomposition_id)
    language_model.check_fingerprint(atlas.decomposition.fingerprint, "atlas")
    id = preview_id(atlas.id)
    if workspace.has("previews", id):
        return id
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    target = workspace.folder("previews", id)
    n_usable = int((~recording.is_dummy).sum())
    count = n_groups or n_groups_for(recording.layout.n_units, n_usable)
    check_free_space(target, 4 * count * recording.layout.n_units)
    group = group_tokens(energy_shares(atlas), recording.is_dummy, count, seed=seed)
    preserved_sets = _drawn_preserved_sets(atlas.n_networks, seed)
    rules = {
        score: row.weighting(atlas) for score, row in SCORES.items() if row.weighting.of_networks
    }
    weights = np.array(
        [
            SCORES[score].counted(recording.is_dummy, rule.of(preserved))
            for score, rule in rules.items()
            for preserved in preserved_sets
        ]
    )
    summary = summarise(recording, group, count, weights=weights, progress=progress, cancel=cancel)
    preview = Preview(
        groups=summary.groups,
        atlas=atlas,
        dimensions=Dimensions.of(language_model),
        norms=_norms(language_model, recording),
        context=recording.windows.window,
    )
    cases = [(score, preserved) for score in rules for preserved in preserved_sets]
    checks = _checks(preview, cases, summary.variance)
    facts = {
        "dimensions": preview.dimensions.to_json(),
        "context": preview.context,
        "n_groups": count,
        "checks": [asdict(check) for check in checks],
    }
    with new_folder(target) as folder:
        preview.groups.save(folder / _GROUPS)
        save_file(dict(preview.norms), folder / _NORMS)
        write_json(folder / MANIFEST, manifest_of("previews", _preview_inputs(atlas.id), facts))
    return id


def open_preview(
    workspace: Workspace, decomposition_id: str, *, atlas: NetworkAtlas | None = None
) -> Preview:
    """Return an atlas's preview, prepared before; an open `atlas` is not opened again."""
    network_atlas = atlas or open_atlas(workspace, decomposition_id)
    folder = workspace.existing("previews", preview_id(network_atlas.id))
    manifest = read_manifest(folder)
    with damage_told(folder, "Delete it; the preview is prepared again."):
        norms = load_file(checked(folder, manifest, _NORMS))
        return Preview(
            groups=TokenGroups.load(checked(folder, manifest, _GROUPS)),
            atlas=network_atlas,
            dimensions=Dimensions.from_json(manifest["dimensions"]),
            norms=norms,
            checks=[Check(**check) for check in manifest["checks"]],
            context=int(manifest["context"]),
        )


def open_norms(workspace: Workspace, decomposition_id: str) -> dict[str, NDArray[Any]]:
    """Return the norms of each unit's weights that a preview holds, as `Preview.norms`."""
    folder = workspace.existing("previews", preview_id(decomposition_id))
    with damage_told(folder, "Delete it; the preview is prepared again."):
        return dict(load_file(checked(folder, read_manifest(folder), _NORMS)))


def _norms(language_model: LanguageModel, recording: Recording) -> dict[str, NDArray[Any]]:
    model, architecture = language_model.model, language_model.architecture
    return {
        "column_norms": output_column_norms(model, architecture).numpy(),
        "column_sums": output_column_norms(model, architecture, power=1).numpy(),
        "feeding_norms": feeding_row_norms(model, architecture).numpy(),
        "dummy_max": recording.dummy_max,
    }


def _drawn_preserved_sets(n_networks: int, seed: int) -> list[tuple[int, ...]]:
    """Return the preserved networks of each check, drawn at random."""
    rng = np.random.default_rng(seed)
    preserved_sets = []
    for share in CHECKED_DROPS:
        n_kept = n_networks - min(max(round(share * n_networks), 1), n_networks - 1)
        preserved = rng.permutation(n_networks)[:n_kept]
        preserved_sets.append(tuple(sorted(int(k) for k in preserved)))
    return preserved_sets


def _checks(
    preview: Preview, cases: list[tuple[str, tuple[int, ...]]], variance: NDArray[np.float64]
) -> list[Check]:
    """Return how far the units of each preview agree with those by exact variances."""
    checks = []
    for (score, preserved), exact_variance in zip(cases, variance, strict=True):
        for ratio in CHECKED_RATIOS:
            settings = PlanSettings(score=score, preserved=preserved, ratio=ratio)
            try:
                is_removed_in_preview = ~preview.keep(settings)
                removed = preview.choose(exact_variance * preview.norms["column_norms"], settings)
            except RatioError:  # a small model may not have so many units to give
                continue
            is_removed = ~preview.layout.keep_of(removed)
            checks.append(
                Check(
                    n_dropped=preview.atlas.n_networks - len(preserved),
                    ratio=ratio,
                    score=score,
                    agreement=float(
                        (is_removed & is_removed_in_preview).sum() / max(is_removed.sum(), 1)
                    ),
                )
            )
    return checks
