"""Recordings of every unit while the model reads: made, opened, summed by session.

May import `models` and below.
"""
