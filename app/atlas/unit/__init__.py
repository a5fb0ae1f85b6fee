"""Unit page: one neuron, its networks, texts and weights."""
