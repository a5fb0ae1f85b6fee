"""Searches of how a cut is divided over layers and attention."""
