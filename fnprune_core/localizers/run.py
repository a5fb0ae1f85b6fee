"""Run a localizer on an atlas: read the blocks, fit the model, decode; found again by its hash."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fnprune_core.atlas.network_atlas import NetworkAtlas, open_atlas
from fnprune_core.atlas.probe import NetworkProbe
from fnprune_core.decomposition.numbering import check_numbers
from fnprune_core.errors import FnpruneError
from fnprune_core.localizers.blocks import Presentation, present
from fnprune_core.localizers.control import MAPS, fit
from fnprune_core.localizers.decoding import DecodingSettings
from fnprune_core.localizers.glm import Sums, design_matrix
from fnprune_core.localizers.results import COVARIATES, KIND, LocalizerResult
from fnprune_core.localizers.stimuli import Localizer
from fnprune_core.matching.dual_regression import template_of
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.record import token_table
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.manifests import artifact_id, read_manifest
from fnprune_core.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A localizer that was run on an atlas, as a list shows it."""

    id: str
    name: str
    title: str
    contrast: str
    created: str
    accuracy: float
    standard_error: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Responses:
    """Responses to the blocks: networks and directions (K, tokens), units, log p (tokens,)."""

    strengths: NDArray[np.float32]
    directions: dict[str, NDArray[np.float32]]
    unit_effects: NDArray[np.float64]
    log_probability: NDArray[np.float32]


def localizer_inputs(
    language_model: LanguageModel,
    decomposition_id: str,
    localizer: Localizer,
    settings: DecodingSettings,
) -> dict[str, Any]:
    """Return the inputs that determine a result; their hash is its id."""
    return {
        "decomposition_id": decomposition_id,
        "localizer": localizer.sha256,
        "name": localizer.name,
        "settings": asdict(settings),
        "dtype": str(language_model.dtype).removeprefix("torch."),
    }


