"""Parcellation page: each unit in the colour of its strongest network."""
