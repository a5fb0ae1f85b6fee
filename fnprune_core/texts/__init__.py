"""Documents, their sources, and how they are cut into windows of tokens.

Stands on `storage` alone; knows no model.
"""
