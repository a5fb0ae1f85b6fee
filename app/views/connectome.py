"""Connectome: how networks go together."""
