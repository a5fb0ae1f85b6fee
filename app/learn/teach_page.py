"""For teachers: a plan for a class, answers, links; made to be printed."""

from app.learn import teacher
from app.widgets import frame

frame.open_example()
teacher.show()
