"""Names that are suggested for networks: by a stated rule, and the promoted tokens it may use.

May import what `atlas` may.
"""
