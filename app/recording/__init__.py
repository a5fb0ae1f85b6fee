"""Record and Decompose pages: from texts to networks."""
