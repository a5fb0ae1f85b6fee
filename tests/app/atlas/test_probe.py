"""The probe: a text of one's own, its tokens, the networks on it; and texts that cannot be read."""

import numpy as np
import pytest
import tiny
from driving import drawn, finish, press, said, view

from app.shell import resources
from app.shell.caches import probe as cache
from fnprune_core.atlas.probe import MAX_TOKENS

TEXT = " ".join(tiny.WORDS[5:25])


def test_read_loads_the_model_where_it_is_not_in_memory(open_page, example) -> None:
    at = open_page("probe", **example.view(), text=TEXT)
    assert not at.exception
    assert at.text_area(key="probe-text").value == TEXT
    assert "is loaded first" in " ".join(each.value for each in at.caption)
    press(at, "Read")
    assert finish(at).state == "done"
    assert "".join(drawn(at, "probe-tokens")["pieces"]) == TEXT


def test_a_typed_text_is_coloured_ranked_and_kept_in_the_url(open_page, loaded) -> None:
    at = open_page("probe", **loaded.view(), network="2")
    at.text_area(key="probe-text").set_value(TEXT).run()
    assert not at.exception
    assert at.query_params["text"] == TEXT
    probe = cache.probe(loaded.atlas)
    reading = probe.read(resources.language_model(loaded.model), TEXT)
    tokens = drawn(at, "probe-tokens")
    assert tokens["values"][:2] == [None, None]  # dummy tokens
    assert tokens["values"][2:] == pytest.approx(reading.strengths[2, 2:].tolist(), abs=1e-3)
    ranked = [row["id"] for row in drawn(at, "probe-ranking")["rows"]]
    assert ranked == np.argsort(-reading.energy()).tolist()
    assert any("6 networks over 20 tokens" in chart.proto.alt for chart in at.get("plotly_chart"))


def test_a_token_in_the_url_shows_all_networks_there(open_page, loaded) -> None:
    at = open_page("probe", **loaded.view(), text=TEXT, token="7")
    assert drawn(at, "probe-tokens")["selected"] == 7
    assert any("Token 7" in each.value for each in at.subheader)
    reading = cache.reading(loaded.atlas, resources.language_model(loaded.model), TEXT)
    relative = np.abs(reading.relative()[:, 7])
    rows = drawn(at, "probe-at-token")["rows"]
    assert [row["id"] for row in rows] == np.argsort(-relative).tolist()
    at = open_page("probe", **loaded.view(), text=TEXT, token="99999")
    assert not at.exception
    assert drawn(at, "probe-tokens")["selected"] is None


def test_each_token_in_the_colour_of_its_strongest_network(open_page, loaded) -> None:
    at = open_page("probe", **loaded.view(), text=TEXT, show="strongest")
    reading = cache.reading(loaded.atlas, resources.language_model(loaded.model), TEXT)
    shown = drawn(at, "probe-tokens-strongest")
    legend = {row["id"]: row for row in drawn(at, "probe-legend")["rows"]}
    for token, network in enumerate(reading.strongest()):
        if network >= 0:
            assert shown["hues"][token] == legend[network]["colour"]
            assert f"network {network}" in shown["tips"][token]
    assert sum(int(row["note"].split()[0]) for row in legend.values()) == 18


def test_read_with_an_empty_box_says_what_to_do(open_page, loaded) -> None:
    at = open_page("probe", **loaded.view())
    assert not at.info
    at.button(key="probe-read").click().run()
    assert ["press an example" in each.value for each in at.info] == [True]


def test_an_example_fills_the_box(open_page, loaded) -> None:
    at = open_page("probe", **loaded.view())
    at.pills[0].set_value("French").run()
    assert not at.exception
    assert at.text_area(key="probe-text").value == view(at).text
    assert view(at).text.startswith("Hier soir")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n ", "no text"),
        ("ab " * (MAX_TOKENS + 1), "4,097 tokens"),
    ],
)
def test_texts_that_cannot_be_read_are_kept_and_told(open_page, loaded, text, message) -> None:
    at = open_page("probe", **loaded.view())
    at.text_area(key="probe-text").set_value(text).run()
    assert message in said(at)
    assert not at.exception
    assert at.text_area(key="probe-text").value == view(at).text == text
    at.text_area(key="probe-text").set_value(TEXT).run()
    assert not at.error
    assert "".join(drawn(at, "probe-tokens")["pieces"]) == TEXT


def test_a_long_text_is_read_as_a_job_when_asked(open_page, loaded, monkeypatch) -> None:
    monkeypatch.setattr(cache, "QUICK", 0)
    at = open_page("probe", **loaded.view(), text=TEXT)
    assert any("Press Read" in caption.value for caption in at.caption)
    press(at, "Read")
    assert finish(at).state == "done"
    at.run()
    assert "".join(drawn(at, "probe-tokens")["pieces"]) == TEXT


def test_markup_and_controls_in_a_text_are_shown_as_text(open_page, loaded, monkeypatch) -> None:
    """The toy tokenizer knows no such words: the reading is given the pieces by hand."""
    pieces = ("<b>x</b>", "a\0b", "\u202egnp.exe", "\ud800", "*z* $y$", "\n")
    model = resources.language_model(loaded.model)
    real = cache.probe(loaded.atlas).read(model, " ".join(tiny.WORDS[5:11]))
    given = type(real)(
        pieces=pieces,
        **{
            name: getattr(real, name)
            for name in ("strengths", "rarity", "is_dummy", "log_probability", "usual", "n_windows")
        },
    )
    monkeypatch.setattr(cache, "reading", lambda *_: given)
    at = open_page("probe", **loaded.view(), text=TEXT, token="4")
    assert not at.exception
    assert drawn(at, "probe-tokens")["pieces"] == [
        "<b>x</b>", "a\u203900\u203ab", "\u2039202E\u203agnp.exe", "\ufffd", "*z* $y$", "\n",
    ]  # fmt: skip
    assert any(each.value == "Token 4: “\\*z\\* \\$y\\$”" for each in at.subheader)
    figure = at.get("plotly_chart")[0].proto.spec
    assert "<b>x</b>" not in figure.replace("<b>0", "")
    assert "\0" not in figure


def test_a_deleted_recording_is_named(open_page, loaded) -> None:
    resources.workspace().delete("recordings", loaded.recording)
    resources.forget_open()
    at = open_page("probe", **loaded.view(), text=TEXT)
    assert not at.exception
    assert loaded.recording in said(at)
