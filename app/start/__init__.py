"""Start page: the example, a model, earlier work."""
