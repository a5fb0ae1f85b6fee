"""Search over the networks and units of an atlas: its index, its kinds of match, its scores.

May import what `atlas` may.
"""
