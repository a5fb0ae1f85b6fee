"""Start: the example, a model, earlier work."""
