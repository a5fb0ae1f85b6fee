"""Mixtures of experts: all units of a layer as one projection. Imports `models` alone."""
