"""Statistics of networks by which they are compared: energy, specificity, kurtosis, place.

May import what `atlas` may.
"""
