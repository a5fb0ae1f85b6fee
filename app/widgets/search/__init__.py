"""Search, bookmarks and links: what finds a network or unit again from any page of the atlas."""
