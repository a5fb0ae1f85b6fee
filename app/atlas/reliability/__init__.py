"""Trust: how far each network can be trusted."""
