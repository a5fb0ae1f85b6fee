"""Tasks of the Live scanner page: a text read or written, and films of it. No streamlit here."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from app.figures.live.film import Film, write_film
from app.figures.live.scene import LiveScene
from app.shell.tasks import Run, task
from fnprune_core.atlas.cortex import open_cortex
from fnprune_core.atlas.images.anatomy import typical_activity
from fnprune_core.atlas.images.live_body import live_body
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.atlas.live import recorded_run
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.lesions.live import LiveOrder, LiveTexts, run_live
from fnprune_core.models.language_model import LanguageModel

KIND, FILM = "live", "live-film"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a job has read or written, and what it was asked for."""

    model: str
    order: LiveOrder
    texts: LiveTexts


@task(KIND, "Reading in the live scanner")
def scan(run: Run, *, model: str, order: LiveOrder) -> Found:
    """Read a text, or let the model write one, healthy and under a lesion."""
    language_model = run.model(model)
    texts = run_live(run.workspace, language_model, order, **run.watched)
    return Found(model=model, order=order, texts=texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmOrder:
    """Order for a film of a text in the live scanner.

    Parameters
    ----------
    model : str
    live : LiveOrder
        Whose text; for a recorded one, only its atlas counts.
    session : int
        The recorded session, −1 where a text is read or written.
    names, colours : tuple of str
        Of the networks.
    lesion : str
        What the lesioned body is called.
    film : Film
    """

    model: str
    live: LiveOrder
    session: int
    names: tuple[str, ...]
    colours: tuple[str, ...]
    lesion: str
    film: Film

    def scene(self, run: Run) -> LiveScene:
        """Return the scene that is filmed; read again, for a job keeps no page's results."""
        atlas = open_atlas(run.workspace, self.live.decomposition_id)
        if self.session >= 0:
            texts = LiveTexts(healthy=recorded_run(atlas, self.session))
        else:
            language_model: LanguageModel = run.model(self.model)
            texts = run_live(run.workspace, language_model, self.live, **run.watched)
        grid = grid_of(atlas.layout, open_cortex(run.workspace, atlas.id))
        body = live_body(atlas.maps, typical_activity(atlas.maps, atlas.layout), grid)
        return LiveScene(
            body=body,
            runs=[texts.healthy] + ([] if texts.lesioned is None else [texts.lesioned]),
            silenced=texts.silenced,
            lesion=self.lesion,
            names=self.names,
            colours=self.colours,
            n_prompt_tokens=texts.n_prompt_tokens,
        )


@task(FILM, "Filming")
def film(run: Run, order: FilmOrder) -> Path:
    """Draw a text's frames into a film in the workspace's exports; return its path."""
    digest = hashlib.sha256(repr(order).encode("utf-8", "replace")).hexdigest()[:12]
    target = run.target(str(run.workspace.root / "exports" / f"live-{digest}{order.film.suffix}"))
    return write_film(order.scene(run), target, order.film, **run.watched)
