"""Still pictures of the body: cuts and a rendering, with a map over the grey, as WebP."""
