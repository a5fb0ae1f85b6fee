"""For teachers: a plan for a class, answers, links; made to be printed."""

from app.learn import contents, teacher

contents.open_example()
teacher.show()
