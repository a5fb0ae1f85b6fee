"""Demonstrations for the lesson, and a simulated fMRI with known networks.

May import `atlas` and below.
"""
