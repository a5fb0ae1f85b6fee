"""The Live scanner page: a text, a beginning or a recorded text, a lesion beside, its exports."""

import base64

import numpy as np
import pytest
import tiny
from driving import drawn, finish, press

from app.atlas.live.options import LiveOptions
from app.shell import codec, resources
from app.shell.caches import live as cache
from fnprune_core.atlas.live import recorded_run
from fnprune_core.lesions.live import LiveOrder, run_live
from fnprune_core.lesions.sites import Lesion, LesionSettings, LesionSites

TEXT = " ".join(tiny.WORDS[5:25])
KEY = "live-scanner"


def relative(data, run=0):
    """Return what the browser is sent of a run: (K, tokens)."""
    levels = np.frombuffer(base64.b64decode(data["runs"][run]["relative"]), "<i2")
    return levels.reshape(len(data["names"]), len(data["pieces"])) / 100


def test_without_model_or_text_a_recorded_text_plays(open_page, example) -> None:
    at = open_page("live", **example.view(), session="2")
    assert not at.exception
    data = drawn(at, KEY)
    run = recorded_run(resources.atlas(example.atlas), 2)
    assert data["pieces"] == list(run.pieces)
    assert np.allclose(relative(data), np.clip(run.relative(), -320, 320), atol=0.006)
    assert data["runs"][0]["surprise"][0] is None
    assert data["autoplay"]
    assert f"{run.n_tokens} tokens; strongest is most often network" in data["alternative"]


def test_a_text_is_read_and_kept_in_the_url(open_page, loaded) -> None:
    at = open_page("live", **loaded.view(), show="read")
    at.text_area(key="live-text").set_value(TEXT).run()
    assert not at.exception
    assert at.query_params["text"] == TEXT
    data = drawn(at, KEY)
    model = resources.language_model(loaded.model)
    order = LiveOrder(decomposition_id=loaded.atlas, text=TEXT)
    run = run_live(resources.workspace(), model, order).healthy
    assert "".join(data["pieces"]) == TEXT
    assert np.allclose(relative(data), run.relative(), atol=0.006)
    assert data["runs"][0]["surprise"][1:] == pytest.approx(run.surprise[1:].tolist(), abs=0.006)
    assert data["dummy"] == np.flatnonzero(run.is_dummy).tolist()


def test_a_lesion_runs_beside_with_its_units_as_holes(open_page, loaded) -> None:
    at = open_page("live", **loaded.view(), text=TEXT, show="read-cut1", z="1.5")
    assert not at.exception
    data = drawn(at, KEY)
    assert [run["label"] for run in data["runs"]] == ["Healthy", "Without network 1"]
    assert not np.array_equal(relative(data, 0), relative(data, 1))
    atlas, model = resources.atlas(loaded.atlas), resources.language_model(loaded.model)
    recording = resources.recording(loaded.recording)
    settings = LesionSettings(z=1.5)
    sites = LesionSites(atlas, recording, model, settings=settings)
    units = sites.members((1,))
    holes = np.frombuffer(base64.b64decode(data["runs"][1]["hole"]), "<u4")
    shown = cache.scene(loaded.atlas, cache.TEXTS.get((model.source, LiveOrder(
        decomposition_id=loaded.atlas, text=TEXT, lesion=Lesion(networks=(1,)), settings=settings,
    ))))  # fmt: skip
    owners = shown.body.unit_of_voxel.ravel(order="F")[holes]
    assert np.array_equal(np.unique(owners), np.flatnonzero(units))
    assert data["runs"][0]["hole"] == ""


def test_the_model_writes_and_what_it_was_given_is_told_apart(open_page, loaded) -> None:
    at = open_page("live", **loaded.view(), prompt="aq ar as at", show="write")
    assert not at.exception
    assert any("Press Write" in each.value for each in at.caption)
    press(at, "Write")
    assert finish(at).state == "done"
    at.run()
    data = drawn(at, KEY)
    assert "".join(data["pieces"]).startswith("aq ar as at")
    assert data["n_prompt"] == 4
    assert len(data["pieces"]) > 4


def test_where_a_person_stops_is_kept(open_page, loaded) -> None:
    at = open_page("live", **loaded.view(), text=TEXT, token="7", show="read")
    data = drawn(at, KEY)
    assert data["token"] == 7
    assert not data["autoplay"]  # a link opens the frame that was looked at
    at = open_page("live", **loaded.view(), text=TEXT, token="99999", show="read")
    assert not at.exception
    assert drawn(at, KEY)["token"] == 0


def test_long_texts_are_read_as_a_job_when_asked(open_page, loaded, monkeypatch) -> None:
    monkeypatch.setattr(cache, "QUICK", 0)
    at = open_page("live", **loaded.view(), text=TEXT, show="read")
    assert any("Press Read" in caption.value for caption in at.caption)
    press(at, "Read")
    assert finish(at).state == "done"
    at.run()
    assert "".join(drawn(at, KEY)["pieces"]) == TEXT


def test_options_come_back_from_a_link_and_nonsense_is_passed_over() -> None:
    options = LiveOptions(source="write", silenced=(3, 17))
    assert codec.decode_words(LiveOptions, codec.encode_words(options)) == options
    for words in ("cut", "cutx", "cut9x-x", "read-read-write", "cut" + "1x" * 400):
        assert len(codec.decode_words(LiveOptions, words).silenced) <= 12
