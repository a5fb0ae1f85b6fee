"""Generations page: texts of the dense model and of a plan, side by side."""
