"""Prune page: networks chosen, a plan previewed and measured."""
