"""Connectome: which networks go together, as matrix, graph and over a text."""
