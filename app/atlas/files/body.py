"""An image that was brought back, in the model's body: what it marks, in words and by layer."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.shell import wording
from app.shell.images import addresses, places
from app.widgets.body import note
from app.widgets.body.note import PLACES
from app.widgets.body.scene import Scene, Threshold, UnitMap
from app.widgets.body.scenes import atlas_scene
from fnprune_core.atlas.network_atlas import NetworkAtlas

_KEY = "files-map"


def show_values(
    atlas: NetworkAtlas, values: NDArray[np.float32], level: float, *, title: str, made: str
) -> None:
    """Draw values of units in the body, from a level on."""
    words = in_words(atlas, values, level, title=title)
    note.draw(
        scene(atlas, values, level, words=words),
        lambda: marked_table(atlas, values, level),
        key=_KEY,
        on_threshold=None,
        file=f"atlas-{atlas.id}-image-layers",
        made=made,
        about=PLACES,
    )


def scene(atlas: NetworkAtlas, values: NDArray[np.float32], level: float, *, words: str) -> Scene:
    """Return what the viewer shows: the image's values in the atlas's own body."""
    largest = float(np.abs(values).max(initial=0.0))
    units = addresses.atlas_url(atlas.id, "units.nii.gz")
    return atlas_scene(
        atlas.id,
        "image",
        overlays=(UnitMap(units=units, values=values, limit=max(largest, 2 * level)),),
        threshold=Threshold(
            value=level,
            low=min(level, 0.5),
            high=max(round(largest, 1), level + 0.5),
            label="Marked from",
            quantity="value",
        ),
        at=places.of_unit(atlas.id, int(np.abs(values).argmax())),
        alternative=words,
        without="The tables have its units.",
        family="image",
        fwhm=0.0,
        name="Image in the body",
    )


def in_words(atlas: NetworkAtlas, values: NDArray[np.float32], level: float, *, title: str) -> str:
    """Return how many units an image marks, and in which layers."""
    per_layer = marked_table(atlas, values, level)["units marked"]
    n_marked = int(per_layer.sum())
    sentence = f"{title} of the image: {wording.count(n_marked, 'unit')} marked"
    if n_marked:
        sentence += f", in {wording.count(int((per_layer > 0).sum()), 'layer')}"
        sentence += f", most in layer {int(per_layer.argmax())}"
    return f"{sentence}."


def marked_table(atlas: NetworkAtlas, values: NDArray[np.float32], level: float) -> pd.DataFrame:
    """Return one row per layer: the units that an image marks there."""
    is_marked = np.abs(values) > level
    per_layer = [int(in_layer.sum()) for in_layer in atlas.layout.split(is_marked)]
    return pd.DataFrame({"layer": np.arange(len(per_layer)), "units marked": per_layer})
