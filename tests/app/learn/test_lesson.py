"""The lesson as data: questions with one right answer, a plan that adds up."""

import numpy as np
import pytest

from app import pages
from app.learn import lesson, teacher
from app.learn.activities import by_chapter
from app.learn.lesson import CHAPTERS, PLAN, chapter, neighbours
from app.shell import glossary

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
    assert each.slug in (by_chapter.ON_ATLAS if each.needs else by_chapter.ALONE)
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
