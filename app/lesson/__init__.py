"""The lesson as data: chapters with their questions, and the instructor's plan. No streamlit."""

from app.lesson.chapters import CHAPTERS, chapter, neighbours
from app.lesson.kinds import STEPS, Answer, Chapter, Finding, Question

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
