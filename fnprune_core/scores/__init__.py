"""What a unit or a group of heads is worth: one row of a table for each score.

May import `atlas` and below; knows no plan.
"""
