"""Generations: what dense model and plan write, side by side."""
