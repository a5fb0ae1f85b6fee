"""How far networks can be trusted: halves, seeds, bootstraps, nulls.

May import `atlas` and below.
"""
