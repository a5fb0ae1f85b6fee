"""Scanner page: a map drawn by nilearn, beside a real brain."""
