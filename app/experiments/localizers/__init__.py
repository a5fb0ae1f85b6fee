"""Localizers: two kinds of texts read by turns."""
