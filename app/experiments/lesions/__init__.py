"""Lesions page: networks silenced, and the loss that this causes."""
