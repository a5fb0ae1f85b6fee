"""The instructor's page: plan, answers, links to each step; one document that prints well."""

import html
from urllib.parse import urlencode

import streamlit as st

from app import pages
from app.learn import progress
from app.learn.lesson import CHAPTERS, PLAN, STEPS, Chapter, ClassPart, Question, chapter
from app.shell import view_state
from app.widgets import frame
from fnprune_core.assets import asset


def show() -> None:
    """Draw the page."""
    frame.heading(
        "For teachers",
        f"A class of {sum(part.minutes for part in PLAN)} minutes with the lesson, all answers, "
        "and a link to each step.",
    )
    with st.container(key="teach-tools", horizontal=True, vertical_alignment="center"):
        st.page_link(pages.path("learn"), label="To the lesson", icon=":material/school:")
        st.caption("To print, or to save as PDF: Ctrl+P (⌘P). Menus stay off the paper.")
    palette = frame.palette()
    colours = f"--text: {palette.text}; --line: {palette.line}; --accent: {palette.accent}"
    st.html(asset("styles/teacher.css"))
    st.html(f'<div class="plan" style="{colours}">{_before()}{_plan()}{_answers()}</div>')


def link(slug: str, step: str) -> str:
    """Return the address of a step, open without a prediction, with what is looked at now."""
    held = {
        name: text for name, text in view_state.encode(view_state.view()).items() if name in _KEPT
    }
    return "learn?" + urlencode(held | {"chapter": slug, "step": step, "show": progress.OPEN})


_KEPT = ("model", "recording", "atlas")


def _links(found: Chapter) -> str:
    return " · ".join(
        f'<a href="{html.escape(link(found.slug, step))}" target="_blank">{title}</a>'
        for step, title in STEPS.items()
    )


def _before() -> str:
    return (
        "<h3>Before class</h3><ul>"
        "<li>Start the app once with <code>make app</code>: the model and the worked example are "
        "made then. After that no network is needed.</li>"
        "<li>Open the chapter Lesions and press “Load the model”, so that nobody waits.</li>"
        "<li>On one screen: use the links below; they open every step without a prediction. In "
        "pairs: students open the page Lesson, where a prediction comes first.</li>"
        "<li>Each student's progress stays in the own browser page until it is closed. Nothing "
        "is sent or stored.</li></ul>"
    )


def _plan() -> str:
    rows, start = [], 0
    for part in PLAN:
        rows.append(
            f"<tr><td>{start}–{start + part.minutes} min</td><td><b>{part.title}</b>"
            f"{_opened(part)}</td><td>{html.escape(part.how)}</td></tr>"
        )
        start += part.minutes
    homework = ", ".join(
        each.title for each in CHAPTERS if each.slug not in {part.chapter for part in PLAN}
    )
    return (
        f"<h3>{start} minutes</h3><table><tr><th>When</th><th>What</th><th>How</th></tr>"
        f"{''.join(rows)}</table><p class='quiet'>For homework: {html.escape(homework)}.</p>"
    )


def _opened(part: ClassPart) -> str:
    found = chapter(part.chapter)
    return "" if found is None else f'<br><span class="steps">{_links(found)}</span>'


def _answers() -> str:
    return "<h3>Chapters and answers</h3>" + "".join(
        f'<div class="chapter"><h4>{number} · {html.escape(each.title)}'
        f" ({each.minutes} min) · {_links(each)}</h4>"
        f"<p>{html.escape(each.idea)}</p>{_question('Predict', each.predict)}"
        f"{_question('Check', each.check)}<p><b>In class.</b> {html.escape(each.teach)}</p></div>"
        for number, each in enumerate(CHAPTERS, start=1)
    )


def _question(name: str, question: Question) -> str:
    rows = "".join(
        f"<li{' class=right' if answer.key == question.right else ''}>{html.escape(answer.text)}"
        f'<span class="quiet" style="font-weight:400"> – {html.escape(answer.why)}</span></li>'
        for answer in question.answers
    )
    prompt = html.escape(question.prompt.replace("**", ""))
    return f"<p><b>{name}.</b> {prompt}</p><ul>{rows}</ul>"
