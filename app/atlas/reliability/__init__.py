"""Trust page: how far each network can be trusted."""
