"""Texts that a model writes while networks are weaker or stronger, beside those it writes as it is.

Nothing is stored: a slider is moved many times, and what it made is read at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.evaluation.generation import Generation, Prompt, Sampling
from fnprune_core.evaluation.side_by_side import SideBySide, side_by_side
from fnprune_core.lesions.sites import LesionSettings, LesionSites
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringOrder:
    """Order for a text: its prompt, and the gains of networks while it is written.

    Parameters
    ----------
    gains : tuple of (network, gain)
        1 leaves a network as it is, 0 silences it, 2 doubles it; others are left as they are.
    settings : LesionSettings
        Threshold, target and sink units: which units a network's gain scales, and towards what.
    """

    decomposition_id: str
    gains: tuple[tuple[int, float], ...]
    prompt: Prompt
    settings: LesionSettings = LesionSettings()  # noqa: RUF009 - frozen
    sampling: Sampling = Sampling()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steered:
    """Two texts from one prompt: as the model is, and with networks at their gains.

    Parameters
    ----------
    order : SteeringOrder
    texts : SideBySide
        The steered text stands in it as that of the pruned model.
    n_units : int
        Units that were scaled.
    """

    order: SteeringOrder
    texts: SideBySide
    n_units: int


def steer(
    workspace: Workspace,
    language_model: LanguageModel,
    order: SteeringOrder,
    *,
    dense_text: Generation | None = None,
    on_token: Callable[[str, Generation], None] = lambda whose, written: None,
    cancel: CancelToken = NEVER,
) -> Steered:
    """Let the model go on from a prompt as it is, and with networks weaker or stronger.

    Parameters
    ----------
    dense_text : Generation, optional
        The text of the model as it is, where it was written before.
    on_token : callable
        Called with `DENSE` or `PRUNED` and the text so far, after each token of it.

    Raises
    ------
    TextError, SettingsError
        If there is nothing to continue, a gain is out of bounds, or a network has no unit.
    """
    atlas = open_atlas(workspace, order.decomposition_id)
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    sites = LesionSites(atlas, recording, language_model, settings=order.settings)
    factors = sites.factors(dict(order.gains))
    texts = side_by_side(
        language_model,
        order.prompt,
        partial(sites.scale, factors),
        sampling=order.sampling,
        dense_text=dense_text,
        on_token=on_token,
        cancel=cancel,
    )
    return Steered(order=order, texts=texts, n_units=int((factors != 1).sum()))
