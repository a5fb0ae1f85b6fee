"""Pruned models as folders and files that other tools load, checked and measured.

May import `pruning` and below.
"""
