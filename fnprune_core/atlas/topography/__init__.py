"""How units get their places: the sheet's shape, networks' places, swaps, and how good it is.

May import what `atlas` may.
"""
