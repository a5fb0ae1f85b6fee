"""Lesions: networks silenced, and what the model can no longer do."""
