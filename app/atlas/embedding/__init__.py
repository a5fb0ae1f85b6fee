"""Embedding page: units and networks in the plane, by how alike they are."""
