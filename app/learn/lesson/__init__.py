"""The lesson as data: chapters with their questions, and the instructor's plan. No streamlit."""

from app.learn.lesson.chapters import CHAPTERS, chapter, neighbours
from app.learn.lesson.kinds import STEPS, Answer, Chapter, Finding, Question

__all__ = [
    "CHAPTERS",
    "STEPS",
    "Answer",
    "Chapter",
    "Finding",
    "Question",
    "chapter",
    "neighbours",
]
