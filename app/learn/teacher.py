"""The instructor's page: plan, answers, links to each step; one document that prints well."""

import html
from urllib.parse import urlencode

import streamlit as st

from app import pages
from app.learn import progress
from app.learn.lesson import CHAPTERS, PLAN, STEPS, Chapter, ClassPart, Question, chapter
from app.shell import view_fields, view_state
from app.widgets import frame
from fnprune_core.assets import asset


def show() -> None:
    """Draw the page."""
    frame.heading(
        "For teachers",
        f"A class of {sum(class_part.minutes for class_part in PLAN)} minutes with the lesson, all "
        "answers, and a link to each step.",
    )
    with st.container(key="teach-tools", horizontal=True, vertical_alignment="center"):
        st.page_link(pages.path("learn"), label="To the lesson", icon=":material/school:")
        st.caption("To print, or to save as PDF: Ctrl+P (⌘P). Menus are not printed.")
    palette = frame.palette()
    colours = f"--text: {palette.text}; --line: {palette.line}; --accent: {palette.accent}"
    st.html(asset("styles/teacher.css"))
    st.html(f'<div class="plan" style="{colours}">{_preparation()}{_plan()}{_answers()}</div>')


def link(slug: str, step: str) -> str:
    """Return the address of a step that opens without a prediction, with the present view."""
    view_parameters = {
        name: text for name, text in view_fields.encode(view_state.view()).items() if name in _KEPT
    }
    return "learn?" + urlencode(
        view_parameters | {"chapter": slug, "step": step, "show": progress.OPEN}
    )


_KEPT = ("model", "recording", "atlas")


def _links(linked_chapter: Chapter) -> str:
    return " · ".join(
        f'<a href="{html.escape(link(linked_chapter.slug, step))}" target="_blank">{title}</a>'
        for step, title in STEPS.items()
    )


def _preparation() -> str:
    return (
        "<h3>Before class</h3><ul><li>Start the app once with <code>make app</code>: the model "
        "and the worked example are made then. After that no network is needed.</li><li>Open the "
        "chapter Lesions and press “Load the model”, so that nobody waits.</li><li>On one "
        "screen: use the links below; they open every step without a prediction. In pairs: "
        "students open the page Lesson, where a prediction comes first.</li><li>Each student's "
        "progress is kept in their own browser page until it is closed. Nothing is sent or "
        "stored.</li></ul>"
    )


def _plan() -> str:
    rows, start = [], 0
    for class_part in PLAN:
        rows.append(
            f"<tr><td>{start}–{start + class_part.minutes} min</td><td><b>{class_part.title}</b>"
            f"{_chapter_links(class_part)}</td><td>{html.escape(class_part.how)}</td></tr>"
        )
        start += class_part.minutes
    homework = ", ".join(
        homework_chapter.title
        for homework_chapter in CHAPTERS
        if homework_chapter.slug not in {class_part.chapter for class_part in PLAN}
    )
    return (
        f"<h3>{start} minutes</h3><table><tr><th>When</th><th>What</th><th>How</th></tr>"
        f"{''.join(rows)}</table><p class='quiet'>For homework: {html.escape(homework)}.</p>"
    )


def _chapter_links(class_part: ClassPart) -> str:
    linked_chapter = chapter(class_part.chapter)
    return (
        "" if linked_chapter is None else f'<br><span class="steps">{_links(linked_chapter)}</span>'
    )


def _answers() -> str:
    return "<h3>Chapters and answers</h3>" + "".join(
        f'<div class="chapter"><h4>{number} · {html.escape(lesson_chapter.title)}'
        f" ({lesson_chapter.minutes} min) · {_links(lesson_chapter)}</h4>"
        f"<p>{html.escape(lesson_chapter.idea)}</p>{_question('Predict', lesson_chapter.predict)}"
        f"{_question('Check', lesson_chapter.check)}<p><b>In class.</b> "
        f"{html.escape(lesson_chapter.teach)}</p></div>"
        for number, lesson_chapter in enumerate(CHAPTERS, start=1)
    )


def _question(name: str, question: Question) -> str:
    rows = "".join(
        f"<li{' class=right' if answer.key == question.right else ''}>{html.escape(answer.text)}"
        f'<span class="quiet" style="font-weight:400"> – {html.escape(answer.why)}</span></li>'
        for answer in question.answers
    )
    prompt = html.escape(question.prompt.replace("**", ""))
    return f"<p><b>{name}.</b> {prompt}</p><ul>{rows}</ul>"
