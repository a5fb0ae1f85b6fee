"""Compare page: two atlases matched, and an atlas applied to other texts."""
