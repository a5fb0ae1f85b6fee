"""Plans: all that were made, compared, and cost against size."""
