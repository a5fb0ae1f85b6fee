"""Images of an atlas for the browser: their bytes, kept, and the addresses that give them."""
