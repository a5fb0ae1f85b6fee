"""What single pages keep: cached arrays and results of one part of the atlas each."""
