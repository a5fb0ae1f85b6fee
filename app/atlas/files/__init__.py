"""Files page: maps, names and tables to download and to upload."""
