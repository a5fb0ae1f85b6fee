"""The networks of a decomposition: maps, thresholds, decoding, layout, connectivity, files.

May import `decomposition` and below.
"""
