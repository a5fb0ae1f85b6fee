"""Connectome page: networks that go together, as matrix, graph and over a text."""
