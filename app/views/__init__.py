"""The pages, one file each; they never import one another."""
