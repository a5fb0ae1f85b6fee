"""The live scanner in one file: nothing is asked of the network, and no text can be a script."""

import base64
import hashlib
import json
import re

import numpy as np

from app.figures.live.scene import LiveScene
from app.html_files.live_page import live_page
from fnprune_core.atlas.images.live_body import live_body
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.atlas.live import LiveRun
from fnprune_core.models.layout import UnitLayout

LAYOUT = UnitLayout((60, 60))
HOSTILE = "</script><script>alert(1)</script>"


def page() -> str:
    z = np.random.default_rng(0).standard_normal((2, LAYOUT.n_units)).astype(np.float32)
    run = LiveRun(
        pieces=(HOSTILE, " b", " c"),
        strengths=np.ones((2, 3), dtype=np.float32),
        usual=np.ones(2),
        surprise=np.array([np.nan, 1, 2], dtype=np.float32),
        is_dummy=np.array([True, False, False]),
    )
    body = live_body(z, np.zeros(LAYOUT.n_units), grid_of(LAYOUT, None))
    scene = LiveScene(
        body=body, runs=[run], silenced=None, lesion="", names=(HOSTILE, "two"),
        colours=("#ff0000", "#00ff00"),
    )  # fmt: skip
    return live_page(scene, title=HOSTILE, still="data:image/png;base64,", token=1)


def test_only_its_own_scripts_run_and_nothing_is_fetched() -> None:
    html = page()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    scripts = re.findall(r"<script(?: type=\"module\")?>(.*?)</script>", html, re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "alert(1)</script>" not in html
    assert not re.findall(r'(?:src|href)="(?!data:)', html.split("<script", 1)[0])


def test_text_and_body_are_inside() -> None:
    html = page()
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])
    assert data["pieces"][0] == HOSTILE
    assert data["token"] == 1
    assert base64.b64decode(data["body"].split(",")[1])[:2] == b"\x1f\x8b"
