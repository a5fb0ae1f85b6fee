"""How units get their places: the sheet's shape, networks' places, exchanges, and how good it is.

May import what `atlas` may.
"""
