"""Record and Decompose: from texts to networks."""
