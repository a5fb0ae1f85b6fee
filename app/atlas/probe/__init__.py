"""Probe page: a text of one's own, lit up by the networks."""
