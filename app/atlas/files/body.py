"""An image that was brought back, in the model's body: what it marks, in words and by layer."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.shell import wording
from app.shell.images import addresses, places
from app.shell.images import files as images
from app.widgets import frame
from app.widgets.body.note import PLACES, note
from app.widgets.body.scene import Scene, Threshold, UnitMap
from app.widgets.body.viewer import viewer
from fnprune_core.atlas.network_atlas import NetworkAtlas

_KEY = "files-map"


def show_values(
    atlas: NetworkAtlas, values: NDArray[np.float32], level: float, *, title: str, made: str
) -> None:
    """Draw values of units in the body, from a level on."""
    words = in_words(atlas, values, level, title=title)
    viewer(scene(atlas, values, level, words=words), key=_KEY, mode=frame.palette().mode)
    note(
        words,
        lambda: marked_table(atlas, values, level),
        key=_KEY,
        file=f"atlas-{atlas.id}-image-layers",
        made=made,
        about=PLACES,
    )


def scene(atlas: NetworkAtlas, values: NDArray[np.float32], level: float, *, words: str) -> Scene:
    """Return what the viewer shows: the image's values in the atlas's own body."""
    version, largest = images.version(atlas.id), float(np.abs(values).max(initial=0.0))
    return Scene(
        anatomy=addresses.anatomy_url(atlas.id, version),
        overlays=(
            UnitMap(
                units=addresses.units_url(atlas.id, version),
                values=values,
                limit=max(largest, 2 * level),
            ),
        ),
        threshold=Threshold(
            value=level,
            low=min(level, 0.5),
            high=max(round(largest, 1), level + 0.5),
            label="Marked from",
            quantity="value",
        ),
        at=places.of_unit(atlas.id, int(np.abs(values).argmax())),
        layers=images.layers(atlas.id),
        alternative=words,
        file=f"fnprune-{atlas.id[:8]}-image",
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
    """Return one row a layer: the units that an image marks there."""
    is_marked = np.abs(values) > level
    per_layer = [int(in_layer.sum()) for in_layer in atlas.layout.split(is_marked)]
    return pd.DataFrame({"layer": np.arange(len(per_layer)), "units marked": per_layer})
