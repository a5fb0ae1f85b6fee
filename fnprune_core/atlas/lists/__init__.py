"""Lists of networks and units that people keep with an atlas.

May import what `atlas` may.
"""
