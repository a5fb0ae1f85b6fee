"""Still pictures of the live scanner: the rules of the browser, and what stays dark."""

import numpy as np
import pytest

from app.figures.live.frames import activity, light, place_of, still_picture
from app.figures.live.scene import LiveScene, alternative, data_of, table_of
from fnprune_core.assets import asset
from fnprune_core.atlas.images.anatomy import typical_activity
from fnprune_core.atlas.images.live_body import live_body
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.atlas.live import LiveRun
from fnprune_core.models.layout import UnitLayout

LAYOUT = UnitLayout((400, 400, 400))
COLOURS = ("#ff0000", "#00ff00")


@pytest.fixture
def scene() -> LiveScene:
    z = np.random.default_rng(0).standard_normal((2, LAYOUT.n_units)).astype(np.float32)
    z[0, LAYOUT.flat(1, np.arange(60))] = 9.0
    z[1, LAYOUT.flat(2, np.arange(60))] = -9.0
    body = live_body(z, typical_activity(z, LAYOUT), grid_of(LAYOUT, None))
    strengths = np.array([[0, 0, 6, 0, 0], [0, 0, 0, 0, -6]], dtype=np.float32)
    surprise = np.array([np.nan, 1, 2, 9, 3], dtype=np.float32)
    run = LiveRun(
        pieces=("a", " <b>", " c", "\n", " d"),
        strengths=strengths,
        usual=np.ones(2),
        surprise=surprise,
        is_dummy=np.array([True, False, False, False, False]),
    )
    return LiveScene(
        body=body, runs=[run], silenced=None, lesion="", names=("first", "second"), colours=COLOURS
    )


def red_and_green(pixels) -> tuple[int, int]:
    red, green, blue = pixels.astype(int).transpose(2, 0, 1)
    is_red, is_green = red - np.maximum(green, blue) > 90, green - np.maximum(red, blue) > 90
    return int(is_red.sum()), int(is_green.sum())


def test_the_network_that_is_active_lights_up_in_its_colour(scene) -> None:
    def counted(token: int) -> tuple[int, int]:
        return red_and_green(still_picture(scene, token, width=640, height=320))

    red, green = counted(2)
    assert red > 300
    assert green == 0
    red, green = counted(4)  # of a negative strength, too
    assert red == 0
    assert green > 300
    assert counted(1) == (0, 0)


def test_what_a_lesion_takes_is_dark_and_does_not_light_up(scene) -> None:
    silenced = np.zeros(LAYOUT.n_units, dtype=bool)
    silenced[LAYOUT.flat(1, np.arange(60))] = True
    pair = LiveScene(
        body=scene.body, runs=[scene.runs[0]] * 2, silenced=silenced, lesion="Without network 0",
        names=scene.names, colours=COLOURS,
    )  # fmt: skip
    frame = still_picture(pair, 2, width=640, height=320)
    healthy, lesioned = frame[:, :320], frame[:, 320:]
    assert red_and_green(healthy)[0] > 100
    assert red_and_green(lesioned)[0] < 0.1 * red_and_green(healthy)[0]
    assert lesioned.sum() < healthy.sum()


def test_light_is_the_plain_sum_over_networks(scene) -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0]], dtype=float)
    colour, alpha = light(scene.body, np.array([2.5, -3.0]), colours)
    expected = np.zeros(scene.body.grey.size)
    for network, times in enumerate((2.5, -3.0)):
        voxels, z = scene.body.z_of(network)
        for voxel, height in zip(voxels, z, strict=True):
            weight = min(max((abs(float(height)) - 2) / 2.5, 0), 1)
            expected[voxel] += ((abs(times) - 1) / 3) ** 0.7 * weight
    assert np.allclose(alpha, np.minimum(expected, 1), atol=1e-5)
    assert (colour[:, 2] == 0).all()
    assert np.allclose(activity(np.array([0.5, -1, 4, 9])), [0, 0, 1, 1])
    x, y, layer = place_of(scene)
    assert scene.body.grey[x, y, layer] > 0


def test_the_browser_has_the_same_rules(scene) -> None:
    """One frame is drawn in two places: their constants must not part."""
    script = asset("components/live.js").read_text(encoding="utf-8")
    assert "const LEAST_Z = 2, FULL_Z = 4.5" in script
    assert "const LEAST = 1, FULL = 4, EASE = 0.7" in script
    from app.figures.live import frames

    assert (frames.LEAST_Z, frames.FULL_Z) == (2.0, 4.5)
    assert (frames.LEAST, frames.FULL, frames.EASE) == (1.0, 4.0, 0.7)


def test_words_and_numbers_say_what_is_seen(scene) -> None:
    text = alternative(scene)
    assert text.startswith("5 tokens; strongest is most often network 0, first")
    assert "most at “white space”, token 3, 9.0" in text
    table = table_of(scene)
    assert table["network 1"].tolist()[2] == 0
    assert table["share 1"].tolist()[2] == 1
    assert table["network 1"].isna().tolist() == [True, False, False, False, False]
    data = data_of(scene, body="body", library="library")
    assert data["pieces"] == ["a", " <b>", " c", "\n", " d"]
    assert data["version"] != data_of(scene, body="other", library="library")["version"]
