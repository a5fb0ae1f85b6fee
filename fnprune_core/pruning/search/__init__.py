"""Searches of how a cut is divided: among layers, and between attention and MLPs.

May import what `pruning` may.
"""
