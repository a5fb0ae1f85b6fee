"""Perplexity window by window, paired comparisons, generations side by side.

May import `plans` and below.
"""
