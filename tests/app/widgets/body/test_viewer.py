"""What the viewer is made of: the bundle as it was fetched, and colours that it can read."""

import hashlib
import re

from app.figures.theme import rgb
from app.widgets.body import viewer
from fnprune_core.assets import asset

SCENE = viewer.Scene(
    anatomy="/a", map="/m", still="/s", threshold=3.0, limit=5.0, pole=0, at=(1.0, 2.0, 3.0),
    layers=(0, 1), alternative="A map.", file="map",
)  # fmt: skip


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
    script = asset("components/viewer.js").read_text(encoding="utf-8")
    read = set(re.findall(r"\bdata\.([a-z]+)\b", script))
    assert read == set(data)


def test_every_choice_of_colours_has_two_sides_that_get_lighter_outward() -> None:
    palettes = viewer._data(SCENE, "dark")["palettes"]
    assert "house" in palettes  # what the script falls back to
    for palette in palettes.values():
        for side in ("hot", "cold"):
            sums = [sum(rgb(colour)) for colour in palette[side]]
            assert sums == sorted(sums)
            assert len(sums) >= 3
