"""Workspaces: artifacts as folders with a manifest, whole or not there, checked when read.

Knows bytes, names and what manifests hold, no class of an artifact. May import errors and
progress alone.
"""
