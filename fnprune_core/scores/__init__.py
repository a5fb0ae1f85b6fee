"""Scores of units and of groups of heads: one row of a table for each score.

May import `atlas` and below; knows no plan.
"""
