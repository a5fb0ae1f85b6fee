"""Cached arrays and results that several pages read."""