def localize(
    workspace: Workspace,
    language_model: LanguageModel,
    decomposition_id: str,
    localizer: Localizer,
    *,
    settings: DecodingSettings | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Let the model read a localizer's blocks and compare the responses; return the result's id.

    Each block is read in a window of its own, so that none is remembered in the next. Networks
    are read as the probe reads them, by the maps of the atlas. Memory: one block of signals.

    Raises
    ------
    FingerprintMismatchError
        If the model is not the atlas's.
    TextError
        If items are too short or a block too long; see `present`.
    """
    settings = settings or DecodingSettings()
    atlas = open_atlas(workspace, decomposition_id)
    language_model.check_fingerprint(atlas.decomposition.fingerprint, "atlas")
    inputs = localizer_inputs(language_model, atlas.id, localizer, settings)
    id = artifact_id(KIND, inputs)
    if workspace.has(KIND, id) and LocalizerResult.load(workspace.folder(KIND, id)).directions:
        return id
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    probe = NetworkProbe.prepare(atlas, recording, template=template_of(workspace, atlas))
    presentation = present(
        localizer,
        language_model.tokenizer,
        window=min(probe.window, language_model.context_size or probe.window),
        n_dummy_tokens=probe.n_dummy_tokens,
        seed=settings.seed,
    )
    result = measure(
        probe,
        language_model,
        localizer,
        presentation,
        settings=settings,
        progress=progress,
        cancel=cancel,
    )
    result.save(workspace.folder(KIND, id), inputs)
    return id


def measure(
    probe: NetworkProbe,
    language_model: LanguageModel,
    localizer: Localizer,
    presentation: Presentation,
    *,
    settings: DecodingSettings,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> LocalizerResult:
    """Return the responses to blocks that are already cut."""
    tokens = token_frame(probe.atlas, language_model, presentation)
    usable = tokens[~tokens["is_dummy"]]
    covariates = {name: usable[name].to_numpy() for name in COVARIATES}
    design = design_matrix(usable["block"].to_numpy(), covariates)
    responses = _read_blocks(
        probe, language_model, presentation, design, progress=progress, cancel=cancel
    )
    tokens["log_probability"] = responses.log_probability
    weights, decoding = fit(
        localizer, presentation.blocks, tokens, responses.strengths,
        settings=settings, progress=progress, cancel=cancel,
    )  # fmt: skip
    n_blocks = len(presentation.blocks)
    return LocalizerResult(
        localizer=localizer,
        blocks=presentation.blocks,
        tokens=tokens,
        strengths=responses.strengths,
        network_effects=weights,
        unit_effects=np.where(probe.alive, responses.unit_effects[:n_blocks], 0.0).astype(
            np.float32
        ),
        alive=probe.alive,
        decoding=decoding,
        layout=probe.atlas.layout,
        decomposition_id=probe.atlas.id,
        maps_fingerprint=probe.atlas.maps_fingerprint,
        directions=responses.directions,
        seed=settings.seed,
    )


def _read_blocks(
    probe: NetworkProbe,
    language_model: LanguageModel,
    presentation: Presentation,
    design: pd.DataFrame,
    *,
    progress: Progress,
    cancel: CancelToken,
) -> _Responses:
    """Return the responses to the blocks, read one by one; units' signals are only summed."""
    n_blocks, windows = len(presentation.blocks), presentation.windows
    sums = Sums(design, probe.atlas.layout.n_units)
    strengths, log_probability = [], []
    of_maps = {kind: probe.with_maps(maps(probe.atlas)) for kind, maps in MAPS.items()}
    directions: dict[str, list[NDArray[np.float32]]] = {kind: [] for kind in MAPS}
    row = 0
    for block in range(n_blocks):
        cancel.raise_if_cancelled()
        progress(ProgressEvent(stage="reading blocks", done=block, total=n_blocks, unit="blocks"))
        signals, log_p = probe.signals(language_model, windows, block)
        strengths.append(probe.strengths(signals))
        for kind, other in of_maps.items():
            directions[kind].append(other.strengths(signals))
        log_probability.append(log_p)
        usable_signals = signals[windows.n_dummy_tokens :].numpy()
        sums.add(slice(row, row + len(usable_signals)), usable_signals)
        row += len(usable_signals)
    progress(ProgressEvent(stage="reading blocks", done=n_blocks, total=n_blocks, unit="blocks"))
    relative = np.concatenate(strengths, axis=1) / probe.usual[:, None]
    return _Responses(
        strengths=relative.astype(np.float32),
        directions={kind: np.concatenate(each, axis=1) for kind, each in directions.items()},
        unit_effects=sums.solve(),
        log_probability=np.concatenate(log_probability),
    )


def token_frame(
    atlas: NetworkAtlas, language_model: LanguageModel, presentation: Presentation
) -> pd.DataFrame:
    """Return one row per token: its block and item, and the covariates of the model."""
    windows = presentation.windows
    not_yet_read = np.full(windows.n_tokens, np.nan, dtype=np.float32)
    table = token_table(windows, language_model.tokenizer, not_yet_read)
    counts_by_id = np.bincount(atlas.tokens["token_id"].to_numpy())
    ids = windows.token_ids
    counts = (
        np.where(ids < len(counts_by_id), counts_by_id[np.minimum(ids, len(counts_by_id) - 1)], 0)
        + 1
    )
    return pd.DataFrame(
        {
            "block": presentation.block,
            "item": presentation.item,
            "token_id": ids,
            "text": table["text"],
            "is_dummy": windows.is_dummy,
            "log_probability": not_yet_read,
            "log frequency": np.log(counts / len(atlas.tokens)),
            "position": windows.position / 100,
        }
    )


def open_localizer(workspace: Workspace, id: str, *, match: bool = False) -> LocalizerResult:
    """Return a result of the workspace; `id` may be an unambiguous beginning, or ``"latest"``.

    ``.network_table()`` ranks networks, ``.units`` is the contrast in every unit, ``.decoding``
    the accuracy on held-out templates, ``.localizer`` the stimuli.

    Parameters
    ----------
    match : bool
        Number the networks as the atlas that is here, where it was made anew and numbers them
        otherwise.

    Raises
    ------
    NetworksMovedError
        If it does, and no match was asked for or a network is not there any more.
    """
    result = LocalizerResult.load(workspace.existing(KIND, id))
    renumbering = check_numbers(
        result.maps_fingerprint, workspace, result.decomposition_id,
        what=f"Localizer {result.id}", match=match,
    )  # fmt: skip
    return result if renumbering is None else result.renumbered(renumbering)


def localizers_of(workspace: Workspace, decomposition_id: str) -> Sequence[Found]:
    """Return the localizers that were run on an atlas, newest first, without opening them."""
    rows = []
    for id in workspace.ids(KIND):
        try:
            manifest = read_manifest(workspace.folder(KIND, id))
            if manifest["decomposition_id"] != decomposition_id:
                continue
            decoding = manifest["decoding"]
            rows.append(
                Found(
                    id=id,
                    name=manifest["inputs"]["name"],
                    title=manifest["title"],
                    contrast=manifest["contrast"],
                    created=manifest["created"],
                    **{name: decoding[name] for name in ("accuracy", "standard_error", "p")},
                )
            )
        except (FnpruneError, OSError, KeyError):
            continue  # deleted meanwhile, or damaged: told where it is opened
    return sorted(rows, key=lambda row: row.created, reverse=True)
