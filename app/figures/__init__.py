"""Arrays in, pictures out: plotly figures with their text alternative and their numbers.

Every function is pure, knows no streamlit, and returns a `Picture`. Arrays go to the browser as
float32 or int8, pooled to the screen.
"""
