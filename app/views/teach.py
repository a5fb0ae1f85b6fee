"""For teachers: a plan for a class, answers, links; made to be printed."""

from app import lesson_contents, lesson_plan

lesson_contents.open_example()
lesson_plan.show()
