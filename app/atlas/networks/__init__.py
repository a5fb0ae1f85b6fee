"""Networks page: the gallery, and each network's map, texts and statistics."""
