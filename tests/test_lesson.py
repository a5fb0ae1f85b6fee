"""The lesson as data: questions with one right answer, a plan that adds up, words that exist."""

import numpy as np
import pytest

from app import pages
from app.figures.theme import PALETTES
from app.learn import activities, lesson, teacher
from app.learn.brain_figures import found_maps
from app.learn.figures import blood_response, loss_bars, membership_bars
from app.learn.lesson import CHAPTERS, PLAN, chapter, neighbours
from app.shell import glossary
from fnprune_core.teaching import simulated_fmri

QUESTIONS = [
    pytest.param(question, id=f"{each.slug}-{kind}")
    for each in CHAPTERS
    for kind, question in (("predict", each.predict), ("check", each.check))
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_one_right_answer_and_says_why_the_others_are_wrong(question) -> None:
    keys = [answer.key for answer in question.answers]
    assert len(keys) == len(set(keys)) >= 3
    assert keys.count(question.right) == 1
    reasons = [answer.why for answer in question.answers]
    assert all(len(why) > 20 and why.endswith(".") for why in reasons)
    assert len(set(reasons)) == len(reasons)  # each its own sentence
    assert question.answer(question.right) is not None
    assert question.answer("no such") is None


def test_right_answers_do_not_stand_at_one_place() -> None:
    places = [
        [answer.key for answer in q.answers].index(q.right)
        for each in CHAPTERS
        for q in (each.predict, each.check)
    ]
    assert max(np.bincount(places)) < 0.7 * len(places)


@pytest.mark.parametrize("each", CHAPTERS, ids=lambda each: each.slug)
def test_a_chapter_has_all_it_names(each) -> None:
    assert each.slug.isalpha()
    assert each.sources
    assert each.needs in ("", "atlas", "model")
    assert 3 <= each.minutes <= 6
    assert set(each.terms) <= set(glossary.TERMS)
    assert each.slug in (activities.ON_ATLAS if each.needs else activities.ALONE)
    for url, _ in each.pages:
        assert pages.path(url)


def test_chapters_follow_each_other() -> None:
    assert chapter(CHAPTERS[3].slug) is CHAPTERS[3]
    assert chapter("no-such") is None
    assert neighbours(CHAPTERS[0].slug) == (None, CHAPTERS[1])
    assert neighbours(CHAPTERS[-1].slug) == (CHAPTERS[-2], None)
    assert sum(each.minutes for each in CHAPTERS) <= 60


def test_the_plan_fills_50_minutes_with_chapters_that_exist() -> None:
    assert sum(part.minutes for part in PLAN) == 50
    assert all(chapter(part.chapter) for part in PLAN if part.chapter)


def test_a_teachers_link_opens_a_step() -> None:
    link = teacher.link("lesions", "do")
    assert link.startswith("learn?")
    assert "chapter=lesions" in link
    assert "step=do" in link
    assert "show=open" in link


def test_texts_are_of_the_examples_domains_and_short() -> None:
    found = lesson.documents()
    assert {d.domain for d in found} == {"french", "c++", "documentation", "legal", "python"}
    assert all(300 < len(d.text) < 700 for d in found)


@pytest.mark.parametrize("key", glossary.TERMS)
def test_a_tip_has_both_words(key) -> None:
    row = glossary.TERMS[key]
    assert row.here in glossary.tip(key)
    assert row.brain in glossary.tip(key) or row.brain == row.here
    assert row.says.endswith(".")
    assert glossary.both(key)


def test_the_glossary_finds_words_of_either_field() -> None:
    assert next(row.key for row in glossary.matching_terms("Voxel")) == "voxel"
    assert "scan" in [row.key for row in glossary.matching_terms("token second")]
    assert glossary.matching_terms("zzz") == []
    assert len(glossary.matching_terms("")) == len(glossary.TERMS)


@pytest.mark.parametrize("mode", PALETTES)
def test_two_near_flashes_make_one_hump(mode) -> None:
    response = simulated_fmri.blood_response(t_r=0.1)
    options = {"step_s": 0.1, "t_r_s": 2.0, "palette": PALETTES[mode]}
    for gap, n_humps in ((2.0, 1), (16.0, 2)):
        shown = blood_response(response, gap_s=gap, **options)
        whole = next(np.asarray(t.y) for t in shown.figure.data if t.name == "blood")
        rises = np.diff(np.sign(np.diff(np.maximum(whole, 0.3))))
        assert int((rises < 0).sum()) == n_humps
    assert "2 flashes" in shown.alternative
    assert "1 flash:" in blood_response(response, gap_s=0.0, **options).alternative


def test_found_maps_draw_planted_and_found_with_their_match() -> None:
    head = simulated_fmri.head()
    maps = simulated_fmri.planted_maps()[:2]
    volumes = [head.volume(each) for each in maps]
    shown = found_maps(
        {"Planted": volumes, "ICA": volumes},
        ["A", "B"],
        {"ICA": np.array([0.9, 0.25])},
        palette=PALETTES["dark"],
    )
    said = [note.text for note in shown.figure.layout.annotations]
    assert {"Planted", "ICA", "A", "B", "|r| 0.90", "|r| 0.25"} <= set(said)
    assert np.nanmax(np.asarray(shown.figure.data[0].z)) == 1.0


def test_membership_bars_count_several_together() -> None:
    counts = np.array([50, 30, 10, 5, 3, 2])
    shown = membership_bars(counts, z=3.0, palette=PALETTES["light"])
    assert shown.table["units"].tolist() == [50, 30, 10, 5, 5]
    assert "40% of those in any" in shown.alternative


def test_one_towering_rule_does_not_flatten_the_others() -> None:
    options = {"y_title": "loss", "says": "Losses.", "palette": PALETTES["dark"]}
    towering = {"weights": {"a": 10.0, "b": 9.0}, "activity": {"a": 0.5, "b": 1.0}}
    shown = loss_bars(towering, **options)
    assert shown.figure.layout.yaxis.range[1] == pytest.approx(1.4)
    assert "weights goes up to +10.0" in shown.figure.layout.annotations[0].text
    even = loss_bars({"x": {"a": 1.0}, "y": {"a": 0.8}}, **options)
    assert even.figure.layout.yaxis.range is None
    assert not even.figure.layout.annotations
