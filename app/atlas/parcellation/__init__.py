"""Parcellation: each unit in the colour of its strongest network."""
