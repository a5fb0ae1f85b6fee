"""Cached data of the live scanner: the texts that were read last, and what is made of them."""

from PIL import Image

from app.figures.live import frames
from app.figures.live.scene import LiveScene
from app.figures.pixels import data_uri, png
from app.shell import resources
from app.shell.caches.colours import network_colours
from app.shell.caches.probe import QUICK, probe
from app.shell.caching import Latest, cached
from app.shell.images import files
from fnprune_core.atlas.live import LiveRun, recorded_run
from fnprune_core.lesions.live import LiveOrder, LiveTexts, check_length, run_live
from fnprune_core.models.language_model import LanguageModel

_MAX_TEXTS = 12
#: Of the still picture that stands for the body where it cannot be drawn.
_STILL = (960, 380)


#: The texts in the live scanner last, by model and order.
TEXTS: Latest[tuple[str, LiveOrder], LiveTexts] = Latest("texts in the scanner", _MAX_TEXTS)


def live_texts(language_model: LanguageModel, order: LiveOrder) -> LiveTexts | None:
    """Return a text read by an atlas, or None if that is work for a job, as writing always is.

    Raises
    ------
    TextError
        If the text cannot be read at all.
    """
    resources.reach().check_texts([order.text, order.prompt.text if order.prompt else ""])
    key = (language_model.source, order)
    stored = TEXTS.get(key)
    if stored is not None or order.prompt is not None:
        return stored
    ready = probe(order.decomposition_id)
    n_tokens = ready.cut(language_model, order.text).n_tokens
    check_length(n_tokens)
    n_passes = 1 if order.lesion is None else 2
    if n_passes * n_tokens * language_model.model.num_parameters() > QUICK:
        return None
    stored = run_live(resources.workspace(), language_model, order, probe=ready)
    TEXTS.put(key, stored)
    return stored


@cached(max_entries=8)
def recorded(id: str, session: int) -> LiveRun:
    """Return a session of an atlas's recording."""
    return recorded_run(resources.atlas(id), session)


def scene(id: str, shown: LiveTexts, *, lesion: str = "") -> LiveScene:
    """Return a text as the live scanner shows it.

    Parameters
    ----------
    lesion : str
        What the lesioned body is called.
    """
    runs = [shown.healthy] if shown.lesioned is None else [shown.healthy, shown.lesioned]
    return LiveScene(
        body=files.body_alive(id),
        runs=runs,
        silenced=shown.silenced,
        lesion=lesion,
        names=resources.network_names(id),
        colours=network_colours(id, "dark"),
        n_prompt_tokens=shown.n_prompt_tokens,
    )


def still(shown: LiveScene, token: int) -> str:
    """Return the bodies at a token as nobody turns them, as a data URI."""
    width, height = _STILL
    pixels = frames.still_picture(shown, token, width=width, height=height)
    return data_uri(png(Image.fromarray(pixels)), "image/png")


@cached(max_entries=8, made_of=files.version)
def recorded_still(id: str, session: int) -> str:
    """Return the brightest frame of a recorded session."""
    shown = scene(id, LiveTexts(healthy=recorded(id, session)))
    return still(shown, shown.brightest())
