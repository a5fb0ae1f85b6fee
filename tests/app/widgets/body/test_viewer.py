"""What the viewer is made of: the bundle as it was fetched, scenes as data, presses read back."""

import base64
import hashlib
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from app.figures.theme import rgb
from app.widgets.body import scene as scenes
from app.widgets.body import viewer
from app.widgets.body.scene import Graph, Grey, Lesion, NetworkMap, Parcels, Scene, StatMap, UnitMap
from app.widgets.body.viewer import Pick, pick_of
from fnprune_core.assets import asset

REMOVED = np.random.default_rng(0).random(1003) < 0.3
VALUES = np.random.default_rng(1).standard_normal(1003)
SCENE = Scene(
    anatomy="/a",
    overlays=(
        StatMap(url="/m", limit=5.0),
        UnitMap(units="/u", values=VALUES, limit=3.0),
        NetworkMap(url="/n", limit=5.0, colour="#ff0000", id=4, name="4 · <b>"),
        Parcels(labels={4: "/l"}, strengths={4: "/s"}, colours=("#00ff00",), names=("x",)),
    ),
    greys=(
        Grey(name="weights", label="Weights", anatomy="/w"),
        Grey(name="plan", label="Cut", anatomy="/a", lesion=Lesion(units="/u", removed=REMOVED)),
    ),
    lesion=Lesion(units="/u", removed=REMOVED),
    graph=Graph(
        places=[(0, 1, 2), (3, 4, 5)], sizes=[2.0, 3.0], colours=["#112233"] * 2,
        names=["a", "b"], edges=[(0, 1, -0.5)], limit=0.5,
    ),
    threshold=scenes.Threshold(value=3.0),
    at=(1.0, 2.0, 3.0),
    layers=(0, 1),
    still="/still",
    alternative="A map.",
    file="map",
)  # fmt: skip
SCRIPTS = ("viewer", "niivue_files", "viewer_images", "viewer_graph", "viewer_controls")


def script() -> str:
    return "\n".join(asset(f"components/{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)


def test_the_bundle_is_the_one_that_its_command_fetches() -> None:
    folder = asset("static/niivue")
    about = (folder / "README.md").read_text(encoding="utf-8")
    digest = hashlib.sha256((folder / "niivue.umd.js").read_bytes()).hexdigest()
    assert digest in about
    assert "npm pack @niivue/niivue@0.69.0" in about
    assert "://" not in about
    assert "BSD 2-Clause" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert viewer._data(SCENE, "dark")["library"].endswith("app/static/niivue/niivue.umd.js")


def test_the_browser_is_sent_what_the_script_reads_and_nothing_else() -> None:
    data = viewer._data(SCENE, "light")
    json.dumps(data)
    read = set(re.findall(r"\bdata\.([a-z]+)\b", script()))
    assert read <= set(data)
    assert not [name for name in data if not re.search(rf"\b{name}\b", script())]


def test_every_kind_of_overlay_is_one_that_the_script_draws() -> None:
    known = set(re.findall(r"(\w+): \w+Overlay\b", script()))
    assert {overlay["kind"] for overlay in SCENE.data()["overlays"]} == known


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the viewer's script")
def test_what_lies_below_the_threshold_has_no_colour() -> None:
    images = asset("components/viewer_images.js").read_text(encoding="utf-8")
    ask = """
    const volume = {}, palette = { hot: ["#000000", "#ffffff"], cold: ["#000000", "#ffffff"] }
    const niivue = { addColormap() {} }
    const asked = [2.5, 7].map((threshold) => {
      new SignedOverlay({ limit: 6 }).dress(volume, { threshold, niivue, palette })
      return [volume.cal_min, volume.cal_max]
    })
    console.log(JSON.stringify(asked))
    """
    done = subprocess.run(
        ["node", "-"], input=images + ask, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [[2.5, 6], [7, pytest.approx(7.35)]]


def test_bits_and_values_of_units_come_back_as_they_were() -> None:
    data = SCENE.data()
    cut = np.unpackbits(np.frombuffer(base64.b64decode(data["lesion"]["bits"]), dtype=np.uint8))
    assert np.array_equal(cut[: len(REMOVED)].astype(bool), REMOVED)
    sent = data["overlays"][1]
    steps = np.frombuffer(base64.b64decode(sent["values"]), dtype="<i2")
    assert np.abs(steps * sent["step"] - VALUES).max() <= sent["step"]
    none = UnitMap(units="/u", values=np.zeros(3), limit=1.0).data()
    assert not np.frombuffer(base64.b64decode(none["values"]), dtype="<i2").any()


@pytest.mark.parametrize(
    ("event", "pick"),
    [
        ({"voxel": [1, 2, 3], "item": 4, "fwhm": 4}, Pick(voxel=(1, 2, 3), item=4, fwhm=4.0)),
        ({"item": 2}, Pick(item=2)),
        ({"voxel": [1, 2, 3], "fwhm": 1e9}, Pick(voxel=(1, 2, 3), fwhm=8.0)),
        ({"voxel": [1, 2]}, None),
        ({"voxel": ["a", 2, 3]}, None),
        ({"voxel": [float("inf"), 2, 3]}, None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_what_a_browser_says_was_pressed_is_read_or_passed_over(event, pick) -> None:
    assert pick_of(event) == pick


def test_every_choice_of_colours_has_two_sides_that_get_lighter_outward() -> None:
    palettes = viewer._data(SCENE, "dark")["palettes"]
    assert "house" in palettes  # what the script falls back to
    for palette in palettes.values():
        for side in ("hot", "cold"):
            sums = [sum(rgb(colour)) for colour in palette[side]]
            assert sums == sorted(sums)
            assert len(sums) >= 3
