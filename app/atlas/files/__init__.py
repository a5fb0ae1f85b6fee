"""Files: maps, names and tables to take away and to bring back."""
