"""Localizers page: two kinds of texts read by turns."""
