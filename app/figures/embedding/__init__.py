"""Pictures of embeddings: units and networks as points in a plane."""
