"""Plans page: all plans that were made, compared, and cost against size."""
