"""A text in the live scanner: read, or written from a prompt, healthy and under a lesion."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fnprune_core.atlas.live import LiveRun, run_of
from fnprune_core.atlas.probe import NetworkProbe
from fnprune_core.errors import SettingsError, TextError
from fnprune_core.evaluation.generation import Prompt, Sampling, encode, generate_stream
from fnprune_core.lesions.sites import Lesion, LesionSettings, LesionSites
from fnprune_core.matching.dual_regression import open_probe
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import Windows

#: Of a text in the live scanner: each is a frame.
MOST_TOKENS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOrder:
    """Order for the live scanner: a text to be read, or a prompt to be continued.

    Parameters
    ----------
    decomposition_id : str
    text : str
        What is read; empty where a prompt is given.
    prompt : Prompt, optional
        What the healthy model goes on from; its text is then read.
    sampling : Sampling
        How it writes.
    lesion : Lesion, optional
        Under which the same text is read once more.
    settings : LesionSettings
        Threshold, target and sink units of the lesion.
    """

    decomposition_id: str
    text: str = ""
    prompt: Prompt | None = None
    sampling: Sampling = Sampling()  # noqa: RUF009 - frozen
    lesion: Lesion | None = None
    settings: LesionSettings = LesionSettings()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if bool(self.text) == (self.prompt is not None):
            raise SettingsError(
                "The live scanner takes a text or a prompt, and got both or neither.",
                hint="Give a text to be read, or a prompt to be continued.",
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveTexts:
    """A text in the live scanner, healthy and lesioned in step.

    Parameters
    ----------
    healthy : LiveRun
    lesioned : LiveRun or None
        The same tokens, read under the lesion.
    silenced : ndarray (n_units,) or None
        The units that the lesion takes.
    n_prompt_tokens : int
        First tokens that were given to the model, where it wrote the others; else 0.
    """

    healthy: LiveRun
    lesioned: LiveRun | None = None
    silenced: NDArray[np.bool_] | None = None
    n_prompt_tokens: int = 0


def run_live(
    workspace: Workspace,
    language_model: LanguageModel,
    order: LiveOrder,
    *,
    probe: NetworkProbe | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> LiveTexts:
    """Return the networks and the surprise at each token of a text, read or written here.

    What is written is read once more as a whole: by then the model has seen the same tokens, so
    its signals are those at writing.

    Parameters
    ----------
    probe : NetworkProbe, optional
        The atlas made ready, where it is at hand.

    Raises
    ------
    TextError
        If the text cannot be read, or has over `MOST_TOKENS` tokens.
    SettingsError
        If the lesion takes no unit, or all.
    """
    ready = probe or open_probe(workspace, order.decomposition_id)
    n_prompt_tokens = 0
    if order.prompt is None:
        windows = ready.cut(language_model, order.text)
    else:
        prompt_ids = _checked_prompt(ready, language_model, order.prompt, order.sampling)
        ids = _written(language_model, prompt_ids, order.sampling, progress, cancel)
        windows = _windows_of([*prompt_ids, *ids], ready, language_model)
        n_prompt_tokens = len(prompt_ids)
    check_length(windows.n_tokens)
    healthy = ready.read_windows(language_model, windows, progress=progress, cancel=cancel)
    if order.lesion is None:
        return LiveTexts(healthy=run_of(healthy), n_prompt_tokens=n_prompt_tokens)
    recording = open_recording(workspace, ready.atlas.decomposition.recording_id)
    sites = LesionSites(ready.atlas, recording, language_model, settings=order.settings)
    units = sites.members(order.lesion.networks)
    lesioned = ready.read_windows(
        language_model,
        windows,
        condition=partial(sites.silence, units, order.lesion),
        progress=progress,
        cancel=cancel,
    )
    return LiveTexts(
        healthy=run_of(healthy),
        lesioned=run_of(lesioned),
        silenced=units,
        n_prompt_tokens=n_prompt_tokens,
    )


def check_length(n_tokens: int) -> None:
    """Refuse a text that is too long to be played; raises `TextError`."""
    if n_tokens > MOST_TOKENS:
        raise TextError(
            f"The text has {n_tokens:,} tokens, too many: the live scanner plays up to "
            f"{MOST_TOKENS:,}.",
            hint="Shorten it, or use the probe, which reads longer texts.",
        )


def _checked_prompt(
    probe: NetworkProbe, language_model: LanguageModel, prompt: Prompt, sampling: Sampling
) -> tuple[int, ...]:
    language_model.check_fingerprint(probe.atlas.decomposition.fingerprint, "atlas")
    ids = encode(language_model, prompt)
    check_length(len(ids) + sampling.max_new_tokens)
    return ids


def _written(
    language_model: LanguageModel,
    prompt_ids: Sequence[int],
    sampling: Sampling,
    progress: Progress,
    cancel: CancelToken,
) -> list[int]:
    """Return the tokens that the healthy model writes, without the one that ends the text."""
    ids: list[int] = []
    for text in generate_stream(language_model, prompt_ids, sampling=sampling, cancel=cancel):
        ids = text.token_ids.tolist()[: -1 if text.stop == "end" else None]
        progress(
            ProgressEvent(
                stage="writing",
                done=text.n_tokens,
                total=sampling.max_new_tokens,
                unit="tokens",
            )
        )
    return ids


def _windows_of(ids: Sequence[int], probe: NetworkProbe, language_model: LanguageModel) -> Windows:
    """Return tokens in windows as long as the recording's."""
    window = min(probe.window, language_model.context_size or probe.window)
    starts = [*range(0, len(ids), window), len(ids)]
    windows = Windows(
        token_ids=np.asarray(ids, dtype=np.int32),
        starts=np.asarray(starts, dtype=np.int64),
        document_index=np.zeros(len(ids), dtype=np.int32),
        domain_index=np.zeros(len(ids), dtype=np.int32),
        document_names=("text",),
        domain_names=("text",),
        window=window,
        n_dummy_tokens=probe.n_dummy_tokens,
    )
    if windows.is_dummy.all():
        raise TextError(
            f"Prompt and text together have {windows.n_tokens} tokens; the first "
            f"{probe.n_dummy_tokens} are left out, for there the model only warms up.",
            hint="Let it write more.",
        )
    return windows
