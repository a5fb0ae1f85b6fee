"""Block designs, contrasts and decoding of stimuli read by turns.

May import `atlas` and below.
"""
