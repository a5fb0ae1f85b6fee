"""What the worked example holds beside its atlas, so that a first visitor meets no empty page.

May import what `workflows` may.
"""
