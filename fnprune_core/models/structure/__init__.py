"""Find a model's units by structure: `proposals` from names and shapes, and a `proof` by a cut."""
