"""Prune: networks chosen, a plan previewed and measured."""
