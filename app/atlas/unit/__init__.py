"""Unit: one neuron, its networks, texts and weights."""
