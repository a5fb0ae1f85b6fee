"""Pruning plans: which units go, how a cut is divided over layers, their files.

May import `models` and below; knows no score.
"""
