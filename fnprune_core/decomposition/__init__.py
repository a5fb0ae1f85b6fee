"""Group ICA: session PCA, group PCA, ICA runs and their stability.

May import `recording` and below.
"""
